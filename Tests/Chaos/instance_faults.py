"""Faults of instances: killed, stopped in each state of the lane, ended in order, without the gate."""

import signal
import threading

from faults import fault
from processes import wait_until
from proxy import COMMIT, IN_TRANSACTION, wait_for

LARGE = b"large-"
"""What the message of a large contact begins with."""


def holds_gate(world, instance):
    return world.cluster.sql(
        "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE l.granted "
        f"AND l.relation = 'assignment_gate'::regclass AND a.application_name = '{instance.name}'") == "1"


def stopped(world, instance):
    """The instance stands still for a time, with the gate in its hands; it concerns nobody but its own clients."""
    if not holds_gate(world, instance):
        raise RuntimeError(f"{instance.name} does not hold the gate")
    world.last(world.length(5, 8))
    world.thaw(instance)


@fault("kill-one", short=True)
def kill_one(world, rng):
    """kill -9 of one instance, which comes back after a second; concerns its clients."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    world.end(victim)
    world.last(1)
    world.restart(victim)


@fault("kill-in-turn")
def kill_in_turn(world, rng):
    """kill -9 of one instance after another; concerns all in the end."""
    world.begin()
    for victim in rng.sample(world.instances, 3):
        world.end(victim)
        world.last(rng.uniform(0.2, 1))
        world.restart(victim)


@fault("kill-all")
def kill_all(world, rng):
    """kill -9 of all instances at once."""
    world.begin()
    for victim in world.instances:
        victim.send(signal.SIGKILL)
    for victim in world.instances:
        world.end(victim)
    world.restart(*world.instances)


@fault("stop-at-gate")
def stop_at_gate(world, rng):
    """SIGSTOP of an instance that waits at the gate, which it then gets; concerns its clients."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    with world.cluster.primary.session() as holder:
        holder.run("BEGIN; LOCK TABLE assignment_gate IN EXCLUSIVE MODE")
        world.waiting_backend(f"application_name = '{victim.name}' AND wait_event = 'relation'", limit=3)
        world.freeze(victim)
    # Others may come before it.
    wait_until(f"{victim.name} gets the gate", lambda: holds_gate(world, victim), limit=3)
    stopped(world, victim)


@fault("stop-between-flights", short=True)
def stop_between_flights(world, rng):
    """SIGSTOP of an instance with the gate in its hands, idle in its transaction; concerns its clients."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    wait_for(victim.proxy.set_trap("down", IN_TRANSACTION, 0, "hold", skip=rng.randrange(2)))
    world.freeze(victim)
    victim.proxy.restore()
    stopped(world, victim)


@fault("stop-sending")
def stop_sending(world, rng):
    """SIGSTOP of an instance that has sent half of its second flight; concerns its clients."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    wait_for(victim.proxy.set_trap("up", COMMIT, 0.5, "hold"))
    world.freeze(victim)
    stopped(world, victim)
    victim.proxy.restore()


@fault("stop-reading")
def stop_reading(world, rng):
    """SIGSTOP of an instance to which PostgreSQL sends a large result, with the gate in its hands; concerns its clients."""
    victim = rng.choice(world.instances)
    contact = insert_large(world)
    world.begin([victim])
    victim.proxy.set_trap("down", LARGE, 0.5, "hold")
    threading.Thread(target=close_contact, args=(victim, contact), daemon=True).start()
    world.waiting_backend(f"application_name = '{victim.name}' AND wait_event = 'ClientWrite'")
    world.freeze(victim)
    stopped(world, victim)
    victim.proxy.restore()


def insert_large(world):
    """Inserts a contact by hand whose message is larger than all buffers on its way; it goes before the checks."""
    contact = world.cluster.sql(
        "WITH l AS (INSERT INTO leads (name) VALUES ('Large') RETURNING id) "
        "INSERT INTO contacts (lead_id, source_id, message) "
        f"SELECT id, {world.desk('calm').source}, '{LARGE.decode()}' || repeat('x', 16 << 20) FROM l RETURNING id")
    world.afterwards.append(lambda: world.cluster.sql(
        f"DELETE FROM contacts WHERE id = {contact}; DELETE FROM contact_events WHERE contact_id = {contact}"))
    return contact


def close_contact(instance, contact):
    try:
        instance.call("PATCH", f"/api/v1/contacts/{contact}", {"status": "closed"})
    except (OSError, RuntimeError):
        pass  # the instance stands still: what matters is what it had begun


@fault("stop-in-commit")
def stop_in_commit(world, rng):
    """SIGSTOP of an instance whose COMMIT waits for the standby, which stands still too; concerns all."""
    victim = rng.choice(world.instances)
    world.begin()
    world.cluster.standby.stop(signal.SIGQUIT)
    world.waiting_backend(f"application_name = '{victim.name}' AND wait_event = 'SyncRep'")
    world.freeze(victim)
    world.cluster.standby.start()
    world.cluster.wait_for_standby("streaming")
    world.last(1)
    world.thaw(victim)


@fault("sigterm")
def sigterm(world, rng):
    """SIGTERM under load; concerns the instance's clients. It answers what it has and ends in order."""
    victim = rng.choice(world.instances)
    world.begin([victim])
    world.end(victim, signal.SIGTERM)
    if victim.process.returncode != 0:
        world.find("I5", f"{victim.name} ended with {victim.process.returncode} after SIGTERM")
    world.restart(victim)


@fault("gate-off")
def gate_off(world, rng):
    """ASSIGNMENT_GATE=off everywhere, and SIGSTOP of an instance between its flights; concerns its clients."""
    def last_event():
        return int(world.cluster.sql("SELECT max(id) FROM contact_events"))
    world.with_settings(world.instances, ASSIGNMENT_GATE="off")
    # Until the fault is over the numbers of events are not the order of commits.
    period = [last_event(), float("inf")]
    world.unguarded.append(period)
    world.afterwards.append(lambda: period.__setitem__(1, last_event()))
    victim = rng.choice(world.instances)
    world.begin([victim])
    wait_for(victim.proxy.set_trap("down", IN_TRANSACTION, 0, "hold", skip=1))
    world.freeze(victim)
    world.last(world.length(5, 8))
    world.thaw(victim)


@fault("moves")
def moves(world, rng):
    """20,000 moves by transfer, close and reopen through all instances; concerns nobody."""
    amount = world.length(1000, 20_000)
    world.only_moves = True
    world.begin([])
    world.set_pace(0)
    target = world.count() + amount
    try:
        wait_until(f"{amount} moves are made", lambda: world.count() >= target, limit=600, pause=0.2)
    finally:
        world.only_moves = False
