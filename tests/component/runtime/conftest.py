"""A runtime in a folder of its own, with nothing of it left when a test ends; small programs to run in it."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from microstax.model.environment import LOOPBACK, Address, HealthCheck
from microstax.runtime.local import LocalRuntime
from microstax.runtime.port import ProcessKey, ProcessSpec
from microstax.runtime.procfs import is_alive
from microstax.runtime.termination import all_members

SERVER = """
import http.server, os, sys
print("listening", flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(os.environ.get("ANSWER", "200"))); self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

KEY = ProcessKey("production", "catalog")
QUICK = HealthCheck(interval_s=0.05)


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[LocalRuntime]:
    """Give an open runtime; all that it started is gone after the test."""
    one = LocalRuntime(tmp_path / "state")
    await one.open()
    yield one
    await one.stop_all()
    await one.detach()
    assert not [process for process in all_members(tmp_path / "state") if is_alive(process)]


@pytest.fixture
def python_spec(runtime: LocalRuntime) -> Callable[..., ProcessSpec]:
    """Make a spec that runs a Python program: `python_spec(source, *, health, address, key, **environ)`."""

    def make(
        source: str, *, key: ProcessKey = KEY, health: HealthCheck | None = None, address: Address | None = None,
        stop_timeout_s: float = 2.0, **environ: str,
    ) -> ProcessSpec:  # fmt: skip
        return ProcessSpec(
            key=key,
            command=(sys.executable, "-c", source),
            environ=environ,
            health=health,
            address=address,
            stop_timeout_s=stop_timeout_s,
        )

    return make


@pytest.fixture
def server_spec(runtime: LocalRuntime, python_spec: Callable[..., ProcessSpec]) -> Callable[..., ProcessSpec]:
    """Make a spec of an HTTP server on a free port."""

    def make(*, key: ProcessKey = KEY, path: str | None = "/healthz", **environ: str) -> ProcessSpec:
        address = Address(LOOPBACK, runtime.free_port())
        health = HealthCheck(path=path, interval_s=0.05)
        return python_spec(SERVER, key=key, health=health, address=address, **environ)

    return make
