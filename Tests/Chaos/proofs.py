"""Shows that each invariant's check catches a wrong that is put in by hand: on made-up values, and on what runs."""

import copy
import json
import random
import socket
import time

import invariants
from invariants import Event, Row, Window
from postgres import SERVICE
from world import World

# MARK: - On values


def record(kind, token, number, status=200, code=None, **facts):
    return {"client": "c", "desk": "hot", "instance": "i1", "kind": kind, "token": token, "status": status,
            "code": code, "started": float(number), "ended": number + 0.01, **facts}


class Picture:
    """A few requests, and what is left of them, in which all is well."""

    def __init__(self):
        self.records = [
            record("register", "a", 1, 201, contact=1, operator=1, became="active"),
            record("register", "b", 2, 201, contact=2, operator=None, became="active"),
            record("close", "a", 3, contact=1, operator=1, became="closed"),
            record("register", "refused", 4, 503, "deadline"),
            record("register", "lost", 5, 0, "lost"),
            record("close", "b", 6, 503, "deadline", contact=2),
            record("reopen", "a", 7, contact=1, operator=None, became="active"),
            record("register", "d", 8, 201, contact=4, operator=None, became="active"),
            record("transfer", "d", 9, contact=4, operator=3, became="active"),
            record("describe", "first", 10, source=9), record("describe", "second", 11, 503, "deadline", source=9),
            record("read", None, 11.5), record("register", "refused too", 11.6, 503, "deadline", instance="i2")]
        self.rows = [Row(1, "a", 5, None, "active"), Row(2, "b", 5, 1, "active"), Row(3, "lost", 5, 2, "active"),
                     Row(4, "d", 5, 3, "active")]
        self.events = [
            Event(1, 1, 5, 1, "active"), Event(2, 2, 5, None, "active"), Event(3, 1, 5, 1, "closed"),
            Event(4, 2, 5, 1, "active"), Event(5, 3, 5, 2, "active"), Event(6, 1, 5, None, "active"),
            Event(7, 4, 5, None, "active"), Event(8, 4, 5, 3, "active")]
        self.descriptions = {9: "first"}
        self.window = Window(0, 8.5, 3, {"i1", "i2"}, set(), False)
        self.resources = {"i1": {"descriptors": 20, "threads": 10, "memory": 40}}

    def check(self):
        return {
            violation.invariant for violation in
            invariants.check_contacts(self.records, self.rows, self.events)
            + invariants.check_descriptions(self.records, self.descriptions)
            + invariants.check_overtaking(self.events, self.records)
            + invariants.check_service(self.records[:-1], self.window, 100)[0]
            + invariants.check_answers(self.records, [])
            + invariants.check_resources({"descriptors": 20, "threads": 10, "memory": 40}, self.resources)}

    def change(self, number, **facts):
        self.records[number] |= facts


WRONGS_IN_VALUES = {
    "an acknowledged contact is missing": ("I1", lambda p: (p.rows.pop(1), p.events.pop(3), p.events.pop(1))),
    "an acknowledged contact is there twice": ("I1", lambda p: p.rows.append(Row(9, "a", 5, 1, "active"))),
    "it has another operator than was answered": ("I1", lambda p: p.change(0, operator=2)),
    "it was closed by nobody": ("I1", lambda p: (
        p.rows.__setitem__(3, Row(4, "d", 5, 3, "closed")), p.events.append(Event(9, 4, 5, 3, "closed")))),
    "it is not what its last event says": ("I1", lambda p: p.rows.__setitem__(2, Row(3, "lost", 5, 1, "active"))),
    "a contact comes from nowhere": ("I1", lambda p: (
        p.rows.append(Row(9, "who?", 5, 1, "active")), p.events.append(Event(9, 9, 5, 1, "active")))),
    "a younger contact was served first": ("I3", lambda p: p.events.insert(2, Event(2, 7, 5, 2, "active"))),
    "a refused registration was made": ("I4", lambda p: (
        p.rows.append(Row(9, "refused", 5, 1, "active")), p.events.append(Event(9, 9, 5, 1, "active")))),
    "a lost registration was made twice": ("I4", lambda p: p.rows.append(Row(9, "lost", 5, 1, "active"))),
    "a refused close was made": ("I4", lambda p: (
        p.rows.__setitem__(1, Row(2, "b", 5, 1, "closed")), p.events.append(Event(9, 2, 5, 1, "closed")))),
    "a refused description was written": ("I4", lambda p: p.descriptions.update({9: "second"})),
    "an instance is away for too long": (
        "I5", lambda p: p.records.insert(11, record("register", "z", 12, 503, "deadline"))),
    "who is not concerned is away": ("I5", lambda p: setattr(
        p, "window", Window(0, 8.5, 3, set(), {"calm"}, True))),
    "an answer is 500": ("I6", lambda p: p.change(11, status=500)),
    "an answer is late": ("I6", lambda p: p.change(11, ended=11.5 + invariants.ANSWER_LIMIT + 0.1)),
    "descriptors are left": ("I7", lambda p: p.resources["i1"].update(descriptors=30)),
    "threads are left": ("I7", lambda p: p.resources["i1"].update(threads=30)),
    "memory is left": ("I7", lambda p: p.resources["i1"].update(memory=400)),
}


def prove_values():
    """Answers what was not caught, or caught where nothing was wrong."""
    if found := Picture().check():
        return [f"nothing is wrong, and {', '.join(sorted(found))} says so"]
    missed = []
    for wrong, (invariant, put_in) in WRONGS_IN_VALUES.items():
        picture = copy.deepcopy(Picture())
        put_in(picture)
        if invariant not in picture.check():
            missed.append(f"{invariant} does not see that {wrong}")
    return missed


# MARK: - On what runs


def delete_acknowledged(world):
    closed = world.desk("calm").closed.pop()
    world.cluster.sql(f"SET session_replication_role = replica; DELETE FROM contacts WHERE id = {closed.id}")


def change_counter(world):
    for change in ("+ 1", "- 1"):
        world.cluster.sql(
            f"SET session_replication_role = replica; UPDATE operators SET current_load = current_load {change} "
            "WHERE name = 'c1'")
        # Long enough for the poller to look.
        time.sleep(0.4)


def overtake(world):
    """A contact is closed by hand and a younger one put in its place in the same transaction, past those who wait."""
    narrow = world.desk("narrow")
    [[closed]] = world.cluster.rows(
        f"SELECT min(id) FROM contacts WHERE source_id = {narrow.source} AND status = 'active' AND operator_id IS NOT NULL")
    world.by_hand.add(int(closed))
    world.foreign.add("overtaker")
    world.cluster.sql(
        f"BEGIN; UPDATE contacts SET status = 'closed' WHERE id = {closed}; "
        "INSERT INTO contacts (lead_id, source_id, operator_id, message) "
        f"SELECT lead_id, source_id, operator_id, 'overtaker' FROM contacts WHERE id = {closed}; COMMIT")


def leave_place(world):
    """Room is made by hand while every instance stands still."""
    for instance in world.instances:
        world.freeze(instance)
    world.cluster.sql("UPDATE operators SET max_load = max_load + 1 WHERE name = 'n1'")


def forge(world, **facts):
    """Adds a false answer to a client's log: of one of its acknowledged registrations."""
    path = next(world.home.glob("beside-*-patient.jsonl"))
    true = next(r for r in map(json.loads, path.open()) if r["kind"] == "register" and r["status"] == 201)
    with path.open("a") as file:
        file.write(json.dumps(true | facts) + "\n")


def stop_too_long(world, rng):
    """SIGSTOP of an instance that is said to concern nobody."""
    world.begin([])
    world.freeze(world.instances[0])
    world.last(5)
    world.thaw(world.instances[0])


def leak_connection(world):
    sessions = [world.cluster.primary.session(SERVICE) for _ in range(3)]
    world.afterwards += [session.close for session in sessions]
    for session in sessions:
        session.run("SELECT 1")


def leak_descriptors(world):
    for _ in range(10):
        leaked = socket.create_connection(("127.0.0.1", world.instances[0].port))
        world.afterwards.append(leaked.close)


WRONGS = {
    "an acknowledged contact is deleted": ("I1", delete_acknowledged),
    "a counter is changed, and changed back": ("I2", change_counter),
    "a younger contact is served first": ("I3", overtake),
    "a place is free beside one who waits": ("I3", leave_place),
    "a log says \"nothing changed\" of a contact that is there": (
        "I4", lambda world: forge(world, status=503, code="deadline")),
    "a log has a 500": ("I6", lambda world: forge(world, status=500, code="internal_error")),
    "a log has a late answer": ("I6", lambda world: forge(world, started=0, ended=invariants.ANSWER_LIMIT + 0.1)),
    "connections are left open": ("I7", leak_connection),
    "descriptors are left open": ("I7", leak_descriptors),
}


def run(options):
    """Puts each wrong in. Answers the exit status."""
    missed = prove_values()
    print(f"{len(WRONGS_IN_VALUES)} wrongs in values, {len(missed)} not caught", flush=True)
    with World(options) as world:
        found = world.checks.run()[0]
        missed += [f"nothing is wrong, and there is {violation}" for violation in found]
        result = world.run_fault(stop_too_long, random.Random(options.seed))
        tell(missed, "an instance is stopped for too long", "I5", result["violations"])
        for wrong, (invariant, put_in) in WRONGS.items():
            put_in(world)
            tell(missed, wrong, invariant, world.checks.run()[0])
            world.mend()
        # Both watchers of the counters must have seen it.
        for text in ("a commit left", "has current_load"):
            if not any(v.invariant == "I2" and text in v.text for v in world.checks.reported.values()):
                missed.append(f"no violation of I2 says {text!r}")
    for text in missed:
        print(f"not proved: {text}")
    return 1 if missed else 0


def tell(missed, wrong, invariant, violations):
    texts = [violation.text for violation in violations if violation.invariant == invariant]
    print(f"{invariant} {wrong}: {texts[0] if texts else 'NOT CAUGHT'}", flush=True)
    if not texts:
        missed.append(f"{invariant} does not see that {wrong}")
