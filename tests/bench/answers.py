"""A cheap HTTP/1.1 server for measurements: one epoll loop, answers of 1 KiB that name the request, or a fault.

As a program: `python tests/bench/answers.py --port 8080 --fault hang`. It prints `ready` once it listens, and runs
until it is killed. Baseline and branch are processes of their own, so that what the branch does costs the baseline no
more than the machine they share.
"""

import argparse
import errno
import heapq
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Final

FAULTS: Final = ("none", "hang", "crash", "reset", "large")
ANSWER_BYTES: Final = 1024
LARGE_BYTES: Final = 10 * 1024 * 1024
CRASH_EVERY: Final = 100
"""Requests after which a crashing server falls over."""
CRASH_S: Final = 0.5
"""How long it refuses connections before it is back."""
ASK_EVERY: Final = 25
_PIECE: Final = 256 * 1024
_ABORT: Final = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends a reset


def answer_body(path: bytes, received: int) -> bytes:
    """Return the body that answers a request for `path` with a body of `received` bytes."""
    start = b'{"path": "%s", "received": %d, "padding": "' % (path, received)
    return start + b"x" * max(0, ANSWER_BYTES - len(start) - 2) + b'"}'


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class _Connection:
    """A client: what it sent and what it has not taken yet."""

    __slots__ = ("head", "left", "out", "received", "sock", "waiting")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.head = b""
        self.received = self.left = 0  # bytes of the body that is being read: come, and to come
        self.out = b""
        self.waiting = b""  # the path that is answered once the body is there


class Server:
    """Serves on a loopback port until the process ends. `delay_s` is how long each answer takes, without CPU."""

    def __init__(
        self, port: int, *, fault: str = "none", delay_s: float = 0.0, ask: tuple[str, int] | None = None
    ) -> None:
        self._port, self._fault, self._delay_s, self._ask = port, fault, delay_s, ask
        self._epoll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._due: list[tuple[float, int, _Connection, bytes]] = []
        self._served = self._order = 0
        self._large = _answer(b"[" + b" " * (LARGE_BYTES - 2) + b"]") if fault == "large" else b""
        self._listener: socket.socket | None = None
        self._back_at = 0.0
        self._listen()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(1024)
        listener.setblocking(False)
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        self._listener = listener

    def run(self) -> None:
        """Serve for ever."""
        while True:
            for number, events in self._epoll.poll(self._timeout()):
                if self._listener is not None and number == self._listener.fileno():
                    self._accept(self._listener)
                elif found := self._connections.get(number):
                    self._turn(found, events)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, connection, data = heapq.heappop(self._due)
                if connection.sock.fileno() in self._connections:
                    self._send(connection, data)
            if self._listener is None and now >= self._back_at:
                self._listen()

    def _timeout(self) -> float:
        soonest = [self._due[0][0]] if self._due else []
        if self._listener is None:
            soonest.append(self._back_at)
        return max(0.0, min(soonest) - time.monotonic()) if soonest else -1

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:  # nobody else waits, or who waited has gone
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[sock.fileno()] = _Connection(sock)
            if self._fault != "hang":  # one that hangs reads nothing either
                self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _turn(self, connection: _Connection, events: int) -> None:
        if events & select.EPOLLOUT and connection.out:
            self._flush(connection)
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            try:
                data = connection.sock.recv(_PIECE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self._take(connection, data)
            else:
                self._drop(connection)

    def _take(self, connection: _Connection, data: bytes) -> None:
        """Read requests out of what came: one is answered when its body is there."""
        while data:
            if not connection.waiting:
                head, found, data = (connection.head + data).partition(b"\r\n\r\n")
                if not found:
                    connection.head = head
                    return
                connection.head, connection.received = b"", 0
                connection.waiting, connection.left = head.split(b" ", 2)[1], _length(head)
            taken = min(connection.left, len(data))
            connection.left -= taken
            connection.received += taken
            data = data[taken:]
            if connection.left:
                return
            path, connection.waiting = connection.waiting, b""
            if not self._serve(connection, path, connection.received):
                return

    def _serve(self, connection: _Connection, path: bytes, received: int) -> bool:
        """Answer a request, or do what the fault does; False if the connection is no more."""
        self._served += 1
        if self._fault == "reset":
            self._reset(connection)
            return False
        if self._fault == "crash" and self._served % CRASH_EVERY == 0:
            self._fall_over()
            return False
        if self._ask and self._served % ASK_EVERY == 0:
            _call(self._ask)
        data = self._large or _answer(answer_body(path, received))
        if self._delay_s:
            self._order += 1
            heapq.heappush(self._due, (time.monotonic() + self._delay_s, self._order, connection, data))
        else:
            self._send(connection, data)
        return connection.sock.fileno() in self._connections

    def _send(self, connection: _Connection, data: bytes) -> None:
        if connection.out:
            connection.out += data
            return
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(connection)
            return
        if sent < len(data):
            connection.out = data[sent:]
            self._epoll.modify(connection.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _flush(self, connection: _Connection) -> None:
        try:
            sent = connection.sock.send(memoryview(connection.out)[:_PIECE])
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        connection.out = connection.out[sent:]
        if not connection.out:
            self._epoll.modify(connection.sock.fileno(), select.EPOLLIN)

    def _drop(self, connection: _Connection) -> None:
        self._connections.pop(connection.sock.fileno(), None)
        connection.sock.close()  # epoll forgets what is closed

    def _reset(self, connection: _Connection) -> None:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._drop(connection)

    def _fall_over(self) -> None:
        """Be as a process that died: every connection is reset and nobody listens, until it is started again."""
        if self._listener is not None:
            self._listener.close()
        self._listener, self._back_at = None, time.monotonic() + CRASH_S
        self._due.clear()
        for connection in list(self._connections.values()):
            self._reset(connection)


def service_address(name: str) -> tuple[str, int]:
    """Return where a service is, by the variables that say so."""
    prefix = name.upper().replace("-", "_")
    return os.environ[f"{prefix}_SERVICE_HOST"], int(os.environ[f"{prefix}_SERVICE_PORT"])


def _call(address: tuple[str, int]) -> None:
    """Ask another service; whether it answers changes nothing here."""
    with suppress(OSError, HTTPException):
        client = HTTPConnection(*address, timeout=1)
        try:
            client.request("GET", "/items/1")
            client.getresponse().read()
        finally:
            client.close()


def _length(head: bytes) -> int:
    """Return the content-length that a request's head says, 0 without one."""
    at = head.lower().find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(head[at + 17 :].split(b"\r\n", 1)[0])


def main(arguments: Sequence[str]) -> int:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="Answer HTTP requests cheaply, or fail in a chosen way.")
    parser.add_argument("--port", type=int, default=os.environ.get("PORT"), help="default: the variable PORT")
    parser.add_argument("--ask", metavar="SERVICE", help="call this service too, on every 25th request")
    parser.add_argument("--fault", choices=FAULTS, default="none", help="what is wrong with it (default %(default)s)")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="time to each answer (default %(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.port is None:
        parser.error("say --port, or PORT in the environment")
    ask = service_address(chosen.ask) if chosen.ask else None
    try:
        server = Server(chosen.port, fault=chosen.fault, delay_s=chosen.delay_ms / 1000, ask=ask)
    except OSError as error:
        print(f"port {chosen.port}: {errno.errorcode.get(error.errno or 0, error)}", file=sys.stderr)
        return 1
    print("ready", flush=True)
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
