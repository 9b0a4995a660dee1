"""What must hold, as pure functions of what clients wrote down and what the database has.

I1 each acknowledged contact is there exactly once, as answered or as its recorded moves explain
I2 current_load is the number of active contacts, and at most max_load
I3 no place is free beside somebody who could take it, and nobody was overtaken
I4 "nothing changed" changed nothing; "unknown" left 0 or 1
I5 the service is back in time, and who is not concerned is never away
I6 no 5xx but 503 and 504, each in time
I7 no connection, thread, descriptor or memory is left behind

Each check answers violations; none found is an empty list.
"""

import collections
import heapq

from instances import REQUEST_TIMEOUT

Violation = collections.namedtuple("Violation", "invariant text subject", defaults=[None])
"""`subject` is the contact, if one violation of it explains those that follow."""
Row = collections.namedtuple("Row", "id token source operator status")
Event = collections.namedtuple("Event", "id contact source operator status")

ANSWER_LIMIT = REQUEST_TIMEOUT + 0.7


def outcome(record):
    """What the client knows after a request: `done`, `nothing` changed, or `unknown`."""
    status, code = record["status"], record["code"]
    if status in (200, 201):
        return "done"
    if code == "unreachable" or 400 <= status < 500 or status == 503 and code != "outcome_unknown":
        return "nothing"
    return "unknown"


def is_served(record):
    return 0 < record["status"] < 500


def label(record):
    words = [record["kind"], record.get("token"), "by", record["client"], record["status"], record["code"]]
    return " ".join(str(word) for word in words if word is not None)


# I1 and I4


def change(before, event):
    """What an event did to a contact, by the name of the request that asks for that."""
    if before.status != event.status:
        return "close" if event.status == "closed" else "reopen"
    return "admission" if before.operator is None else "transfer" if event.operator is not None else "removal"


def check_contacts(records, rows, events, foreign=frozenset(), by_hand=frozenset()):
    """I1 and I4. `foreign` are tokens of contacts that the harness itself inserted, `by_hand` contacts that it changed."""
    found = collections.defaultdict(list)
    for row in rows:
        found[row.token].append(row)
    history = collections.defaultdict(list)
    for event in events:
        history[event.contact].append(event)
    requests = collections.defaultdict(list)
    violations, registered = [], set()
    for record in records:
        if record["kind"] in ("register", "close", "reopen", "transfer"):
            requests[record["token"]].append(record)
    for token, asked in requests.items():
        there = found[token]
        for record in asked:
            if record["kind"] != "register":
                continue
            registered.add(token)
            allowed = {"done": {1}, "nothing": {0}, "unknown": {0, 1}}[outcome(record)]
            if len(there) not in allowed:
                invariant = "I1" if outcome(record) == "done" else "I4"
                violations.append(Violation(invariant, f"{label(record)} is there {len(there)} times"))
            elif outcome(record) == "done" and there[0].id != record["contact"]:
                violations.append(Violation("I1", f"{label(record)} was answered as {record['contact']}, is {there[0].id}"))
        if len(there) == 1 and there[0].id not in by_hand:
            violations += check_history(there[0], history[there[0].id], asked)
    for token in found.keys() - registered - foreign:
        violations.append(Violation("I1", f"nobody registered {token}"))
    return violations


def check_history(row, events, asked):
    """Whether the events of one contact explain its answers and nothing but its requests explains its events."""
    name = f"contact {row.id} ({row.token})"
    if not events or (events[-1].operator, events[-1].status) != (row.operator, row.status):
        return [Violation("I1", f"{name} is not what its last event says", row.id)]
    place = 0
    for record in asked:
        if outcome(record) == "done":
            answered = (record["operator"], record["became"])
            end = 1 if record["kind"] == "register" else len(events)
            place = next((i for i in range(place, end) if events[i][3:] == answered), None)
            if place is None:
                return [Violation("I1", f"{name}: no event explains the answer to {label(record)}: {answered}", row.id)]
    violations = []
    changes = collections.Counter(change(*pair) for pair in zip(events, events[1:]))
    for kind in changes.keys() - {"admission"}:
        outcomes = collections.Counter(outcome(record) for record in asked if record["kind"] == kind)
        if changes[kind] > outcomes["done"] + outcomes["unknown"]:
            violations.append(Violation(
                "I4" if outcomes["nothing"] else "I1",
                f"{name}: {changes[kind]} times {kind}, asked for and not refused {outcomes['done'] + outcomes['unknown']}",
                row.id))
    return violations


def check_descriptions(records, descriptions):
    """I4 beside the lane: a source has the description that was acknowledged last, or one whose outcome is unknown."""
    violations = []
    for source, description in descriptions.items():
        asked = [record for record in records if record["kind"] == "describe" and record["source"] == source]
        done = [record["token"] for record in asked if outcome(record) == "done"]
        possible = {record["token"] for record in asked if outcome(record) == "unknown"} | {done[-1] if done else ""}
        if description not in possible:
            refused = [record for record in asked if record["token"] == description and outcome(record) == "nothing"]
            violations.append(
                Violation("I4", f"{label(refused[0])} changed source {source}") if refused
                else Violation("I1", f"source {source} has lost its description, and has {description!r}"))
    return violations


# I3


def check_overtaking(events, records, excepted=(), locked=frozenset()):
    """I3: at one source nobody gets an operator while an older contact waits.

    Only those that waited since they were registered count as waiting: who is reopened in the transaction in which
    another one is let in does not come before. Only those that were neither transferred nor reopened count as
    overtaking. `excepted` are ranges of events written without the gate, whose numbers are not the order of commits;
    `locked` are contacts that somebody else kept locked: nobody could give them to anybody.
    """
    chosen = {record["contact"] for record in records if record["kind"] in ("transfer", "reopen") and record.get("contact")}
    waiting, queues = set(), collections.defaultdict(list)
    last, violations = {}, []
    for event in events:
        before = last.get(event.contact)
        last[event.contact] = event
        comes = before is None
        waits = event.status == "active" and event.operator is None
        is_excepted = any(start < event.id <= end for start, end in excepted)
        if event.operator is not None and event.status == "active" and event.contact not in chosen and not is_excepted:
            queue = queues[event.source]
            while queue and queue[0] not in waiting:
                heapq.heappop(queue)
            if queue and queue[0] < event.contact and (comes or before.operator is None and before.status == "active"):
                violations.append(Violation("I3", (
                    f"contact {event.contact} got operator {event.operator} while {queue[0]} waited at source "
                    f"{event.source}")))
        if comes and waits and not is_excepted and event.contact not in locked:
            waiting.add(event.contact)
            heapq.heappush(queues[event.source], event.contact)
        elif not waits:
            waiting.discard(event.contact)
    return violations


# I5


Window = collections.namedtuple("Window", "begin end bound instances desks locks")
"""A fault from `begin` to `end`. `bound`: seconds until the service must be back. `instances`, `desks`: whose clients it
concerns; `locks`: it locks rows only, so that nobody else is ever away."""


def is_concerned(record, window):
    return record["instance"] in window.instances or record["desk"] in window.desks


def check_service(records, window, p99_limit):
    """I5. Answers the violations, the seconds until the last client was served, and the p99 in milliseconds of those who
    are not concerned (`None`: everybody is)."""
    violations, longest, latencies = [], 0, []
    keys = collections.defaultdict(list)
    for record in records:
        if record["desk"] and record["started"] >= window.begin:
            keys[record["desk"], record["instance"]].append(record)
    for (desk, instance), asked in sorted(keys.items()):
        concerned = is_concerned(asked[0], window)
        start = window.end if concerned else window.begin
        limit = start + (0 if window.locks and not concerned else window.bound)
        asked = [record for record in asked if record["started"] >= start]
        failed = [record for record in asked if not is_served(record)]
        served = [record for record in asked if is_served(record)]
        if failed:
            longest = max(longest, min((r["ended"] for r in served if r["started"] > failed[-1]["started"]),
                                       default=failed[-1]["ended"]) - start)
        if late := [record for record in failed if record["started"] > limit]:
            violations.append(Violation("I5", (
                f"{desk} at {instance}: {len(late)} requests failed later than {limit - start:.0f} s after the fault's "
                f"{'end' if concerned else 'beginning'}, the last one sent {late[-1]['started'] - start:.1f} s after it: "
                f"{late[-1]['status']} {late[-1]['code']}")))
        elif not served:
            violations.append(Violation("I5", f"{desk} at {instance}: no request was served"))
        if not concerned:
            latencies += [record["ended"] - record["started"] for record in asked if record["started"] <= window.end]
    p99 = sorted(latencies)[int(len(latencies) * 0.99)] * 1e3 if latencies else None
    if window.locks and p99 is not None and p99 > p99_limit:
        violations.append(Violation("I5", f"p99 of those not concerned is {p99:.0f} ms, more than {p99_limit} ms"))
    return violations, longest, p99


# I6 and I7


def check_answers(records, pauses):
    """I6. `pauses` are times in which an instance stood still or was away: what overlaps with them says nothing of it."""
    violations = []
    for record in records:
        if record["status"] >= 500 and record["status"] not in (503, 504):
            violations.append(Violation("I6", f"{label(record)} at {record['instance']}"))
        seconds = record["ended"] - record["started"]
        if seconds > ANSWER_LIMIT and not any(
            name == record["instance"] and start <= record["ended"] and record["started"] <= end
            for name, start, end in pauses
        ):
            what = f"was answered after {seconds:.1f} s" if record["status"] else f"was not answered in {seconds:.1f} s"
            violations.append(Violation("I6", f"{label(record)} at {record['instance']} {what}"))
    return violations


SLACK = {"descriptors": 2, "sockets": 2, "threads": 2, "memory": 96, "connections": 0}


def check_resources(before, after):
    """I7. Both name for each instance what it holds when all is quiet."""
    return [
        Violation("I7", f"{instance} has {amount} {resource}, {before[resource]} before")
        for instance, amounts in after.items() for resource, amount in amounts.items()
        if amount > before[resource] + SLACK[resource]]
