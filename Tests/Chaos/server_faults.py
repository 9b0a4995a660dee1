"""Faults of PostgreSQL: killed, restarted, failed over, out of connections or disk, and sessions that are ended."""

import os
import pathlib
import signal
import time

from faults import fault
from postgres import SERVICE
from processes import processes_below, wait_until
from watch import PLACES
from world import Skip


@fault("backend-killed")
def backend_killed(world, rng):
    """kill -9 of an instance's backend, after which PostgreSQL restarts all of them; concerns all."""
    world.begin()
    os.kill(world.waiting_backend(f"application_name = '{rng.choice(world.instances).name}'"), signal.SIGKILL)
    wait_until("PostgreSQL is back", lambda: world.cluster.primary.ask("SELECT 1", check=False) == "1")


@fault("postmaster-killed")
def postmaster_killed(world, rng):
    """kill -9 of the postmaster, which is started again; concerns all."""
    world.begin()
    world.cluster.primary.stop(signal.SIGKILL)
    world.cluster.primary.start()


@fault("immediate-stop")
def immediate_stop(world, rng):
    """An immediate stop of the primary for some seconds; concerns all."""
    world.begin()
    world.cluster.primary.stop(signal.SIGQUIT)
    world.last(world.length(2, rng.uniform(2, 8)))
    world.cluster.primary.start()


@fault("stopped-server")
def stopped_server(world, rng):
    """SIGSTOP of the postmaster and every backend: PostgreSQL neither answers nor closes; concerns all."""
    world.begin()
    everyone = processes_below(world.cluster.primary.data)
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    try:
        world.last(world.length(7, 12))
    finally:
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)


def in_a_loop(world, rng, function):
    """Calls a function on the instances' backends, some times a second."""
    world.begin()
    end = time.monotonic() + world.length(3, 8)
    with world.cluster.primary.session() as session:
        while time.monotonic() < end:
            session.run(f"SELECT {function}(pid) FROM pg_stat_activity WHERE usename = '{SERVICE}' AND random() < 0.5")
            world.last(rng.uniform(0.02, 0.3))


@fault("terminate-loop", short=True)
def terminate_loop(world, rng):
    """Backends terminated in a loop; concerns all."""
    in_a_loop(world, rng, "pg_terminate_backend")


@fault("cancel-loop")
def cancel_loop(world, rng):
    """Statements cancelled in a loop, COMMITs that wait for the standby too; concerns all."""
    in_a_loop(world, rng, "pg_cancel_backend")


def lose_commits(world):
    """The standby goes, COMMITs wait for it, and their backends are terminated: durable here, not there."""
    world.cluster.standby.stop(signal.SIGQUIT)
    for _ in range(2):
        world.waiting_backend("wait_event = 'SyncRep'")
        world.calls_off()
    # Long enough for an instance to connect again and look what became of its batch.
    world.last(1)


@fault("lost-commits")
def lost_commits(world, rng):
    """COMMITs wait for a standby that is away, their backends are terminated, the standby comes back; concerns all."""
    world.begin()
    lose_commits(world)
    world.cluster.standby.start()
    world.cluster.wait_for_standby("streaming")


def fail_over(world, rng):
    """The primary is killed, the standby promoted, and the old primary becomes its standby."""
    world.cluster.primary.stop(signal.SIGKILL)
    world.cluster.fail_over()
    world.over()
    world.cluster.rejoin(rewind=rng.random() < 0.5)


@fault("failover")
def failover(world, rng):
    """The primary dies, the standby takes over, the old primary comes back as a standby; concerns all."""
    world.begin(bound=10)
    fail_over(world, rng)


@fault("failover-lost-commits", short=True)
def failover_lost_commits(world, rng):
    """As failover, after COMMITs that the standby never saw were terminated; concerns all."""
    world.begin(bound=10)
    lose_commits(world)
    fail_over(world, rng)


@fault("two-clocks")
def two_clocks(world, rng):
    """A primary whose clock is two minutes ahead dies, and one with the right time takes over; concerns all."""
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if not library:
        raise Skip("faketime is not installed")
    primary = world.cluster.primary
    primary.stop()
    primary.environment = {"LD_PRELOAD": str(library), "FAKETIME": "+2m", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    primary.start()
    # The sweep does its work, and writes down when it is due again.
    free_place(world)
    wait_until("the sweep lets somebody in", lambda: not world.cluster.rows(PLACES))
    world.begin(bound=10)
    world.last(1)
    primary.environment = {}
    fail_over(world, rng)
    # It must find this place too, though it is due in what is now the future.
    world.afterwards.append(lambda: free_place(world))


def free_place(world):
    """Closes a contact by hand at a desk where others wait."""
    world.by_hand.add(int(world.cluster.sql(
        "UPDATE contacts SET status = 'closed' WHERE id = (SELECT min(id) FROM contacts WHERE status = 'active' "
        f"AND source_id = {world.desk('narrow').source} AND operator_id IS NOT NULL) RETURNING id")))


@fault("no-connections")
def no_connections(world, rng):
    """The instances are let in four times at most (53300), when all of them have to connect again; concerns all."""
    world.begin()
    world.afterwards.append(lambda: world.cluster.sql(f"ALTER ROLE {SERVICE} CONNECTION LIMIT -1"))
    world.cluster.sql(f"ALTER ROLE {SERVICE} CONNECTION LIMIT 4")
    world.calls_off()
    world.last(world.length(3, 8))
    world.cluster.sql(f"ALTER ROLE {SERVICE} CONNECTION LIMIT -1")


@fault("checkpoints")
def checkpoints(world, rng):
    """One CHECKPOINT after another; concerns nobody."""
    world.begin([])
    end = time.monotonic() + world.length(3, 10)
    with world.cluster.primary.session() as session:
        while time.monotonic() < end:
            session.run("CHECKPOINT")
