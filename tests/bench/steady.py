"""A load generator that costs little: requests made beforehand, one epoll loop, every answer compared.

With a rate it is an open loop: a request is due at its time whether or not earlier ones were answered, it waits for a
free connection if it must, and its latency counts from when it was due (no coordinated omission). Without one it is a
closed loop: each connection sends as soon as it was answered, which finds the capacity.

As a program: `python tests/bench/steady.py --port 8080 --rate 500 --seconds 10` prints one JSON line, and with
`--every 5` one every five seconds as well. It knows what the server of answers.py has to answer.
"""

import argparse
import json
import select
import socket
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final

from answers import answer_body

PATHS: Final = 500
UPLOAD_PATHS: Final = 8
_PIECE: Final = 256 * 1024
_OK: Final = b"HTTP/1.1 200 "
_REFUSED_PAUSE_S: Final = 0.05


class _Line:
    """One connection, with the request that it carries now."""

    __slots__ = ("busy", "came", "due", "nth", "out", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.busy = False
        self.came = b""
        self.out: memoryview | None = None
        self.due = 0.0
        self.nth = 0


class Load:
    """Sends to a loopback port; `rate` 0 is a closed loop. With `upload`, POSTs with a body of that many bytes."""

    def __init__(
        self, port: int, *, rate: float, connections: int, upload: int = 0, requests: int | None = None
    ) -> None:
        self._port, self._rate, self._most = port, rate, requests
        self.latencies = array("d")
        self.counts: Counter[str] = Counter(sent=0, answered=0, failed=0, changed=0)
        self.problems: list[str] = []
        self._requests, self._bodies = _exchanges(port, upload)
        self._epoll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._idle: list[_Line] = []
        self._owed: deque[float] = deque()
        for _ in range(connections):
            self._idle.append(self._connect())

    def _connect(self) -> _Line:
        for _ in range(100):
            try:
                sock = socket.create_connection(("127.0.0.1", self._port), timeout=5)
            except OSError:
                time.sleep(_REFUSED_PAUSE_S)
                continue
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = _Line(sock)
            self._lines[sock.fileno()] = line
            self._epoll.register(sock.fileno(), select.EPOLLIN)
            return line
        raise RuntimeError(f"nobody listens on port {self._port}")

    def run(self, seconds: float, *, grace_s: float = 1.0, every_s: float = 0.0) -> dict[str, Any]:
        """Send for `seconds`, then wait `grace_s` for what is not answered yet; return the summary."""
        begun = time.perf_counter()
        ends, told, nth = begun + seconds, begun, 0
        number, clock = self._epoll.fileno(), time.perf_counter
        while (now := clock()) < ends and not self._all_answered():
            if self._rate:
                while begun + nth / self._rate <= now and (self._most is None or nth < self._most):
                    self._owed.append(begun + nth / self._rate)
                    nth += 1
                while self._owed and self._idle:
                    self._send(self._idle.pop(), self._owed.popleft())
                wait = max(0.0, min(begun + nth / self._rate, ends) - clock())
            else:
                while self._idle and (self._most is None or self.counts["sent"] < self._most):
                    self._send(self._idle.pop(), clock())
                wait = ends - now
            # epoll waits in whole milliseconds, select in microseconds.
            select.select([number], [], [], wait)
            self._hear()
            if every_s and now - told >= every_s:
                told = now
                print(json.dumps({"at_s": round(now - begun, 3), **self.counts}), flush=True)
        until = clock() + grace_s
        while (self._owed or any(line.busy for line in self._lines.values())) and clock() < until:
            while self._owed and self._idle:
                self._send(self._idle.pop(), self._owed.popleft())
            select.select([number], [], [], max(0.0, until - clock()))
            self._hear()
        return self._summary(begun, seconds if self._most is None else now - begun)

    def _all_answered(self) -> bool:
        return self._most is not None and self.counts["answered"] + self.counts["failed"] >= self._most

    def _hear(self) -> None:
        for number, events in self._epoll.poll(0):
            line = self._lines.get(number)
            if line is None:
                continue
            if events & select.EPOLLOUT and line.out is not None:
                self._push(line)
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                self._receive(line)

    def _send(self, line: _Line, due: float) -> None:
        line.nth = self.counts["sent"] % len(self._requests)
        self.counts["sent"] += 1
        line.busy, line.due, line.came = True, due, b""
        line.out = memoryview(self._requests[line.nth])
        self._push(line)

    def _push(self, line: _Line) -> None:
        assert line.out is not None
        try:
            sent = line.sock.send(line.out)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._fail(line, f"sending: {error}")
            return
        whole = sent == len(line.out)
        if whole != (len(line.out) == len(self._requests[line.nth])):  # begins or ends to wait for room
            self._epoll.modify(line.sock.fileno(), select.EPOLLIN if whole else select.EPOLLIN | select.EPOLLOUT)
        line.out = None if whole else line.out[sent:]

    def _receive(self, line: _Line) -> None:
        try:
            data = line.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(line, f"receiving: {error}")
            return
        if not data:
            self._fail(line, f"closed after {len(line.came)} bytes of an answer")
            return
        line.came += data
        body = self._bodies[line.nth]
        if line.came.endswith(body):
            if not line.came.startswith(_OK):
                self._note("changed", line.came)
        elif not _complete(line.came):
            return
        else:
            self._note("changed", line.came)
        self.latencies.append(time.perf_counter() - line.due)
        self.counts["answered"] += 1
        line.busy = False
        self._idle.append(line)

    def _note(self, what: str, answer: bytes) -> None:
        self.counts[what] += 1
        if len(self.problems) < 5:
            self.problems.append(f"{what}: {answer[:200]!r}")

    def _fail(self, line: _Line, why: str) -> None:
        del self._lines[line.sock.fileno()]
        line.sock.close()
        if line.busy:
            self.latencies.append(time.perf_counter() - line.due)
            self.counts["failed"] += 1
            if len(self.problems) < 5:
                self.problems.append(why)
        else:
            self._idle.remove(line)
        self._idle.append(self._connect())

    def _summary(self, begun: float, seconds: float) -> dict[str, Any]:
        """Return the figures. What got no answer counts with the time that it waited, in every quantile."""
        now = time.perf_counter()
        waiting = [now - line.due for line in self._lines.values() if line.busy] + [now - due for due in self._owed]
        found = sorted([*self.latencies, *waiting])
        quantiles = {
            f"p{text}_ms": round(found[min(len(found) - 1, int(len(found) * share))] * 1000, 4) if found else None
            for text, share in (("50", 0.5), ("90", 0.9), ("99", 0.99), ("999", 0.999))
        }
        figures = {**self.counts, "due": self.counts["sent"] + len(self._owed), "unanswered": len(waiting)}
        rate = self.counts["answered"] / max(seconds, 1e-9)
        return {"seconds": round(now - begun, 3), **figures, "rate": rate, **quantiles, "problems": self.problems}


def _exchanges(port: int, upload: int) -> tuple[list[bytes], list[bytes]]:
    """Return the requests and the bodies that answer them."""
    requests, bodies = [], []
    sent = b"u" * upload
    method = b"POST" if upload else b"GET"
    length = b"content-length: %d\r\n" % upload if upload else b""
    for nth in range(UPLOAD_PATHS if upload else PATHS):  # each holds its body
        path = b"/items/%d" % nth
        head = b"%s %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: application/json\r\nuser-agent: steady\r\n%s\r\n"
        requests.append(head % (method, path, port, length) + sent)
        bodies.append(answer_body(path, upload))
    return requests, bodies


def _complete(answer: bytes) -> bool:
    """Tell whether an answer of known length is all there."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    at = head.lower().find(b"\r\ncontent-length:")
    return at >= 0 and len(body) >= int(head[at + 17 :].split(b"\r\n", 1)[0])


def main(arguments: Sequence[str]) -> int:
    """Send once and print the summary; 1 if a request failed or an answer was another one."""
    parser = argparse.ArgumentParser(description="Send requests to a server of answers.py and compare the answers.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as many as are answered")
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long (default %(default)s)")
    parser.add_argument("--requests", type=int, help="end after so many requests")
    parser.add_argument("--connections", type=int, default=32, help="at a time (default %(default)s)")
    parser.add_argument("--upload", type=int, default=0, metavar="BYTES", help="send bodies of this size")
    parser.add_argument("--grace", type=float, default=1.0, metavar="S", help="wait so long for the last answers")
    parser.add_argument("--every", type=float, default=0.0, metavar="S", help="tell the counts so often")
    chosen = parser.parse_args(arguments)
    load = Load(
        chosen.port,
        rate=chosen.rate,
        connections=chosen.connections,
        upload=chosen.upload,
        requests=chosen.requests,
    )
    found = load.run(chosen.seconds, grace_s=chosen.grace, every_s=chosen.every)
    print(json.dumps(found), flush=True)
    return 1 if found["failed"] or found["changed"] or found["unanswered"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
