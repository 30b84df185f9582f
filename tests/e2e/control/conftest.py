"""The product as a user runs it: `microstax up --detach`, real Envoys, servers of one's own, load all the while."""

import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine
from loopback_ports import free_port

from microstax.api import methods
from microstax.api.address import management_address, socket_path
from microstax.api.client import Client
from microstax.control import layout
from microstax.control.envoys import BINARY_VARIABLE
from microstax.errors import MicrostaxError
from microstax.generated.management.microstax.management import v1

SHOP = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        price = 12 if sys.argv[1] == "v1" else "12"
        body = json.dumps({"path": self.path, "price": price}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever()
"""


@dataclass
class OwnServer:
    """A server that has nothing to do with microstax; keeps what it was sent."""

    answer: dict[str, Any]
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        own = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:  # noqa: N802  # the library's name
                own.requests.append((self.command, self.path))
                self.rfile.read(int(self.headers.get("content-length") or 0))
                body = json.dumps({**own.answer, "path": self.path}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815  # as above

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def own_server() -> Iterator[Callable[[dict[str, Any]], OwnServer]]:
    """Return what starts a server that answers with a document of one's own."""
    running: list[ThreadingHTTPServer] = []

    def start(answer: dict[str, Any]) -> OwnServer:
        own = OwnServer(answer)
        server = ThreadingHTTPServer(("127.0.0.1", 0), own.handler())
        own.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return own

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@dataclass
class Load:
    """Requests at a steady pace from threads of their own; every response is counted."""

    port: int
    ok: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests were answered, or one failed."""
        goal = self.ok + more
        while self.ok < goal and not self.failures:
            time.sleep(0.02)

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = 0
        while not self._stop.wait(0.02):
            sent += 1
            problem = self._ask(connection, f"/products/{number}{sent % 50:02}")
            with self._lock:
                if problem:
                    self.failures.append(problem)
                else:
                    self.ok += 1
        connection.close()

    @staticmethod
    def _ask(connection: http.client.HTTPConnection, path: str) -> str:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return repr(error)
        return "" if response.status == 200 and json.loads(body)["path"] == path else f"{response.status} {body!r}"


@pytest.fixture
def load() -> type[Load]:
    """Return what loads a port; use it as a context manager."""
    return Load


@dataclass
class Machine:
    """A state folder with a control plane that is started and killed at will."""

    folder: Path
    binary: str

    python: str = sys.executable

    @property
    def line(self) -> CommandLine:
        """The command line of this machine."""
        return CommandLine(self.folder.parent, self.folder, {BINARY_VARIABLE: self.binary})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return self.line(*words)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command line."""
        return self.line.start(*words)

    free_port = staticmethod(free_port)

    def up(self) -> None:
        """Start the control plane in the background."""
        done = self.run("up", "--detach")
        assert done.returncode == 0, done.stderr

    def status(self) -> v1.GetStatusResponse:
        return self.call(methods.GET_STATUS)

    def call(self, method: Any, **fields: Any) -> Any:
        with Client(management_address(self.folder)) as client:
            return client.call(method, method.request(**fields))

    def stream(self, method: Any, **fields: Any) -> list[v1.Progress]:
        with Client(management_address(self.folder)) as client:
            return list(client.stream(method, method.request(**fields)))

    def baseline(self, text: str) -> None:
        file = v1.SourceFile(name="env.yaml", text=text, directory=str(self.folder.parent))
        self.stream(methods.PROMOTE_ENVIRONMENT, name="prod", file=file)

    def overlay(self, text: str) -> None:
        file = v1.SourceFile(name="patch.yaml", text=text, directory=str(self.folder.parent))
        self.stream(methods.CREATE_OVERLAY, name="branch", baseline="prod", file=file)

    def shadow(self, **fields: Any) -> None:
        self.stream(methods.SET_SHADOW, overlay="branch", enable=True, **fields)
        self.until(lambda: bool(self.status().workers))

    def report(self) -> Any:
        return json.loads(self.call(methods.GET_REPORT, overlay="branch").document)

    def paired(self) -> int:
        """Return how many pairs were compared by now."""
        return int(self.report()["coverage"]["paired"])

    def report_refusal(self) -> int:
        """Return the exit code of a report that is refused."""
        with pytest.raises(MicrostaxError) as caught:
            self.report()
        return caught.value.exit_code

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            time.sleep(0.1)

    def envoy_stats(self, node: str, pattern: str) -> dict[str, int]:
        """Read an Envoy's statistics from its admin socket."""
        with closing(_UnixConnection(socket_path(self.folder, layout.admin_socket(node)))) as connection:
            connection.request("GET", f"/stats?format=json&filter={pattern}")
            found = json.loads(connection.getresponse().read())["stats"]
        return {one["name"]: one["value"] for one in found if "value" in one}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


@pytest.fixture
def machine(envoy_binary: str) -> Iterator[Machine]:
    """Give a machine whose control plane runs; whatever a test kills, nothing is left behind."""
    home = Path(tempfile.mkdtemp(prefix="msx-control-"))
    made = Machine(home / "state", envoy_binary)
    (home / "shop.py").write_text(SHOP)
    made.up()
    try:
        yield made
    finally:
        if made.run("status").returncode != 0:
            made.up()
        assert made.run("down").returncode == 0
        shutil.rmtree(home)
