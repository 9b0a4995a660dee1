"""The desks that the clients work at: sources with operators, and the contacts that are known there.

Operators of `hot` and `beside` are what faults such as row locks concern; `calm` and `narrow` share none with them. At
`hot` and `narrow` more contacts are active than fit, so that some wait all the time.
"""

import dataclasses
import random
import threading

CONCERNED = ("hot", "beside")


@dataclasses.dataclass
class Contact:
    """A contact as its clients know it. Whoever takes it from its desk is its only user until they put it back."""

    id: int
    token: str
    status: str


class Desk:
    """One source, and the contacts there that nobody works at just now."""

    def __init__(self, name, operators, target):
        self.name, self.operators, self.target = name, operators, target
        """`target`: how many active contacts the clients aim at."""
        self.source = None
        self.leads = name
        """What the identifiers of leads who come back begin with."""
        self.lock = threading.Lock()
        self.active, self.closed = [], []
        self.set_aside = []
        """Contacts whose last request was refused or left unknown: not touched before that was checked."""

    def take(self, kind, rng):
        with self.lock:
            contacts = self.active if kind == "active" else self.closed
            return contacts.pop(rng.randrange(len(contacts))) if contacts else None

    def put(self, contact):
        with self.lock:
            (self.active if contact.status == "active" else self.closed).append(contact)

    def put_aside(self, contact):
        with self.lock:
            self.set_aside.append(contact)

    def take_back(self, statuses):
        """Gives the contacts that were set aside to work again, as the database shows them."""
        with self.lock:
            contacts, self.set_aside = self.set_aside, []
        for contact in contacts:
            if status := statuses.get(contact.id):
                contact.status = status
                self.put(contact)

    def is_crowded(self):
        return len(self.active) >= self.target


LAYOUT = {
    # name: (operators with their limits, active contacts aimed at)
    "hot": ({"h1": 8, "h2": 8, "h3": 8, "shared": 8}, 44),
    "beside": ({"b1": 10, "b2": 10, "shared": 8}, 20),
    "calm": ({"c1": 1000, "c2": 1000, "c3": 1000}, 40),
    "narrow": ({"n1": 6, "n2": 6, "n3": 6}, 26),
}


def create_desks(call):
    """Makes operators, sources and distributions through the API. `call(method, path, body)` answers JSON."""
    ids, desks = {}, []
    for name, (limits, target) in LAYOUT.items():
        for operator, limit in limits.items():
            if operator not in ids:
                ids[operator] = call("POST", "/api/v1/operators", {"name": operator, "max_load": limit})["id"]
        desk = Desk(name, [ids[operator] for operator in limits], target)
        desk.source = call("POST", "/api/v1/sources", {"name": name})["id"]
        weights = [{"operator_id": ids[operator], "weight": 1 + place} for place, operator in enumerate(limits)]
        call("POST", f"/api/v1/sources/{desk.source}/distribution", {"operator_weights": weights})
        desks.append(desk)
    return desks


def lead_of(desk, rng: random.Random):
    """Some leads come back, others are new."""
    if rng.random() < 0.5:
        return {"lead_external_id": f"{desk.leads}-{rng.randrange(200)}"}
    return {"lead_phone": f"+7{rng.randrange(10**10):010}", "lead_name": "Somebody"}
