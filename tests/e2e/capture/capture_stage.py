"""A real tee between a client and two servers, and the worker's view of it in this process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
from loopback_ports import free_port

from microstax.capture import Command, Paired
from microstax.envoy import arguments, bootstrap
from microstax.envoy.build import build
from microstax.generated.management.microstax.management.v1 import Target, TargetShadow
from microstax.model.environment import Address
from microstax.model.exchange import Side, Triple
from microstax.model.plan import Mirror, TeePlan, TeeService
from microstax.worker.admin import AdminError, get
from microstax.worker.ledger import Ledger
from microstax.worker.node import Node
from microstax.worker.notices import Notices
from microstax.xds import Resource, Snapshot, XdsOptions, XdsServer

MILLION = 1_000_000
OVERLAY, SERVICE, NODE = "next", "catalog", "tee~shop"


async def until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait until `condition` holds, which other processes bring about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        await asyncio.sleep(0.02)


@dataclass
class Recorder(Ledger):
    """A ledger that also keeps what it was given."""

    commands: list[Command] = field(default_factory=list)

    def take(self, command: Command, *, at_ms: int, node_id: str = "") -> None:
        """Keep and count."""
        self.commands.append(command)
        super().take(command, at_ms=at_ms, node_id=node_id)

    def triple(self, path: str) -> Triple:
        """Return the one triple of a path."""
        (found,) = [
            one.triple for one in self.commands if isinstance(one, Paired) and one.triple.baseline.request.path == path
        ]
        return found

    def reasons(self) -> dict[str, int]:
        """Return what was not compared so far, by reason."""
        delta = self.cut(at_ms=1, lag_ms=0, pending={}, force=True)
        return {} if delta is None or not delta.services else delta.services[0].not_compared


@dataclass
class Stage:
    """An Envoy with one mirrored service, or `more` at these ports too, and a Node that watches it."""

    folder: Path
    binary: str
    baseline: Address
    branch: Address
    timeout_ms: int = 15_000
    max_body: int = 65_536
    port: int = field(default_factory=free_port)
    more: tuple[int, ...] = ()
    node_id: str = NODE
    ledger: "Recorder" = field(default_factory=lambda: Recorder("test"))
    envoy: asyncio.subprocess.Process | None = None

    @property
    def admin(self) -> str:
        return f"unix:{self.folder}/admin.sock"

    @property
    def plan(self) -> TeePlan:
        mirror = Mirror(
            overlay=OVERLAY,
            side=Side.BRANCH,
            address=self.branch,
            ppm=MILLION,
            methods=("GET", "HEAD"),
            max_body_bytes=self.max_body,
            timeout_ms=self.timeout_ms,
        )
        services = [
            TeeService(name=name, listen=Address("127.0.0.1", port), upstream=self.baseline, mirrors=(mirror,))
            for name, port in self.services.items()
        ]
        return TeePlan(node_id=self.node_id, environment="shop", services=tuple(services))

    @property
    def services(self) -> dict[str, int]:
        """The ports of the services, by name."""
        return {SERVICE: self.port, **{f"{SERVICE}-{number}": port for number, port in enumerate(self.more, 2)}}

    @property
    def target(self) -> Target:
        shadows = [
            TargetShadow(
                overlay=OVERLAY,
                service=name,
                control="none",
                max_body_bytes=self.max_body,
                timeout_ms=self.timeout_ms,
            )
            for name in self.services
        ]
        return Target(node_id=self.node_id, role="tee", admin_address=self.admin, shadows=shadows)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Stage"]:
        """Run the xDS server and Envoy."""
        server = grpc.aio.server(options=XdsOptions().grpc_options())
        xds = XdsServer(XdsOptions())
        xds.add_to(server)
        server.add_insecure_port(f"unix:{self.folder}/ads.sock")
        await server.start()
        found = [Resource(one.name, one.type_url, one.body, one.references) for one in build(self.plan)]
        xds.set_snapshot(self.node_id, Snapshot.of(found))
        try:
            await self.start_envoy()
            await xds.wait_applied(self.node_id, 20)
            yield self
        finally:
            await self.stop_envoy()
            await server.stop(0)

    async def start_envoy(self) -> None:
        config = bootstrap(
            node_id=self.node_id,
            cluster="shop",
            ads=f"{self.folder}/ads.sock",
            admin=f"{self.folder}/admin.sock",
        )
        (self.folder / "envoy.json").write_text(config)
        command = arguments(self.binary, str(self.folder / "envoy.json"), concurrency=2)
        with (self.folder / "envoy.log").open("ab") as log:
            self.envoy = await asyncio.create_subprocess_exec(*command, stderr=log)
        await self._until_ready()

    async def stop_envoy(self, *, kill: bool = False) -> None:
        if self.envoy is not None and self.envoy.returncode is None:
            self.envoy.kill() if kill else self.envoy.terminate()
            await self.envoy.wait()

    async def _until_ready(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(AdminError):
                if await get(self.admin, "/ready") == b"LIVE\n":
                    with suppress(OSError):
                        (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
                        return
            await asyncio.sleep(0.05)
        raise TimeoutError((self.folder / "envoy.log").read_text())

    @asynccontextmanager
    async def watched(self, *, wait: bool = True) -> AsyncIterator[Node]:
        """Watch the Envoy as a worker does; everything that was captured has been taken in at the end."""
        node = Node(self.target, self.ledger, Notices())
        async with asyncio.TaskGroup() as group:
            group.create_task(node.run())
            if wait:
                await until(lambda: node.polls > 0)
            yield node
            node.stop()
