"""The instances of the service, each behind a network of its own."""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess

from postgres import DATABASE, SERVICE
from processes import spawn, wait_until
from proxy import Proxy

REQUEST_TIMEOUT = 5
SWEEP_INTERVAL = 2
DATABASE_POOL = 4
SHUTDOWN_GRACE = 10


class Instance:
    """`leads-crm serve`, restarted as often as a fault ends it."""

    def __init__(self, number, home, binary, network, targets):
        self.name = f"i{number}"
        self.log, self.binary = home / f"{self.name}.log", binary
        self.home = home
        self.proxy = Proxy(network, targets)
        self.process = None
        self.port = None
        self.settings = {}

    def start(self, wait=True):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {
            "REQUEST_TIMEOUT": str(REQUEST_TIMEOUT), "SWEEP_INTERVAL": str(SWEEP_INTERVAL),
            "DATABASE_POOL": str(DATABASE_POOL), "SHUTDOWN_GRACE": str(SHUTDOWN_GRACE), "LOG_FORMAT": "text",
            **self.settings}
        hosts = ",".join("127.0.0.1" for _ in self.proxy.ports)
        ports = ",".join(map(str, self.proxy.ports.values()))
        url = f"postgresql://{SERVICE}@/{DATABASE}?host={hosts}&port={ports}&application_name={self.name}"
        with open(self.log, "a") as log:
            self.process = spawn(
                [self.binary, "serve", "--port", "0", "--database-url", url], stdout=subprocess.PIPE,
                stderr=log, stdin=subprocess.DEVNULL, text=True, env=environment, cwd=self.home)
        self.port = None
        if wait:
            self.wait_until_listening()

    def wait_until_listening(self):
        for line in self.process.stdout:
            if match := re.search(r"^Listening on .*:(\d+)$", line):
                self.port = int(match[1])
                return
        raise RuntimeError(f"instance {self.name} did not start; its log ends: {self.log.read_text()[-2000:]}")

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def end(self, how=signal.SIGKILL):
        """Ends it and waits until it has ended; kills one that does not end in order."""
        if self.is_running:
            self.process.send_signal(how)
            try:
                self.process.wait(SHUTDOWN_GRACE + 10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def call(self, method, path, body):
        """Asks for something that must succeed, and answers the JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT + 2)
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()}")
        return json.loads(text)

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT + 2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def wait_until_ready(self):
        wait_until(f"{self.name} is ready", self.is_ready)

    def resources(self):
        """What it holds: descriptors, of these sockets, threads, and resident memory in MiB."""
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        sockets = descriptors = 0
        for entry in os.scandir(folder / "fd"):
            descriptors += 1
            try:
                sockets += os.readlink(entry.path).startswith("socket:")
            except OSError:
                pass  # closed meanwhile
        status = (folder / "status").read_text()
        return {
            "descriptors": descriptors, "sockets": sockets, "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
            "memory": int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024}
