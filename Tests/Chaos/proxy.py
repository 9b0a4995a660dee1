"""A TCP proxy between one instance and PostgreSQL: the network of that instance, which can be cut and slowed down.

`up` is the direction to PostgreSQL, `down` the one to the instance.
"""

import asyncio
import contextlib
import dataclasses
import random
import socket
import struct
import threading

from processes import free_port, wait_until

COMMIT = b"COMMIT\0"
"""Stands in the statement that is sent, and in the command tag that answers it."""
IN_TRANSACTION = b"Z\0\0\0\5T"
"""The server is ready for the next flight of an open transaction."""


@dataclasses.dataclass
class Trap:
    """What happens to the connection on which these bytes come next, in this direction."""

    direction: str
    pattern: bytes
    part: float
    """How much of the chunk with these bytes still passes: 0 nothing, 1 all."""
    then: str
    """`hold`: nothing more passes in this direction until `release`; `cut`: reset both ends; `vanish`: cut, and no
    connection is let in until `release`."""
    skip: int = 0
    """How many such chunks pass before it springs."""
    sprung: threading.Event = dataclasses.field(default_factory=threading.Event)

    def springs(self, direction, data):
        if self.sprung.is_set() or direction != self.direction or self.pattern not in data:
            return False
        self.skip -= 1
        if self.skip >= 0:
            return False
        self.sprung.set()
        return True


class Link:
    """One connection of the instance, with ours to PostgreSQL."""

    def __init__(self, *writers):
        self.writers = writers
        self.held = set()

    def reset(self):
        for writer in self.writers:
            if peer := writer.get_extra_info("socket"):
                # Closed with nothing to linger for, a socket sends RST.
                with contextlib.suppress(OSError):
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """The network of one instance, on one port for each server."""

    def __init__(self, network, targets):
        self.network = network
        network.proxies.append(self)
        self.links = set()
        self.trap = None
        self.restore()
        self.ports = {target: free_port() for target in targets}
        self.doors = {}
        for target in targets:
            self.open(target)

    def restore(self):
        """The network is good again; what was held back passes."""
        self.silent = set()
        self.refuses = False
        self.latency = self.jitter = 0.0
        self.trap = None
        for link in list(self.links):
            link.held.clear()

    def set_trap(self, *arguments, **options):
        self.trap = Trap(*arguments, **options)
        return self.trap

    def cut(self):
        """Resets every connection."""
        self.network.loop.call_soon_threadsafe(lambda: [link.reset() for link in list(self.links)])

    def open(self, target):
        """The server is there."""
        if target not in self.doors:
            self.doors[target] = self.network.call(self.listen(target))

    def shut(self, target):
        """The server is gone: connections to it are refused, as without a proxy. libpq goes on to the next server then,
        and not when a connection ends that was accepted."""
        if target in self.doors:
            self.network.loop.call_soon_threadsafe(self.doors.pop(target).close)

    async def listen(self, target):
        return await asyncio.start_server(
            lambda *ends: self.serve(target, *ends), "127.0.0.1", self.ports[target])

    async def serve(self, target, reader, writer):
        if self.refuses:
            return Link(writer).reset()
        # Through a network that is silent no connection comes about.
        await self.passage(None, "up")
        try:
            upstream = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            return Link(writer).reset()
        link = Link(writer, upstream[1])
        self.links.add(link)
        try:
            await asyncio.gather(
                self.pump(link, "up", reader, upstream[1]), self.pump(link, "down", upstream[0], writer))
        finally:
            link.reset()
            self.links.discard(link)

    async def passage(self, link, direction):
        """Waits until this direction is open. It is asked for rarely: a turn each 10 ms is cheap."""
        while direction in self.silent or link and direction in link.held:
            await asyncio.sleep(0.01)

    async def pump(self, link, direction, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if self.latency or self.jitter:
                    await asyncio.sleep(self.latency + random.random() * self.jitter)
                await self.passage(link, direction)
                trap = self.trap
                if trap and trap.springs(direction, data):
                    passing = int(len(data) * trap.part)
                    writer.write(data[:passing])
                    await writer.drain()
                    if trap.then != "hold":
                        self.refuses |= trap.then == "vanish"
                        return link.reset()
                    link.held.add(direction)
                    data = data[passing:]
                    await self.passage(link, direction)
                writer.write(data)
                await writer.drain()
        # The end of a connection is no more seen through a silent network than its bytes are.
        await self.passage(link, direction)
        link.reset()


class Network:
    """The thread in which all proxies run."""

    def __init__(self):
        self.proxies = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="network", daemon=True)
        self.thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def close(self):
        self.call(self.end_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def end_all(self):
        for proxy in self.proxies:
            proxy.restore()
            for door in proxy.doors.values():
                door.close()
            proxy.doors.clear()
            for link in list(proxy.links):
                link.reset()
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=5)


def wait_for(trap, limit=10):
    """Waits until a trap has sprung."""
    wait_until(f"{trap.pattern!r} passes {trap.direction}", trap.sprung.is_set, limit)
