"""A service that answers blobs of any size, users who want them whole, and questions about who holds what."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
COPIES = "cluster.copy/blobs/branch/branch.upstream_rq_total"
BLOBS = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Blobs(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        while sys.argv[1:] and os.path.exists(sys.argv[1]):
            time.sleep(0.05)
        body = b"x" * int(self.path.split("/")[1])
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *args):
        pass

Server(("127.0.0.1", int(os.environ["PORT"])), Blobs).serve_forever()
"""


@dataclass
class Users:
    """Ask the baseline for blobs of one size, each every `pause_s`; every answer must be whole."""

    port: int
    size: int
    pause_s: float = 0.02
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            while not self._stop.wait(self.pause_s):
                begun = time.monotonic()
                try:
                    connection.request("GET", f"/{self.size}")
                    response = connection.getresponse()
                    body = response.read()
                except (OSError, HTTPException) as error:
                    self.failures.append(repr(error))
                    return
                if response.status != 200 or body != b"x" * self.size:
                    self.failures.append(f"{response.status} {len(body)}")
                self.answered += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - begun)


@contextmanager
def users(port: int, size: int, *, count: int = 4, pause_s: float = 0.02) -> Iterator[Users]:
    made = Users(port, size, pause_s)
    threads = [threading.Thread(target=made.run) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made._stop.set()
        for thread in threads:
            thread.join()
    assert made.failures == []


def place(machine: Any) -> int:
    """Put the server's file where commands run; return a port for its tee."""
    (machine.folder.parent / "blobs.py").write_text(BLOBS)
    return int(machine.free_port())


def start(machine: Any, port: int, **shadow: Any) -> Path:
    """Shadow a service into a branch that hangs while the file that is returned exists."""
    hung = Path(machine.folder.parent / "hung")
    machine.baseline(f"services: [{{name: blobs, command: [{machine.python}, blobs.py], port: {port}}}]")
    machine.overlay(f"services: [{{name: blobs, command: [{machine.python}, blobs.py, {hung}]}}]")
    machine.shadow(**{"control": "none", **shadow})
    return hung


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def tee(machine: Any) -> Any:
    return next(one for one in machine.status().envoys if one.role == "tee")


def shadow(machine: Any) -> Any:
    return machine.status().shadows[0]


def worker_pid(machine: Any) -> int:
    machine.until(lambda: machine.status().workers)
    return int(machine.status().workers[0].pid)


def copies(machine: Any) -> int:
    return int(machine.envoy_stats("tee~prod", "copy.*upstream_rq_total").get(COPIES, 0))
