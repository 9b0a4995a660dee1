"""All invariants, checked on what the clients have written down and the database has, when all is quiet."""

import contextlib

import invariants
import watch
from clients import read_logs
from instances import DATABASE_POOL, SWEEP_INTERVAL
from invariants import Event, Row, Violation
from postgres import SERVICE
from processes import wait_until


class Checks:
    """Made when all is quiet and everything was in use once: what is held then is what may be held later."""

    def __init__(self, world):
        self.world = world
        self.reported = {}
        measured = []

        def is_steady():
            # The connections of the clients, which are closed, go one after another.
            measured.append([instance.resources() for instance in world.instances])
            return len(measured) > 1 and measured[-1] == measured[-2]
        wait_until("the instances are quiet", is_steady, pause=0.5)
        self.before = {resource: max(each[resource] for each in measured[-1]) for resource in measured[-1][0]}
        self.before["connections"] = len(world.instances) * (DATABASE_POOL + 2)

    def run(self):
        """Answers what is broken and was not reported before, and of the last fault the seconds until the service was back
        and the p99 of those not concerned."""
        world = self.world
        violations = world.findings + self.check_places()
        rows, events, descriptions = self.read()
        records = read_logs(world.home)
        violations += invariants.check_contacts(records, rows, events, world.foreign, world.by_hand)
        violations += invariants.check_descriptions(records, descriptions)
        violations += invariants.check_overtaking(events, records, world.unguarded, world.locked)
        violations += [Violation("I2", text) for text in sorted(world.poller.found)]
        violations += [Violation("I2", text) for [text] in world.cluster.rows("SELECT what FROM chaos.violations")]
        back, p99 = 0, None
        if world.window and world.window.end:
            found, back, p99 = invariants.check_service(records, world.window, world.options.p99)
            violations += found
        violations += invariants.check_answers(records, world.pauses)
        violations += self.check_resources()
        self.give_back(rows)
        new = []
        for violation in violations:
            key = violation.invariant, violation.subject or violation.text
            if key not in self.reported:
                self.reported[key] = violation
                new.append(violation)
        return new, back, p99

    def give_back(self, rows):
        """What was set aside until it was checked may be worked at again."""
        statuses = {row.id: row.status for row in rows}
        for desk in self.world.desks:
            desk.take_back(statuses)
        for reader in self.world.readers:
            reader.is_sure = True

    def check_places(self):
        """I3: whoever waits beside room is let in within the interval of the sweep, and a bit."""
        with contextlib.suppress(TimeoutError):
            wait_until(
                "nobody waits beside room", lambda: not self.world.cluster.rows(watch.PLACES), SWEEP_INTERVAL + 1.5)
        return [Violation("I3", text) for [text] in self.world.cluster.rows(watch.PLACES)]

    def check_resources(self):
        """I7: nothing more is held than before."""
        def left():
            after = {instance.name: instance.resources() for instance in self.world.instances}
            [[connections]] = self.world.cluster.rows(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{SERVICE}'")
            after["PostgreSQL"] = {"connections": int(connections)}
            return invariants.check_resources(self.before, after)
        with contextlib.suppress(TimeoutError):
            wait_until("nothing is left behind", lambda: not left(), limit=5)
        return left()

    def read(self):
        """All contacts, all events, and the descriptions of the readers' sources, as they are at one moment: a request
        whose client has given up may still be under way."""
        def number(text):
            return int(text) if text else None
        with self.world.cluster.primary.session(name="checks") as session:
            def read(query):
                return [line.split("|") for line in session.run(query)]
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            rows = [Row(int(i), token, int(source), number(operator), status) for i, token, source, operator, status in
                    read("SELECT id, message, source_id, operator_id, status FROM contacts ORDER BY id")]
            events = [Event(int(i), int(contact), int(source), number(operator), status) for
                      i, contact, source, operator, status in
                      read("SELECT id, contact_id, source_id, operator_id, status FROM contact_events ORDER BY id")]
            descriptions = {int(source): text for source, text in read(
                "SELECT id, description FROM sources WHERE name LIKE 'described by %'")}
        return rows, events, descriptions
