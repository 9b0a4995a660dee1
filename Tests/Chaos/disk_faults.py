"""A full disk under the data and under the WAL: a small tmpfs is mounted over the folder, for which one has to be root."""

import contextlib
import os
import shutil
import signal
import subprocess

from faults import fault
from processes import postgres_user, run, wait_until
from world import Skip

SPARE = 48 << 20
"""What is free on the small disk before it is filled: three segments of WAL."""


def put_on_small_disk(world, folder):
    """Moves a folder of the primary to a small disk until the fault is over. Answers the path of a filler for it."""
    if os.geteuid() != 0:
        raise Skip("mounting a small disk takes root")
    primary, aside, user = world.cluster.primary, folder.with_name("aside"), postgres_user()
    primary.stop(signal.SIGINT)
    used = sum(path.stat().st_size for path in folder.rglob("*"))
    folder.rename(aside)
    folder.mkdir()

    def move_back():
        primary.stop(signal.SIGINT)
        shutil.rmtree(aside)
        run(["cp", "-a", folder, aside])
        take_away()

    def take_away():
        run(["umount", folder], check=False)
        folder.rmdir()
        aside.rename(folder)
    try:
        size = f"size={used + SPARE},mode=700,uid={user.pw_uid},gid={user.pw_gid}"
        run(["mount", "-t", "tmpfs", "-o", size, "chaos", folder])
    except RuntimeError as error:
        take_away()
        raise Skip(str(error)) from None
    # Also if the run is broken off: after PostgreSQL has ended, before the folder is removed.
    world.mounts.append(folder)
    run(["cp", "-a", f"{aside}/.", folder])
    world.afterwards.append(move_back)
    primary.start()
    return folder / "filler"


def fill(filler):
    """Takes all the room that there is."""
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


@fault("disk-full-data")
def disk_full_data(world, rng):
    """No room for tables and indexes to grow (53100); concerns all."""
    filler = put_on_small_disk(world, world.cluster.primary.data / "base")
    world.begin()
    world.set_pace(0.3)
    fill(filler)
    # The load fills the pages that are there, and then needs more.
    wait_until("a request is refused", lambda: any(client.last_failed > world.window.begin for client in world.clients), 60)
    world.last(world.length(3, 8))
    filler.unlink()


@fault("disk-full-wal")
def disk_full_wal(world, rng):
    """No room for WAL, for which PostgreSQL ends itself (PANIC); concerns all."""
    filler = put_on_small_disk(world, world.cluster.primary.data / "pg_wal")
    world.begin()
    fill(filler)
    with contextlib.suppress(ConnectionError), world.cluster.primary.session() as session:
        for _ in range(100):
            session.run("SELECT pg_switch_wal(); CREATE TABLE wal_filler (); DROP TABLE wal_filler")
    try:
        world.cluster.primary.process.wait(10)
    except subprocess.TimeoutExpired:
        pass  # it goes on starting again and failing
    world.last(world.length(2, 8))
    filler.unlink()
    world.cluster.primary.start()
