"""Clients that hold an instance, and an honest one beside them. scripts/check-edge runs it."""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import re
import resource
import select
import socket
import sys
import time
import urllib.parse

URL = urllib.parse.urlsplit(os.environ["LEADS_CRM_URL"])
ADDRESS = (URL.hostname, URL.port)


def call(connection, method, path, body=None):
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def connect():
    return http.client.HTTPConnection(*ADDRESS, timeout=30)


def memory():
    """The resident memory of the instance, in MiB."""
    page = call(connect(), "GET", "/metrics")[1].decode()
    return float(re.search(r"^process_resident_memory_bytes (\S+)", page, re.M)[1]) / (1 << 20)


def register(end, results):
    """Registers one contact after another, on a new connection now and then, until the event: times in ms, failures."""
    times, failures, connection = [], [], connect()
    while not end.is_set():
        if len(times) % 20 == 19:
            connection.close()
            connection = connect()
        start = time.monotonic()
        try:
            status, body = call(connection, "POST", "/api/v1/contacts", {"source_id": 1, "message": "honest"})
            if status != 201:
                failures.append(f"{status} {body[:200]}")
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))
            connection.close()
        times.append((time.monotonic() - start) * 1000)
        time.sleep(0.002)
    results.put((times, failures))


class Crowd:
    """Many connections that send something at first, then something else again and again, and read nothing."""

    def __init__(self, name, count, first, again=b"", pause=1.0):
        self.name, self.count, self.first, self.again, self.pause = name, count, first, again, pause
        self.sockets, self.closed, self.opened, self.next = {}, 0, 0, 0.0
        self.epoll = select.epoll()

    def open(self):
        connection = socket.socket()
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.connect(ADDRESS)
        self.opened += 1
        self.sockets[connection.fileno()] = [connection, self.first, 0.0]
        self.epoll.register(connection, select.EPOLLOUT | select.EPOLLRDHUP)

    def last(self, seconds):
        """Keeps the crowd at its number; who was closed comes back, a hundred in a second at most."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            # Not all at once: a listener's backlog is short.
            while len(self.sockets) < self.count and self.next < now:
                self.next = max(self.next, now - 0.02) + (0.01 if self.opened > self.count else 0.0004)
                self.open()
            for number, events in self.epoll.poll(0.05):
                self.serve(number, events, now)
            for connection, left, last in list(self.sockets.values()):
                if not left and self.again and now - last > self.pause:
                    self.sockets[connection.fileno()][1:] = [self.again, now]
                    self.epoll.modify(connection, select.EPOLLOUT | select.EPOLLRDHUP)

    def serve(self, number, events, now):
        connection, left, _ = self.sockets[number]
        try:
            if events & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP):
                raise ConnectionError
            left = left[connection.send(left[:65536]) if left else 0:]
            self.sockets[number][1:] = [left, now]
            if not left:
                self.epoll.modify(number, select.EPOLLRDHUP)
        except BlockingIOError:
            pass
        except OSError:
            self.epoll.unregister(number)
            del self.sockets[number]
            connection.close()
            self.closed += 1

    def close(self):
        for connection, _, _ in self.sockets.values():
            connection.close()
        self.epoll.close()


def crowds():
    head = "POST /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = f"{head}Content-Length: 1000000\r\n\r\n".encode()
    ahead = b"GET /api/v1/contacts/1 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000
    lists = b"GET /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield Crowd("500 slow heads", 500, head.encode(), b"X: y\r\n", 0.5)
    yield Crowd("500 slow bodies", 500, body + b" " * 900_000, b" ", 0.5)
    yield Crowd("2,000 idle", 2000, b"")
    yield Crowd("50 that send 1,000 ahead and read nothing", 50, ahead)
    yield Crowd("8 that do not read lists", 8, lists)
    yield Crowd("100 that do not read lists", 100, lists)


def measure(seconds, crowd=None):
    """The honest client's p99 and failures, and the most memory, beside a crowd."""
    results, end, most = multiprocessing.Queue(), multiprocessing.Event(), 0
    honest = multiprocessing.Process(target=register, args=(end, results), daemon=True)
    if crowd:
        crowd.last(2)
    honest.start()
    for _ in range(seconds):
        if crowd:
            crowd.last(1)
        else:
            time.sleep(1)
        most = max(most, memory())
    end.set()
    times, failures = results.get()
    honest.join()
    return sorted(times)[len(times) * 99 // 100], len(times), failures, most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=5, help="for each crowd (5)")
    parser.add_argument("--only", type=int, help="only the crowd of this number, from 0 on")
    parser.add_argument("--p99", type=float, help="the most of the honest client's p99, in its p99 alone")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    connection = connect()
    call(connection, "POST", "/api/v1/operators", {"name": "o", "max_load": 1_000_000})
    call(connection, "POST", "/api/v1/sources", {"name": "s"})
    call(connection, "POST", "/api/v1/sources/1/distribution", {"operator_weights": [{"operator_id": 1}]})
    for _ in range(200):
        status, _ = call(connection, "POST", "/api/v1/contacts", {"source_id": 1, "message": "x" * 60_000})
        assert status == 201
    connection.close()

    alone, count, failures, most = measure(options.seconds)
    print(f"{'beside':45} {'p99 ms':>7} {'requests':>9} {'failed':>7} {'MiB':>5} {'closed':>7}")
    print(f"{'nobody':45} {alone:7.1f} {count:9} {len(failures):7} {most:5.0f}", flush=True)
    wrong = bool(failures)
    for number, crowd in enumerate(crowds()):
        if options.only not in (None, number):
            continue
        p99, count, failures, most = measure(options.seconds, crowd)
        crowd.close()
        bad = failures or most > 256 or options.p99 and p99 > options.p99 * alone
        wrong = wrong or bool(bad)
        print(f"{crowd.name:45} {p99:7.1f} {count:9} {len(failures):7} {most:5.0f} {crowd.closed:7}"
              f"{'  WRONG' if bad else ''}", flush=True)
        for failure in sorted(set(failures))[:5]:
            print(f"    {failure}")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
