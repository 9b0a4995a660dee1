"""The order of faults, and what is printed of each."""

import random
import time

import disk_faults  # noqa: F401: enters its faults, as those below do
import instance_faults  # noqa: F401
import lock_faults  # noqa: F401
import network_faults  # noqa: F401
import server_faults  # noqa: F401
from faults import FAULTS, SHORT
from postgres import SERVICE
from processes import run as run_command
from proofs import prove_values
from world import World


def list_faults():
    for name, function in FAULTS.items():
        print(f"{name:24}{'short  ' if name in SHORT else '       '}{function.__doc__.splitlines()[0]}")


def order(options):
    """The names of the faults to make, one after another."""
    rng, names = random.Random(options.seed), list(SHORT if options.short else FAULTS)
    if options.only:
        yield from options.only.split(",")
    elif options.minutes:
        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            yield rng.choice(names)
    else:
        rng.shuffle(names)
        yield from names


def run(options):
    """Makes the faults. Answers the exit status."""
    start, broken, made, acknowledged = time.monotonic(), 0, 0, 0
    # A check that cannot fail says nothing.
    if missed := prove_values():
        raise SystemExit("\n".join(missed))
    print(f"seed {options.seed}, {options.binary}", flush=True)
    with World(options) as world:
        print(f"{'fault':24}{'s':>6}{'answered':>10}{'back s':>8}{'p99 ms':>8}", flush=True)
        for number, name in enumerate(order(options)):
            result = world.run_fault(FAULTS[name], random.Random(f"{options.seed} {number} {name}"))
            if "skipped" in result:
                print(f"{name:24}skipped: {result['skipped']}", flush=True)
                continue
            made += 1
            acknowledged += result["acknowledged"]
            broken += bool(result["violations"])
            print_result(name, result)
        check = run_command([options.binary, "check", "--database-url", world.url(SERVICE)], check=False)
        polls = world.poller.polls
    print(f"{made} faults, {acknowledged} requests acknowledged, {polls} recounts, {broken} faults with something broken, "
          f"{time.monotonic() - start:.0f} s; leads-crm check: {check}", flush=True)
    return 1 if broken else 0


def print_result(name, result):
    p99 = "-" if result["p99"] is None else f"{result['p99']:.0f}"
    broken = sorted({violation.invariant for violation in result["violations"]})
    print(f"{name:24}{result['seconds']:6.1f}{result['acknowledged']:10}{result['back']:8.1f}{p99:>8}  "
          f"{', '.join(broken) + ' broken' if broken else 'ok'}", flush=True)
    for invariant in broken:
        texts = [violation.text for violation in result["violations"] if violation.invariant == invariant]
        for text in texts[:5]:
            print(f"    {invariant} {text}")
        if len(texts) > 5:
            print(f"    {invariant} … and {len(texts) - 5} more", flush=True)
