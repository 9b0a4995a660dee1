"""Faults of the network between an instance and PostgreSQL."""

from faults import fault
from instances import REQUEST_TIMEOUT
from proxy import COMMIT, IN_TRANSACTION, wait_for


@fault("black-hole", short=True)
def black_hole(world, rng):
    """The network goes silent in both directions in the middle of a second flight; concerns the instance's clients."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    wait_for(victim.proxy.set_trap("up", COMMIT, 0.5, "hold"))
    victim.proxy.silent = {"up", "down"}
    world.last(world.length(6, 12))
    victim.proxy.restore()


def at_one(world, rng, strike, seconds):
    """Strikes the network of one instance for so long; concerns its clients."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    strike(victim.proxy)
    world.last(seconds)
    victim.proxy.restore()


def repeatedly(world, rng, *trap):
    """Lets a trap spring again and again, at every instance; concerns all."""
    world.begin()
    for _ in range(world.length(5, 20)):
        wait_for(rng.choice(world.instances).proxy.set_trap(*trap))


@fault("silent-idle")
def silent_idle(world, rng):
    """The network goes silent in both directions at any moment; concerns the instance's clients."""
    at_one(world, rng, lambda proxy: setattr(proxy, "silent", {"up", "down"}), world.length(6, 12))


@fault("half-open-up")
def half_open_up(world, rng):
    """What the instance sends does not arrive; concerns its clients."""
    at_one(world, rng, lambda proxy: setattr(proxy, "silent", {"up"}), world.length(6, 12))


@fault("half-open-down")
def half_open_down(world, rng):
    """What PostgreSQL answers does not arrive; concerns the instance's clients."""
    at_one(world, rng, lambda proxy: setattr(proxy, "silent", {"down"}), world.length(6, 12))


@fault("latency")
def latency(world, rng):
    """Each chunk to and from one instance is late, by 5 to 40 ms; concerns all, who wait for the gate in its hands."""
    def slow_down(proxy):
        proxy.latency, proxy.jitter = 0.005, 0.035
    victim = rng.choice(world.instances)
    world.begin()
    slow_down(victim.proxy)
    world.last(world.length(3, 10))
    victim.proxy.restore()


@fault("resets")
def resets(world, rng):
    """All connections of one instance reset, some times a second; concerns its clients."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    for _ in range(world.length(10, 40)):
        victim.proxy.cut()
        world.last(rng.uniform(0.02, 0.4))


@fault("cut-before-commit")
def cut_before_commit(world, rng):
    """The connection is reset when COMMIT is sent, before the server has it; concerns all."""
    repeatedly(world, rng, "up", COMMIT, 0, "cut")


@fault("cut-in-commit")
def cut_in_commit(world, rng):
    """The connection is reset when the server has COMMIT and has not answered; concerns all."""
    repeatedly(world, rng, "up", COMMIT, 1, "cut")


@fault("cut-after-commit")
def cut_after_commit(world, rng):
    """The connection is reset when the server has answered COMMIT, before the instance knows; concerns all."""
    repeatedly(world, rng, "down", COMMIT, 0, "cut")


@fault("cut-in-result")
def cut_in_result(world, rng):
    """The connection is reset in the middle of a result; concerns all."""
    repeatedly(world, rng, "down", IN_TRANSACTION, 0.5, "cut")


def vanish(world, victim, pattern):
    """The network is cut when the server has answered, and lets nobody in for longer than requests wait."""
    world.begin([victim])
    wait_for(victim.proxy.set_trap("down", pattern, 0, "vanish"))
    world.last(REQUEST_TIMEOUT + 1.5)
    victim.proxy.restore()


@fault("away-after-commit")
def away_after_commit(world, rng):
    """After an answer to COMMIT that the instance never saw, no connection comes about; concerns its clients."""
    vanish(world, rng.choice(world.instances), COMMIT)


@fault("away-after-update")
def away_after_update(world, rng):
    """After an answer to a change beside the lane, no connection comes about; concerns the instance's clients."""
    victim = rng.choice(world.instances)
    # The description that a reader gives to its source comes back with the answer.
    vanish(world, victim, f"reader-{victim.name}-".encode())
