"""A primary and its synchronous standby, and psql sessions on them."""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import subprocess
import time

from processes import end_all_below, free_port, postgres_user, run, spawn, wait_until

DATABASE = "chaos"
SUPERUSER = "postgres"
SERVICE = "leads_crm_service"
"""The role of the instances."""
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

SETTINGS = {
    "listen_addresses": "127.0.0.1", "fsync": "on", "max_connections": "60", "shared_buffers": "64MB",
    "max_wal_senders": "8", "wal_keep_size": "256MB", "wal_receiver_status_interval": "1",
    "wal_retrieve_retry_interval": "200ms", "log_line_prefix": "%m [%p] %a ", "log_checkpoints": "off",
    # As in the containers and the private PostgreSQL.
    "max_pred_locks_per_relation": "0", "max_pred_locks_per_page": "0", "max_pred_locks_per_transaction": "256",
}


class Psql:
    """A psql session that stays open, for instance with a transaction in it."""

    MARK = "-- answered --"

    def __init__(self, port, user=SUPERUSER, name="psql"):
        environment = {**os.environ, "PGAPPNAME": name, "PGCONNECT_TIMEOUT": "3"}
        self.process = spawn(
            ["psql", "-XAtq", "-h", "127.0.0.1", "-p", port, "-U", user, "-d", DATABASE], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd="/")
        self.buffer = b""

    def send(self, sql):
        """Sends statements and does not wait for them."""
        self.process.stdin.write(f"{sql};\n\\echo {self.MARK}\n".encode())
        self.process.stdin.flush()

    def answer(self, limit=30):
        """The rows that the statements sent last answered, as text; `None` if they are not done within the limit."""
        end = time.monotonic() + limit
        mark = f"{self.MARK}\n".encode()
        while mark not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise ConnectionError(f"psql ended: {self.buffer.decode().strip()}")
            self.buffer += data
        text, self.buffer = self.buffer.split(mark, 1)
        lines = text.decode().splitlines()
        if errors := [line for line in lines if line.startswith(("ERROR:", "FATAL:", "server closed"))]:
            raise ConnectionError(errors[0])
        return lines

    def run(self, sql, limit=30):
        try:
            self.send(sql)
        except OSError as error:
            raise ConnectionError(str(error)) from None
        lines = self.answer(limit)
        if lines is None:
            raise TimeoutError(f"psql did not answer within {limit} s: {sql}")
        return lines

    def close(self):
        """Ends the session, and with it a transaction that is open in it."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # what it had not read yet is of no use
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Node:
    """One PostgreSQL server; which of the two is the primary changes."""

    def __init__(self, home, name):
        self.home, self.name, self.data, self.port = home, name, home / name, free_port()
        self.process = None
        self.peer = None
        self.environment = {}
        self.proxies = []

    def start(self):
        """Starts it, again if what a killed one left behind is still there, and waits until it answers."""
        # What pg_basebackup and pg_rewind do not copy from the other one.
        settings = {
            "port": self.port, "unix_socket_directories": self.home,
            "primary_conninfo": f"host=127.0.0.1 port={self.peer.port} user={SUPERUSER} application_name=standby"}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

        def answers():
            if not self.is_running:
                with open(self.home / f"{self.name}.log", "a") as log:
                    self.process = spawn(
                        [BINARIES / "postgres", "-D", self.data, *arguments], as_postgres=True, stdout=log, stderr=log,
                        stdin=subprocess.DEVNULL, cwd="/", env=os.environ | self.environment)
                for proxy in self.proxies:
                    proxy.open(self.port)
            return self.ask("SELECT 1", check=False) == "1"
        wait_until(f"PostgreSQL {self.name} starts", answers, limit=60, pause=0.05)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, how=signal.SIGINT):
        """Stops it: SIGINT is a fast stop, SIGQUIT an immediate one, SIGKILL kills the postmaster."""
        if self.is_running:
            self.process.send_signal(how)
            self.process.wait()
        for proxy in self.proxies:
            proxy.shut(self.port)
        # The children of a postmaster that was killed notice it, but not at once.
        end_all_below(self.data)

    def ask(self, sql, check=True):
        """Runs statements in a session of their own."""
        return run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port, "-U", SUPERUSER, "-d",
                    "postgres" if not check else DATABASE, "-c", sql], check=check)

    def session(self, user=SUPERUSER, name="psql"):
        return Psql(self.port, user, name)

    def become_standby(self, rewind):
        """Makes this server, which is stopped, a standby of the other one: by pg_rewind, or a fresh base backup."""
        if rewind:
            try:
                self.peer.ask("CHECKPOINT")  # tells the new timeline
                run([BINARIES / "pg_rewind", "-D", self.data, "--no-sync", "--source-server",
                     f"host=127.0.0.1 port={self.peer.port} user={SUPERUSER} dbname={DATABASE}"], as_postgres=True)
            except RuntimeError:
                rewind = False  # what pg_rewind cannot mend is copied
        if not rewind:
            shutil.rmtree(self.data, ignore_errors=True)
            run([BINARIES / "pg_basebackup", "-D", self.data, "-h", "127.0.0.1", "-p", self.peer.port, "-U", SUPERUSER,
                 "--checkpoint=fast", "--no-sync"], as_postgres=True)
        (self.data / "standby.signal").touch()
        self.start()


class Cluster:
    """The two servers. `synchronous` says whether COMMIT waits for the standby."""

    def __init__(self, home):
        self.home = home
        self.primary, self.standby = Node(home, "a"), Node(home, "b")
        self.primary.peer, self.standby.peer = self.standby, self.primary
        self.shared = home / "shared.conf"
        self.pooler = None

    def create(self):
        if user := postgres_user():
            os.chown(self.home, user.pw_uid, user.pw_gid)
        run([BINARIES / "initdb", "-D", self.primary.data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--data-checksums", "--no-sync"], as_postgres=True)
        with open(self.primary.data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
            file.write(f"include = '{self.shared}'\n")
        self.write_shared(False)
        self.primary.start()
        run(["psql", "-Xq", "-h", "127.0.0.1", "-p", self.primary.port, "-U", SUPERUSER, "-d", "postgres", "-c",
             f"CREATE DATABASE {DATABASE}"])
        run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.primary.port, "-U", SUPERUSER, "-d",
             DATABASE, "-f", ROOT / "sql/roles.sql"])
        self.standby.become_standby(rewind=False)
        self.be_synchronous()

    def write_shared(self, synchronous):
        self.shared.write_text(f"synchronous_standby_names = '{'standby' if synchronous else ''}'\n")
        self.shared.chmod(0o644)

    def be_synchronous(self):
        """From now on COMMIT waits for the standby, which is there."""
        self.wait_for_standby("streaming")
        self.write_shared(True)
        self.primary.ask("SELECT pg_reload_conf()")
        wait_until("the standby is synchronous", lambda: self.primary.ask(
            "SELECT sync_state FROM pg_stat_replication WHERE application_name = 'standby'") == "sync")

    def wait_for_standby(self, state):
        wait_until(f"the standby is {state}", lambda: self.primary.ask(
            "SELECT state FROM pg_stat_replication WHERE application_name = 'standby'") == state)

    def fail_over(self):
        """Makes the standby the primary. The other one must be dead: two that can be written would be a fault of ours."""
        assert not self.primary.is_running
        self.write_shared(False)
        if not self.standby.is_running:
            self.standby.start()
        self.standby.ask("SELECT pg_reload_conf()")
        # Not by a session, whose snapshot could hold up what is still to be replayed.
        run([BINARIES / "pg_ctl", "promote", "-D", self.standby.data, "-t", "60"], as_postgres=True)
        self.primary, self.standby = self.standby, self.primary
        if self.pooler:
            self.pooler.point_at(self.primary.port)

    def rejoin(self, rewind):
        """Brings the old primary back as the synchronous standby."""
        self.standby.become_standby(rewind)
        self.be_synchronous()

    def mend(self):
        """Brings back what a fault has left stopped."""
        if not self.primary.is_running:
            self.primary.start()
        if not self.standby.is_running:
            self.standby.start()
        try:
            self.be_synchronous()
        except TimeoutError:
            self.standby.stop(signal.SIGQUIT)
            self.rejoin(rewind=False)

    def sql(self, statements):
        return self.primary.ask(statements)

    def rows(self, query):
        """The rows of a query on the primary; `None` is an empty text, and no value holds a tab."""
        output = run(["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.primary.port,
                      "-U", SUPERUSER, "-d", DATABASE, "-c", query])
        return [line.split("\t") for line in output.splitlines()]

    def close(self):
        for node in (self.standby, self.primary):
            node.stop(signal.SIGQUIT)


def find_binaries():
    return pathlib.Path(run(["pg_config", "--bindir"]))


BINARIES = find_binaries()
