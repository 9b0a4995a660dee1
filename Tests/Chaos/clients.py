"""Clients of the service, and what each of them writes down of every answer before it asks for the next thing."""

import http.client
import itertools
import json
import os
import random
import threading
import time

from desks import Contact, lead_of
from instances import REQUEST_TIMEOUT
from invariants import is_served

PATIENCE = REQUEST_TIMEOUT + 2
"""A patient client hears every answer that comes in time, and learns if none does."""
IMPATIENCE = 1
"""An impatient one gives up after a second, so that it soon sees that the service is back."""


class Log:
    """A client's file, one request a line, on disk before `add` is done.

    A record: `client`, `kind`, `desk`, `instance`, `token`, `contact`, `source` (of a description), `started`, `ended`,
    `status` (0: no answer), `code` (of the answer; `unreachable`, `lost` or `silence` without one), `operator`, `became`.
    """

    def __init__(self, path):
        self.file = open(path, "a")

    def add(self, record):
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self):
        self.file.close()


def read_logs(folder):
    """All records of all clients, by the files, in the order of their ends."""
    records = [json.loads(line) for path in folder.glob("*.jsonl") for line in path.open()]
    return sorted(records, key=lambda record: record["ended"])


class Client(threading.Thread):
    """Does one thing after another while the load is on. `instance` is who it talks to, always."""

    def __init__(self, world, name, instance, desk, patient, pace, seed):
        super().__init__(name=name, daemon=True)
        self.world, self.instance, self.desk = world, instance, desk
        self.patient, self.pace = patient, pace
        self.rng = random.Random(seed)
        self.numbers = itertools.count(1)
        self.log = Log(world.home / f"{name}.jsonl")
        self.connection = None
        self.acknowledged = 0
        self.last_served = self.last_failed = 0.0

    def run(self):
        try:
            while self.world.load.wait() and not self.world.is_closing:
                if self.world.begin_request():
                    try:
                        self.act()
                    finally:
                        self.world.end_request()
                    # Spread, so that clients do not march in step.
                    time.sleep(self.world.pace * self.pace * self.rng.uniform(0.5, 1.5))
        finally:
            self.disconnect()
            self.log.close()

    def disconnect(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def ask(self, method, path, body, **facts):
        """Sends a request, writes down what came of it, and answers that record with the answer's JSON."""
        record = {
            "client": self.name, "desk": self.desk and self.desk.name, "instance": self.instance.name,
            "started": time.monotonic(), "status": 0, "code": "lost", **facts}
        answer = None
        try:
            if self.connection is None:
                record["code"] = "unreachable"
                if self.instance.port is None:
                    raise ConnectionError("not started")
                connection = http.client.HTTPConnection(
                    "127.0.0.1", self.instance.port, timeout=PATIENCE if self.patient else IMPATIENCE)
                connection.connect()
                self.connection, record["code"] = connection, "lost"
            headers = {"Content-Type": "application/json"} if body is not None else {}
            self.connection.request(method, path, body and json.dumps(body), headers)
            response = self.connection.getresponse()
            text = response.read()
            answer = json.loads(text) if text else {}
            record |= {"status": response.status, "code": answer.get("code") if isinstance(answer, dict) else None}
            if response.will_close:
                self.disconnect()
        except (OSError, http.client.HTTPException) as error:
            if self.connection and isinstance(error, TimeoutError):
                record["code"] = "silence"
            self.disconnect()
        record["ended"] = time.monotonic()
        if record["status"] in (200, 201) and isinstance(answer, dict) and "lead_id" in answer:
            record |= {"contact": answer["id"], "operator": answer["operator_id"], "became": answer["status"]}
        self.log.add(record)
        self.acknowledged += record["status"] in (200, 201)
        if is_served(record):
            self.last_served = record["started"]
        else:
            self.last_failed = record["ended"]
        return record

    def token(self):
        return f"{self.name}-{next(self.numbers)}"

    def register(self, lead=None):
        token = self.token()
        body = {"source_id": self.desk.source, "message": token, **(lead or lead_of(self.desk, self.rng))}
        record = self.ask("POST", "/api/v1/contacts", body, kind="register", token=token)
        if record["status"] == 201:
            self.desk.put(Contact(record["contact"], token, record["became"]))
        return record

    def change(self, contact, kind, body):
        record = self.ask(
            "PATCH", f"/api/v1/contacts/{contact.id}", body, kind=kind, token=contact.token, contact=contact.id)
        if record["status"] == 200:
            contact.status = record["became"]
        if record["status"] in (200, 409):
            self.desk.put(contact)
        else:
            self.desk.put_aside(contact)


class DeskClient(Client):
    """Registers, closes, reopens and transfers contacts of one desk, those of other clients of that desk too."""

    def act(self):
        roll = self.rng.random()
        if self.world.only_moves:
            roll *= 0.3
        if roll < 0.1 and (contact := self.desk.take("active", self.rng)):
            operator = self.rng.choice(self.desk.operators)
            self.change(contact, "transfer", {"operator_id": operator})
        elif roll < 0.2 and (contact := self.desk.take("closed", self.rng)):
            self.change(contact, "reopen", {"status": "active"})
        elif (roll < 0.3 or self.desk.is_crowded()) and (contact := self.desk.take("active", self.rng)):
            self.change(contact, "close", {"status": "closed"})
        else:
            self.register()


class ReadingClient(Client):
    """Reads, asks whether the instance is ready, and describes a source that is its own: what does not pass the lane."""

    source = None
    is_sure = True
    """Whether the last description was acknowledged; if not, it is checked before the next one overwrites it."""

    def act(self):
        if self.is_sure and self.rng.random() < 0.4:
            token = self.token()
            record = self.ask("PATCH", f"/api/v1/sources/{self.source}", {"description": token}, kind="describe",
                              token=token, source=self.source)
            self.is_sure = record["status"] == 200
        else:
            path = self.rng.choice(["/readyz", "/api/v1/contacts?limit=5", "/api/v1/operators", "/api/v1/leads?limit=3"])
            self.ask("GET", path, None, kind="ready" if path == "/readyz" else "read")
