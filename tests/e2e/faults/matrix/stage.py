"""The product as a user runs it, between a baseline, a branch and users of our own."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from matrix.child import Child
from matrix.kinds import STEADY
from microstax.api import methods
from microstax.api.address import management_address, socket_path
from microstax.api.client import AsyncClient
from microstax.control import layout
from microstax.errors import MicrostaxError
from microstax.generated.management.microstax.management import v1
from microstax.store.sqlite import DATABASE

BASELINE, BRANCH, PASSER = "prod", "branch", "passer"
SHOP, PRICING = "shop", "pricing"
PREFIX: Final = "msx-faults-"
ENVOYS: Final = 2
"""The tee, and the bridge of the branch."""
MAX_BODY: Final = 1024 * 1024
_METHODS: Final = ["GET", "HEAD", "POST", "PUT"]
_MIB: Final = 1024 * 1024
_PATIENCE_S: Final = 60.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def eventually(condition: Callable[[], Awaitable[Any]], what: str, *, within_s: float = _PATIENCE_S) -> Any:
    """Ask until it gives something true. Raises TimeoutError with `what`."""
    try:
        async with asyncio.timeout(within_s):
            while not (found := await condition()):  # noqa: ASYNC110  # what it waits for may be anything
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {within_s:g} s") from None
    return found


def resident_mib(pid: int) -> float:
    """Return what a process has in memory; 0 for one that is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everybody listens."""

    shop: int
    pricing: int
    baseline: int
    baseline_pricing: int
    branch: int


class Stage:
    """One state folder with all that belongs to it. Use as an async context manager."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.state = self.home / "state"
        (self.home / "owner").write_text(str(os.getpid()))
        self.ports = Ports(*(free_port() for _ in range(5)))
        self.baseline = Child("matrix.server", self.ports.baseline)
        self.pricing = Child("matrix.server", self.ports.baseline_pricing)
        self.branch = Child("matrix.server", self.ports.branch)
        self.users = Child("matrix.load", self.ports.shop)
        self._client: AsyncClient | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            for server in (self.baseline, self.pricing, self.branch):
                await server.start()
                await server.heard()
            await self.up()
            await self._prepare()
            await self.users.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in (self.users, self.branch, self.pricing, self.baseline):
            with suppress(AssertionError):
                await child.end()
        await self.forget_client()
        code, said = await run(self.state, "down")
        if code == 0:
            shutil.rmtree(self.home, ignore_errors=True)
        else:
            print(f"{self.home} is left: 'microstax down' says: {said}", file=sys.stderr)

    async def _prepare(self) -> None:
        ports = self.ports
        services = [
            {"name": SHOP, "url": f"http://127.0.0.1:{ports.baseline}", "port": ports.shop},
            {"name": PRICING, "url": f"http://127.0.0.1:{ports.baseline_pricing}", "port": ports.pricing},
        ]
        file = self.source("env.yaml", {"services": services})
        await self.stream(methods.PROMOTE_ENVIRONMENT, name=BASELINE, file=file)
        await self.backup()
        await self.overlay(BRANCH, f"http://127.0.0.1:{ports.branch}")
        await self.shadow(BRANCH)

    def source(self, name: str, document: Any) -> v1.SourceFile:
        """Return a file as the API takes it (JSON is YAML)."""
        return v1.SourceFile(name=name, text=json.dumps(document), directory=str(self.home))

    async def up(self) -> None:
        """Start the control plane. Raises RuntimeError with its own words."""
        code, said = await run(self.state, "up", "--detach")
        if code:
            raise RuntimeError(f"microstax up ended with {code}: {said}")

    # -- the API ------------------------------------------------------------------------------------------------

    @property
    def client(self) -> AsyncClient:
        """A client of the control plane that runs now."""
        if self._client is None:
            self._client = AsyncClient(management_address(self.state))
        return self._client

    async def forget_client(self) -> None:
        """Close the client: the control plane was or will be another one."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def call(self, method: Any, *, timeout_s: float = 20.0, **fields: Any) -> Any:
        """Make a call. Raises MicrostaxError."""
        return await self.client.call(method, method.request(**fields), timeout_s=timeout_s)

    async def stream(self, method: Any, **fields: Any) -> None:
        """Make a call to its end. Raises MicrostaxError."""
        async for _ in self.client.stream(method, method.request(**fields)):
            pass

    async def status(self) -> v1.GetStatusResponse:
        """Return the status."""
        found: v1.GetStatusResponse = await self.call(methods.GET_STATUS)
        return found

    async def overlay(self, name: str, url: str) -> None:
        """Create an overlay with a shop of its own."""
        file = self.source("patch.yaml", {"services": [{"name": SHOP, "url": url}]})
        await self.stream(methods.CREATE_OVERLAY, name=name, baseline=BASELINE, file=file)

    async def shadow(self, name: str, *, enable: bool = True) -> None:
        """Switch a shadow: everything is mirrored that can be."""
        asked: dict[str, Any] = {}
        if enable:
            asked = {"methods": _METHODS, "unsafe_methods": True, "control": "none", "max_body_bytes": MAX_BODY}
            asked |= {"max_rps": 5000}
        await self.stream(methods.SET_SHADOW, overlay=name, enable=enable, **asked)

    async def report(self) -> dict[str, Any]:
        """Return the branch's report."""
        answered = await self.call(methods.GET_REPORT, overlay=BRANCH)
        found: dict[str, Any] = json.loads(answered.document)
        return found

    async def ready(self) -> None:
        """Wait until everything is as it should be before a fault: Envoys, a worker, the shadow on and not paused.

        What the last fault has paused is switched off and on: that ends a pause at once, and begins the report anew.
        """

        async def is_ready() -> bool:
            with suppress(MicrostaxError):
                status = await self.status()
                workers = [one for one in status.workers if Path(f"/proc/{one.pid}").exists()]
                if len(status.envoys) != ENVOYS or len(workers) != 1:
                    return False
                if not all(envoy.connected and envoy.applied for envoy in status.envoys):
                    return False
                (shadow,) = (one for one in status.shadows if one.overlay == BRANCH)
                if shadow.paused or not shadow.enabled or shadow.adjusted:
                    await self.shadow(BRANCH, enable=False)
                    await self.shadow(BRANCH)
                    await self.users.say(mix=STEADY)
                    return False
                if not (await self.report())["coverage"]["mirrored"]:
                    # Until a counter that began anew was read once, its growth cannot be told from what it had before.
                    await self.users.say(mix=STEADY)
                    return False
                return all(one.current_ppm == one.sample_ppm for one in shadow.services)
            return False

        try:
            await eventually(is_ready, "the stage is not ready", within_s=2 * _PATIENCE_S)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {await self.status()}") from None
        finally:
            await self.users.say(mix={}, settle=True)

    # -- the tee ------------------------------------------------------------------------------------------------

    async def tee_pid(self) -> int:
        """Return the process of the tee."""
        node = layout.tee_node(BASELINE)
        return next((envoy.pid for envoy in (await self.status()).envoys if envoy.node_id == node), 0)

    @asynccontextmanager
    async def admin(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask the tee's admin interface."""
        connector = aiohttp.UnixConnector(str(socket_path(self.state, layout.admin_socket(layout.tee_node(BASELINE)))))
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as session,
            session.request(method, f"http://envoy{path}", **options) as response,
        ):
            yield response

    async def counters(self, pattern: str) -> dict[str, int]:
        """Return the tee's statistics that match."""
        async with self.admin("GET", f"/stats?format=json&filter={pattern}") as response:
            found = json.loads(await response.read())["stats"]
        return {one["name"]: one["value"] for one in found if "value" in one}

    async def held_mib(self) -> float:
        """Return what the tee has in memory without what its allocator has free and keeps for the next burst."""
        async with self.admin("GET", "/memory") as response:
            free = int(json.loads(await response.read())["pageheap_free"])
        return resident_mib(await self.tee_pid()) - free / _MIB

    async def mirroring(self, *, on: bool) -> None:
        """Switch mirroring in the tee itself, above what the control plane says: works whoever is dead."""
        value = "" if on else "0"
        keys = "&".join(f"microstax.mirror.{SHOP}.branch.{name}={value}" for name in (BRANCH, PASSER))
        async with self.admin("POST", f"/runtime_modify?{keys}") as response:
            assert response.status == 200, await response.text()

    async def mirrored(self) -> int:
        """Return how many copies for the branch the tee has made."""
        found = await self.counters(f"^cluster.copy/{SHOP}/branch/{BRANCH}.upstream_rq_total$")
        return sum(found.values())

    # -- the control plane ----------------------------------------------------------------------------------------

    @property
    def database(self) -> Path:
        """The store."""
        return self.state / DATABASE

    async def kill_control(self) -> None:
        """Kill -9 the control plane; Envoys and worker go on."""
        pid = (await self.status()).pid
        await self.forget_client()
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: _gone(pid), "the control plane is not dead")

    async def backup(self) -> None:
        """Keep the state of now as the older one."""
        await self.copy_database(self.state, self.home / "older")

    @staticmethod
    async def copy_database(source: Path, target: Path) -> None:
        """Copy the database by SQLite's own backup, which takes what stands in its log as well."""
        import sqlite3

        target.mkdir(exist_ok=True)

        def copy() -> None:
            name = DATABASE
            (target / name).unlink(missing_ok=True)
            with sqlite3.connect(source / name) as old, sqlite3.connect(target / name) as new:
                old.backup(new)
            old.close()
            new.close()

        await asyncio.to_thread(copy)

    def remove_database(self) -> None:
        """Take the database and its log away."""
        for file in self.state.glob(f"{DATABASE}*"):
            file.unlink()


async def _gone(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


async def run(state: Path, *words: str) -> tuple[int, str]:
    """Run the command line; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "microstax", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "MICROSTAX_STATE": str(state)},
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace").strip()


async def tidy_up() -> None:
    """End what a run left behind that was itself killed."""
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = home / "owner"
        if owner.exists() and not Path(f"/proc/{owner.read_text()}").exists():
            if (home / "state").exists():
                await run(home / "state", "down")
            shutil.rmtree(home, ignore_errors=True)
