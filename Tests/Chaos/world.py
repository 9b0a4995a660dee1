"""The service under load, with all that a fault may touch, and the checks after each fault."""

import contextlib
import pathlib
import shutil
import signal
import tempfile
import threading
import time

import watch
from checks import Checks
from clients import PATIENCE, DeskClient, ReadingClient
from desks import create_desks
from instances import Instance
from invariants import Violation, Window
from pooler import Pooler
from postgres import DATABASE, SERVICE, Cluster
from processes import run, wait_until
from proxy import Network


class Skip(Exception):
    """The fault cannot be made here."""


class World:
    """Everything that runs. Made by `with`, which takes it all away again."""

    def __init__(self, options):
        self.options = options
        self.is_short = options.short
        self.pace, self.only_moves = 1.0, False
        self.load = threading.Event()
        self.is_closing = False
        self.busy, self.idle = 0, threading.Condition()
        self.pauses, self.unguarded = [], []
        self.foreign, self.by_hand, self.locked = set(), set(), set()
        self.clients, self.readers = [], []
        self.window = None
        self.findings = []
        self.afterwards, self.mounts = [], []

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with self.stack:
            self.build()
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def build(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
        self.home.chmod(0o755)
        self.stack.callback(self.remove)
        self.cluster = Cluster(self.home)
        self.stack.callback(self.cluster.close)
        self.cluster.create()
        run([self.options.binary, "migrate", "--database-url", self.url("leads_crm_owner")])
        self.cluster.sql(watch.AUDIT)
        self.network = Network()
        self.stack.callback(self.network.close)
        # Closed after the instances, clients need not wait for answers.
        self.stack.callback(self.close_clients)
        targets = sorted([self.cluster.primary.port, self.cluster.standby.port])
        if self.options.pgbouncer:
            self.cluster.pooler = Pooler(self.home, self.cluster.primary.port)
            self.stack.callback(self.cluster.pooler.close)
            targets = [self.cluster.pooler.port]
        self.instances = [
            Instance(number, self.home, self.options.binary, self.network, targets) for number in (1, 2, 3)]
        for instance in self.instances:
            if self.options.pgbouncer:
                instance.settings["PREPARED_STATEMENTS"] = "off"
            else:
                self.cluster.primary.proxies.append(instance.proxy)
                self.cluster.standby.proxies.append(instance.proxy)
            instance.start(wait=False)
            self.stack.callback(instance.end)
        for instance in self.instances:
            instance.wait_until_listening()
        self.make_clients()
        self.poller = watch.Poller(self.cluster)
        self.poller.start()
        self.stack.callback(self.poller.close)
        self.warm_up()

    def make_clients(self):
        names = [instance.name for instance in self.instances]
        call = self.instances[0].call
        self.desks = create_desks(call)
        sources = {name: call("POST", "/api/v1/sources", {"name": f"described by {name}"})["id"] for name in names}
        for instance in self.instances:
            for desk in self.desks:
                for patient, pace in ((True, 0.25), (False, 0.3)):
                    name = f"{desk.name}-{instance.name}-{'patient' if patient else 'brief'}"
                    self.clients.append(
                        DeskClient(self, name, instance, desk, patient, pace, f"{self.options.seed} {name}"))
            reader = ReadingClient(
                self, f"reader-{instance.name}", instance, None, True, 0.25, f"{self.options.seed} {instance.name}")
            reader.source = sources[instance.name]
            self.readers.append(reader)
        self.clients += self.readers
        for client in self.clients:
            client.start()

    def warm_up(self):
        """Lets everything be in use once, and takes down what it then holds when all is quiet."""
        self.pace = 0.2
        self.start_load()
        wait_until("the desks fill", lambda: sum(client.acknowledged for client in self.clients) > 600)
        self.pace = 1.0
        self.quiet()
        self.checks = Checks(self)

    def remove(self):
        for folder in self.mounts:
            if folder.is_mount():
                run(["umount", folder])
        if self.options.keep:
            print(f"Kept: {self.home}")
        else:
            shutil.rmtree(self.home)

    def close_clients(self):
        self.is_closing = True
        self.load.set()
        for client in self.clients:
            client.join()

    def url(self, role):
        return f"postgresql://{role}@127.0.0.1:{self.cluster.primary.port}/{DATABASE}"

    # MARK: - The load

    def begin_request(self):
        with self.idle:
            if not self.load.is_set() or self.is_closing:
                return False
            self.busy += 1
            return True

    def end_request(self):
        with self.idle:
            self.busy -= 1
            self.idle.notify_all()

    def start_load(self):
        """Starts the load and waits until everybody was served."""
        before = {client: client.acknowledged for client in self.clients}
        self.load.set()
        wait_until("every client is served", lambda: all(c.acknowledged > before[c] for c in self.clients), limit=20)

    def quiet(self):
        """Stops the load and waits for the answers that are due."""
        with self.idle:
            self.load.clear()
            if not self.idle.wait_for(lambda: self.busy == 0, PATIENCE + 3):
                raise TimeoutError("the clients do not end")
        for client in self.clients:
            client.disconnect()

    def set_pace(self, pace):
        """Until the fault is over the clients pause for this share of their pauses."""
        self.pace = pace
        self.afterwards.append(lambda: setattr(self, "pace", 1.0))

    # MARK: - What faults do

    def desk(self, name):
        return next(desk for desk in self.desks if desk.name == name)

    def begin(self, instances=None, desks=(), locks=False, bound=3):
        """The load starts, and then the fault. It concerns these instances (by default all) and these desks."""
        self.start_load()
        self.acknowledged = self.count()
        names = {instance.name for instance in (self.instances if instances is None else instances)}
        self.window = Window(time.monotonic(), None, bound, names, set(desks), locks)

    def last(self, seconds):
        """The fault lasts so long."""
        time.sleep(seconds)

    def length(self, short, long):
        return short if self.is_short else long

    def over(self):
        """The fault is over; waits until everybody is served again, for at most as long as that may take."""
        self.window = self.window._replace(end=time.monotonic())

        def served_again():
            now = time.monotonic()
            return all(
                client.last_served > self.window.end and client.last_failed < now - 1
                for client in self.clients if client.desk and not client.patient)
        with contextlib.suppress(TimeoutError):
            wait_until("everybody is served", lambda: time.monotonic() > self.window.end + 1 and served_again(),
                       limit=self.window.bound + 2)

    def count(self):
        return sum(client.acknowledged for client in self.clients)

    def find(self, invariant, text):
        """Says that an invariant broke, seen by the fault itself."""
        self.findings.append(Violation(invariant, text))

    def pause(self, instance):
        """From now on the instance need not answer."""
        self.pauses.append([instance.name, time.monotonic(), float("inf")])

    def resume(self, instance):
        for pause in self.pauses:
            if pause[0] == instance.name and pause[2] == float("inf"):
                pause[2] = time.monotonic()

    def freeze(self, instance):
        self.pause(instance)
        instance.send(signal.SIGSTOP)

    def thaw(self, instance):
        instance.send(signal.SIGCONT)
        self.resume(instance)

    def end(self, instance, how=signal.SIGKILL):
        self.pause(instance)
        instance.end(how)

    def restart(self, *instances):
        """Starts instances that have ended, all at once."""
        for instance in instances:
            instance.start(wait=False)
        for instance in instances:
            instance.wait_until_listening()
            self.resume(instance)

    def waiting_backend(self, where, limit=10):
        """Waits until a backend of an instance waits so, and answers its process."""
        return int(wait_until(f"a backend with {where}", lambda: self.cluster.sql(
            f"SELECT min(pid) FROM pg_stat_activity WHERE usename = '{SERVICE}' AND {where}"), limit))

    def calls_off(self):
        """Ends every connection of the instances."""
        self.cluster.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{SERVICE}'")

    def with_settings(self, instances, **settings):
        """Restarts instances with other settings until the fault is over."""
        before = [instance.settings for instance in instances]

        def change(to):
            for instance, its in zip(instances, to):
                self.end(instance, signal.SIGTERM)
                instance.settings = its
            self.restart(*instances)
        change([its | settings for its in before])
        self.afterwards.append(lambda: change(before))

    # MARK: - One fault and its checks

    def run_fault(self, fault, rng):
        """Makes a fault, and answers what broke with the figures of the line that is printed."""
        self.window, self.findings, start = None, [], time.monotonic()
        try:
            fault(self, rng)
            if self.window.end is None:
                self.over()
        except Skip as reason:
            self.mend()
            return {"skipped": str(reason)}
        except (OSError, RuntimeError) as error:
            self.find("--", f"the fault could not be made: {error}")
        self.mend()
        acknowledged = self.count() - self.acknowledged if self.window else 0
        violations, back, p99 = self.checks.run()
        return {"seconds": time.monotonic() - start, "acknowledged": acknowledged, "back": back, "p99": p99,
                "violations": violations}

    def mend(self):
        """Ends the load and brings back all that the fault may have left away."""
        for instance in self.instances:
            instance.proxy.restore()
            if instance.is_running:
                self.thaw(instance)
            elif not any(name == instance.name and end == float("inf") for name, _, end in self.pauses):
                self.find("I5", f"{instance.name} has ended by itself, with {instance.process.returncode}")
        self.quiet()
        for undo in self.afterwards[::-1]:
            undo()
        self.afterwards.clear()
        self.cluster.mend()
        self.restart(*[instance for instance in self.instances if not instance.is_running])
        for instance in self.instances:
            try:
                instance.wait_until_ready()
            except TimeoutError as error:
                self.find("I5", str(error))
                self.end(instance)
                self.restart(instance)
