"""Processes that the harness starts: as whom they run, how they are waited for, and that none is left behind."""

import os
import pathlib
import pwd
import random
import signal
import socket
import subprocess
import time


def postgres_user():
    """PostgreSQL refuses to run as root: who runs it then, else `None`."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def spawn(command, as_postgres=False, **options):
    """Starts a process that Ctrl-C at the terminal does not reach: whoever started it ends it."""
    user = postgres_user() if as_postgres else None
    if user:
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return subprocess.Popen([str(word) for word in command], start_new_session=True, **options)


def run(command, as_postgres=False, check=True, timeout=120):
    """Runs a command to its end and answers its output; what it says when it fails is in the error."""
    process = spawn(command, as_postgres, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, cwd="/")
    try:
        output, _ = process.communicate(timeout=timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if check and process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {output.strip()}")
    return output.strip()


def wait_until(what, condition, limit=30, pause=0.02):
    """Waits for a condition and answers what it answered.

    Raises `TimeoutError` if it does not come true within `limit` seconds.
    """
    end = time.monotonic() + limit
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit} s")
        time.sleep(pause)


def free_port():
    """A port that nobody listens on, below those that outgoing connections get."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def processes_below(folder):
    """The processes whose working directory is in a folder: every process of a PostgreSQL that runs there."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if pathlib.Path(os.readlink(entry / "cwd")).is_relative_to(folder):
                    found.append(int(entry.name))
            except OSError:
                pass  # gone meanwhile
    return found


def end_all_below(folder):
    """Ends what a killed postmaster has left, and waits for it."""
    def gone():
        left = processes_below(folder)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not left
    wait_until(f"processes in {folder} end", gone)
