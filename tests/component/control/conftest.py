"""A whole control plane on real sockets, with fakes for what it would start: processes, and the Envoys among them."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from aiohttp import web

from microstax.api import methods
from microstax.api.address import prepare_folders, socket_path
from microstax.api.client import AsyncClient
from microstax.control import layout
from microstax.control.envoys import admin_path
from microstax.control.running import ControlPlane
from microstax.errors import MicrostaxError
from microstax.generated.management.microstax.management import v1
from microstax.generated.wire import discovery_pb2 as wire
from microstax.runtime.fake import FakeRuntime
from microstax.runtime.port import ProcessKey, ProcessRole, ProcessSpec
from microstax.store.memory import MemoryStore
from microstax.store.port import Store
from microstax.xds import XdsServer
from microstax.xds.type_urls import CLUSTER, LISTENER

DELTA_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


@dataclass
class FakeEnvoy:
    """A real xDS client that takes everything it is given, refuses it with `refusal`, or lets it wait for `hold`."""

    node_id: str
    address: str
    xds: XdsServer
    refusal: str = ""
    responses: list[Any] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    async def run(self) -> None:
        """Stay connected."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            call = channel.stream_stream(
                DELTA_METHOD,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=wire.DeltaDiscoveryResponse.FromString,
            )()
            asked: dict[str, set[str]] = {CLUSTER: set(), LISTENER: set()}
            for type_url in asked:
                await call.write(wire.DeltaDiscoveryRequest(node=wire.Node(id=self.node_id), type_url=type_url))
            async for response in call:
                self.responses.append(response)
                await self.hold.wait()
                ack = wire.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
                if self.refusal:
                    ack.error_detail.message = self.refusal
                await call.write(ack)
                await self._ask_for_what_it_names(call, asked)

    async def _ask_for_what_it_names(self, call: Any, asked: dict[str, set[str]]) -> None:
        snapshot = self.xds.snapshot(self.node_id)
        for type_url in (snapshot.type_urls if snapshot else frozenset()) - {CLUSTER, LISTENER}:
            names = set(snapshot.resources(type_url))
            new = names - asked.setdefault(type_url, set())
            if new:
                asked[type_url] |= new
                await call.write(wire.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=sorted(new)))


class RuntimeWithEnvoys(FakeRuntime):
    """A FakeRuntime whose Envoys connect to the xDS server, as real ones do."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder=folder)
        self.state = folder
        self.xds: XdsServer | None = None
        self.envoys: dict[str, FakeEnvoy] = {}
        self.refusals: dict[str, str] = {}
        self._tasks: dict[ProcessKey, asyncio.Task[None]] = {}

    async def start(self, spec: ProcessSpec) -> None:
        await super().start(spec)
        if spec.key.role is ProcessRole.ENVOY and spec.key not in self._tasks:
            node = f"{spec.key.name}~{spec.key.group}"
            address = f"unix:{socket_path(self.state, layout.XDS_SOCKET)}"
            assert self.xds is not None
            self.envoys[node] = FakeEnvoy(node, address, self.xds, refusal=self.refusals.get(node, ""))
            self._tasks[spec.key] = asyncio.get_running_loop().create_task(self.envoys[node].run())

    async def stop(self, key: ProcessKey) -> None:
        await super().stop(key)
        await self._end(key)

    async def detach(self) -> None:
        await super().detach()
        for key in list(self._tasks):
            await self._end(key)

    async def _end(self, key: ProcessKey) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await task


@dataclass
class Stage:
    """A running control plane, its fakes, and a client of its management API."""

    plane: ControlPlane
    runtime: RuntimeWithEnvoys
    store: Store
    client: AsyncClient
    folder: Path

    async def call(self, method: Any, **fields: Any) -> Any:
        """Make a unary call."""
        return await self.client.call(method, method.request(**fields))

    async def stream(self, method: Any, **fields: Any) -> list[Any]:
        """Make a streaming call and return all answers."""
        return [answer async for answer in self.client.stream(method, method.request(**fields))]

    async def create(self, name: str = "prod", text: str | None = None) -> v1.Progress:
        """Create an environment."""
        file = v1.SourceFile(name="env.yaml", text=text or ENV, directory=str(self.folder))
        return (await self.stream(methods.CREATE_ENVIRONMENT, name=name, file=file))[-1]

    async def baseline(self, name: str = "prod", text: str | None = None) -> None:
        """Create and promote an environment."""
        await self.create(name, text)
        await self.stream(methods.PROMOTE_ENVIRONMENT, name=name)

    async def overlay(self, name: str = "branch", text: str | None = None, **fields: Any) -> list[v1.Progress]:
        """Create an overlay."""
        file = v1.SourceFile(name="patch.yaml", text=text or PATCH, directory=str(self.folder))
        return await self.stream(methods.CREATE_OVERLAY, **{"name": name, "baseline": "prod", "file": file, **fields})

    async def shadow(self, name: str = "branch", **fields: Any) -> list[v1.Progress]:
        """Enable a shadow."""
        return await self.stream(methods.SET_SHADOW, overlay=name, enable=True, **fields)

    async def mirroring(self) -> None:
        """Mirror a baseline into an overlay."""
        await self.baseline()
        await self.overlay()
        await self.shadow()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; the test's time limit ends it otherwise."""
        while not condition():  # noqa: ASYNC110  # what it waits for may be anything
            await asyncio.sleep(0.01)

    async def refusal(self, call: Awaitable[Any]) -> tuple[int, str]:
        """Return exit code and sentence of a call that fails."""
        with pytest.raises(MicrostaxError) as caught:
            await call
        return caught.value.exit_code, caught.value.message


ENV = """
services:
  - {name: catalog, command: [catalog, --v1], port: 18101, dependsOn: pricing}
  - {name: pricing, command: [pricing], port: 18102}
"""
PATCH = """
services:
  - {name: catalog, command: [catalog, --v2]}
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Give a folder with a path that is short enough for sockets, so that these are in it and go with it."""
    folder = Path(tempfile.mkdtemp(prefix="msx-control-"))
    yield folder
    shutil.rmtree(folder)


StartStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]


@contextlib.asynccontextmanager
async def answering_stats(folder: Path, node_id: str, answer: Callable[[web.Request], Any]) -> AsyncIterator[None]:
    """Answer for the admin interface of a node's Envoy, where its control plane looks for it."""
    path = admin_path(folder, node_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    application = web.Application()
    application.router.add_get("/stats", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
def answering() -> Any:
    """Return what answers for an Envoy's admin interface."""
    return answering_stats


@pytest.fixture
def start(tmp_path: Path) -> StartStage:
    """Return what starts a control plane in this test's folder; again and again, if it is to come back."""
    prepare_folders(tmp_path)

    @contextlib.asynccontextmanager
    async def start(
        *, runtime: RuntimeWithEnvoys | None = None, store: Store | None = None, watch_timeout_s: float = 0.01
    ) -> AsyncIterator[Stage]:
        runtime = runtime or RuntimeWithEnvoys(tmp_path)
        store = store or MemoryStore()
        plane = ControlPlane(tmp_path, runtime=runtime, store=store, watch_timeout_s=watch_timeout_s)
        runtime.xds = plane.xds
        async with plane.serving():
            client = AsyncClient(plane.address)
            try:
                yield Stage(plane, runtime, store, client, tmp_path)
            finally:
                await client.close()

    return start


@pytest.fixture
async def stage(start: StartStage) -> AsyncIterator[Stage]:
    """Give a running control plane that knows of nothing yet."""
    async with start() as made:
        yield made
