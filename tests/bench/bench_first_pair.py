"""How long a user waits from `env shadow --enable` to the first compared pair, under steady traffic."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from load import Request, record

from microstax.api.address import management_address
from microstax.api.client import Client
from microstax.api.methods import GET_REPORT
from microstax.demo.commands import program
from microstax.demo.workspace import free_ports
from microstax.errors import MicrostaxError

RATE = 50.0
ROUNDS = 5
GIVE_UP_S = 20.0
BUDGET = "< 2 s"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802  # the name that http.server calls
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def _server() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class _Machine:
    """A control plane with one service, and overlays of it."""

    def __init__(self, folder: Path, baseline: int, branch: int) -> None:
        self.folder, self.state = folder, folder / "state"
        [self.port] = free_ports(1)
        service = f"services: [{{name: echo, url: 'http://127.0.0.1:{baseline}', port: {self.port}}}]\n"
        (folder / "env.yaml").write_text(service, encoding="utf-8")
        patch = f"services: [{{name: echo, url: 'http://127.0.0.1:{branch}'}}]\n"
        (folder / "patch.yaml").write_text(patch, encoding="utf-8")

    def microstax(self, *words: str) -> None:
        environ = {**os.environ, "MICROSTAX_STATE": str(self.state)}
        command = [*program(), *words]
        subprocess.run(command, cwd=self.folder, env=environ, check=True, capture_output=True, timeout=60)

    def first_pair_s(self, overlay: str) -> float:
        """Switch a new overlay's shadow on; return the seconds until the report shows a pair."""
        self.microstax("overlay", "create", "--baseline", "bench", "--file", "patch.yaml", "--name", overlay)
        started = time.monotonic()
        self.microstax("env", "shadow", overlay, "--enable")
        with Client(management_address(self.state)) as client:
            while not _paired(client, overlay):
                if time.monotonic() - started > GIVE_UP_S:
                    raise TimeoutError(f"no pair within {GIVE_UP_S} s")
                time.sleep(0.02)
        took = time.monotonic() - started
        self.microstax("overlay", "delete", overlay)
        return took


def _paired(client: Client, overlay: str) -> int:
    try:
        document = json.loads(client.call(GET_REPORT, GET_REPORT.request(overlay=overlay)).document)
    except MicrostaxError:
        return 0
    return int(document["coverage"]["paired"])


@contextmanager
def _traffic(port: int) -> Iterator[None]:
    """Send requests until the end of the block."""
    stop = threading.Event()

    def send() -> None:
        requests = [Request(url=f"http://127.0.0.1:{port}/{nth}") for nth in range(10)]
        while not stop.is_set():
            asyncio.run(record(requests, rate=RATE, seconds=1.0))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def run() -> list[tuple[str, str, str]]:
    """Measure a few times on one control plane; return the median and the worst."""
    with tempfile.TemporaryDirectory(prefix="microstax-bench-") as name, _server() as baseline, _server() as branch:
        machine = _Machine(Path(name), baseline, branch)
        machine.microstax("up", "--detach")
        try:
            machine.microstax("env", "create", "bench", "--file", "env.yaml")
            machine.microstax("env", "promote", "bench")
            with _traffic(machine.port):
                took = sorted(machine.first_pair_s(f"try-{nth}") for nth in range(ROUNDS))
        finally:
            machine.microstax("down")
    figure = f"{took[ROUNDS // 2]:.2f} s (worst of {ROUNDS}: {took[-1]:.2f} s)"
    return [(f"`env shadow --enable` to the first pair shown, {RATE:g} requests/s", figure, BUDGET)]


if __name__ == "__main__":
    print(*run(), file=sys.stdout)
