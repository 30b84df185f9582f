"""The real product for a measurement: `microstax up` in a folder of its own, driven by its own commands."""

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from programs import load

from microstax.api.address import STATE_VARIABLE, socket_path
from microstax.control import layout
from microstax.demo.commands import program
from microstax.demo.workspace import free_ports
from microstax.envoy.stats import Counters, MirrorKey
from microstax.model.exchange import Side
from microstax.runtime.marker import marked_processes
from microstax.worker import admin

SERVICE: Final = "items"
LOWEST: Final = 500.0
STEP: Final = 1.5
TRY_S: Final = 4.0
"""Long enough for a share that is too high to fall."""
WHOLE: Final = 0.97
"""Of a rate that is answered and copied as a whole, at least so much is seen by the end."""
UNLIMITED: Final = ("--max-rps", "1000000", "--max-total-rps", "1000000")


class Product:
    """A control plane and what it runs. Each environment has one service: a server that runs already."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.ports: dict[str, int] = {}

    def run(self, *words: str, timeout_s: float = 90.0) -> str:
        """Run a command; return what it printed. Raises RuntimeError with its own words."""
        environ = {**os.environ, STATE_VARIABLE: str(self.state)}
        done = subprocess.run(
            [*program(), *words],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-500:]
            raise RuntimeError(f"'microstax {' '.join(words)}' ended with {done.returncode}: {said}")
        return done.stdout

    def document(self, *words: str) -> Any:
        """Run a command with `-o json`; return what it says."""
        return json.loads(self.run(*words, "-o", "json"))

    def environment(self, name: str, baseline: int) -> int:
        """Put a tee before the server on port `baseline`; return the port that users call."""
        [port] = free_ports(1)
        file = self.folder / f"{name}.env.yaml"
        file.write_text(f"services: [{{name: {SERVICE}, url: 'http://127.0.0.1:{baseline}', port: {port}}}]\n")
        self.run("env", "create", name, "--file", file.name)
        self.run("env", "promote", name)
        self.ports[name] = port
        return port

    def overlay(self, name: str, baseline: str, branch: int) -> None:
        """Make an overlay whose service is the server on port `branch`."""
        file = self.folder / f"{name}.patch.yaml"
        file.write_text(f"services: [{{name: {SERVICE}, url: 'http://127.0.0.1:{branch}'}}]\n")
        self.run("overlay", "create", "--baseline", baseline, "--file", file.name, "--name", name)

    def shadow(self, overlay: str, *options: str) -> None:
        """Enable an overlay's shadow, without a control and without a limit on pairs, and with `options`."""
        self.run("env", "shadow", overlay, "--enable", "--control", "none", *UNLIMITED, *options)

    def capacity(self, environment: str, overlay: str, port: int, *, connections: int) -> float:
        """Return the highest rate of requests a second of those tried that is answered in time and copied as a whole.

        It is LOWEST where none above that is. In a closed loop more are answered and fewer copied, since the share
        falls to what the worker bears.
        """
        found = LOWEST
        for rate in (LOWEST * STEP**nth for nth in range(1, 20)):
            self.shadow(overlay)
            try:
                load(port, rate=rate, seconds=0.5, connections=connections)  # the shares have come to every thread
                before = self.mirrored(environment, overlay)
                asked = load(port, rate=rate, seconds=TRY_S, connections=connections)
                copied = self.mirrored(environment, overlay) - before
            finally:
                self.unshadow(overlay)
            if min(copied, asked["answered"]) < WHOLE * rate * TRY_S:
                break
            found = rate
        return found

    def unshadow(self, overlay: str) -> None:
        """Disable an overlay's shadow."""
        self.run("env", "shadow", overlay, "--disable")

    def processes(self) -> dict[str, int]:
        """Return the pids of what microstax itself runs: `control plane`, `worker`, and each Envoy by its node."""
        found = {str(one.key): one.info.identity.pid for one in marked_processes(self.state)}
        named = {"control plane": int(self.document("status")["pid"])}
        if worker := found.get(str(layout.worker_key())):
            named["worker"] = worker
        for environment in self.ports:
            node = layout.tee_node(environment)
            named[node] = found[str(layout.envoy_key(node))]
        return named

    def counters(self, node: str) -> Counters:
        """Return what an Envoy counted, by its admin socket."""
        path = socket_path(self.state, layout.admin_socket(node))
        return asyncio.run(admin.counters(f"unix:{path}"))

    def mirrored(self, environment: str, overlay: str) -> int:
        """Return the copies that a tee has made or dropped for an overlay since its shadow was switched on."""
        counters = self.counters(layout.tee_node(environment)).mirrors
        found = counters.get(MirrorKey(SERVICE, overlay, Side.BRANCH))
        return found.mirrored + found.dropped if found else 0


@contextmanager
def running(prefix: str) -> Iterator[Product]:
    """Run a control plane for the block, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        product = Product(Path(name))
        product.run("up", "--detach")
        try:
            yield product
        finally:
            product.run("down")
