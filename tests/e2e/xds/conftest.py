"""A real Envoy that takes its configuration from a server under test, a backend, and steady traffic through both.

Everything listens on unix sockets below one temporary folder, so that nothing can collide.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import grpc
import pytest
from aiohttp import web
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import ExtensionConfigSource, TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy_data_plane.envoy.service.runtime.v3 import Runtime
from envoy_data_plane.google.protobuf import Any as AnyMessage

from microstax.xds import Resource, XdsOptions, XdsServer
from microstax.xds.type_urls import CLUSTER, ENDPOINT, EXTENSION_CONFIG, LISTENER, ROUTE, RUNTIME

TTL_FEATURES = ["xds.config.supports-resource-ttl", "xds.config.supports-resource-in-sotw"]
ADS = {"ads": {}, "resourceApiVersion": "V3"}


def packed(message: Any) -> AnyMessage:
    kind = f"{type(message).__module__.removeprefix('envoy_data_plane.')}.{type(message).__name__}"
    return AnyMessage(type_url=f"type.googleapis.com/{kind}", value=bytes(message))


def cluster(name: str, *, service: str | None = None, **fields: Any) -> Resource:
    """Return an EDS cluster; its service name is its own name unless told otherwise."""
    service = service or name
    eds = {"edsConfig": ADS, "serviceName": service}
    body = Cluster.from_dict({"name": name, "type": "EDS", "edsClusterConfig": eds, "connectTimeout": "1s", **fields})
    return Resource(name, CLUSTER, bytes(body), frozenset({(ENDPOINT, service)}))


def endpoints(name: str, *sockets: Path) -> Resource:
    targets = [{"endpoint": {"address": {"pipe": {"path": str(path)}}}} for path in sockets]
    body = ClusterLoadAssignment.from_dict({"clusterName": name, "endpoints": [{"lbEndpoints": targets}]})
    return Resource(name, ENDPOINT, bytes(body))


def route(name: str, cluster_name: str, **action: Any) -> Resource:
    hosts = [{"name": "all", "domains": ["*"], "routes": [_route(cluster_name, action)]}]
    body = RouteConfiguration.from_dict({"name": name, "virtualHosts": hosts})
    return Resource(name, ROUTE, bytes(body), frozenset({(CLUSTER, cluster_name)}))


def _route(cluster_name: str, action: dict[str, Any]) -> dict[str, Any]:
    return {"match": {"prefix": "/"}, "route": {"cluster": cluster_name, **action}}


def extension(name: str, value: str) -> Resource:
    """Return an HTTP filter's configuration that adds the response header `x-extension`."""
    header = {"header": {"key": "x-extension", "value": value}}
    filter_config = HeaderMutation.from_dict({"mutations": {"responseMutations": [{"append": header}]}})
    body = TypedExtensionConfig(name=name, typed_config=packed(filter_config))
    return Resource(name, EXTENSION_CONFIG, bytes(body))


def listener(name: str, path: Path, route_name: str, *, extension_name: str = "") -> Resource:
    """Return an HTTP listener on a unix socket, optionally with a filter whose configuration is served as well."""
    manager = HttpConnectionManager.from_dict(
        {"statPrefix": name, "rds": {"routeConfigName": route_name, "configSource": ADS}}
    )
    manager.http_filters = [HttpFilter(name="router", typed_config=packed(Router()))]
    if extension_name:
        source = ExtensionConfigSource.from_dict({"configSource": ADS})
        source.type_urls = [packed(HeaderMutation()).type_url]
        manager.http_filters.insert(0, HttpFilter(name=extension_name, config_discovery=source))
    body = Listener.from_dict({"name": name, "address": {"pipe": {"path": str(path)}}})
    body.filter_chains = [FilterChain(filters=[Filter(name="hcm", typed_config=packed(manager))])]
    return Resource(name, LISTENER, bytes(body), frozenset({(ROUTE, route_name)}))


def runtime(name: str, *, ttl_s: float | None = None, **layer: Any) -> Resource:
    return Resource(name, RUNTIME, bytes(Runtime.from_dict({"name": name, "layer": layer})), ttl_s=ttl_s)


def bootstrap(folder: Path, *, delta: bool) -> dict[str, Any]:
    """Return Envoy's own configuration: where its control plane is, and that everything else comes from there."""
    server = {"endpoint": {"address": {"pipe": {"path": str(folder / "xds.sock")}}}}
    keepalive = {"interval": "0.3s", "timeout": "5s"}
    http2 = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {"connection_keepalive": keepalive}},
    }
    return {
        "node": {"id": "edge", "cluster": "tests", "client_features": TTL_FEATURES},
        "admin": {"address": {"pipe": {"path": str(folder / "admin.sock")}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if delta else "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
                "set_node_on_first_message_only": True,
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "layered_runtime": {
            "layers": [{"name": "served", "rtds_layer": {"name": "served", "rtds_config": {
                "ads": {}, "resource_api_version": "V3"}}}],
        },
        "static_resources": {
            "clusters": [{
                "name": "xds", "type": "STATIC", "connect_timeout": "1s",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                },
                "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [server]}]},
            }],
        },
    }  # fmt: skip


@dataclass(slots=True)
class Envoy:
    """A running Envoy: its admin interface, its statistics, and requests through its listener."""

    folder: Path
    process: asyncio.subprocess.Process

    async def admin(self, path: str) -> str:
        connector = aiohttp.UnixConnector(str(self.folder / "admin.sock"))
        async with aiohttp.ClientSession(connector=connector) as session, session.get(f"http://admin{path}") as reply:
            return await reply.text()

    async def stat(self, name: str) -> int:
        lines = (await self.admin(f"/stats?filter=^{name}$")).splitlines()
        return int(lines[0].rpartition(":")[2]) if lines else 0

    async def get(self, path: str = "/", socket: str = "edge.sock") -> tuple[int, str]:
        connector = aiohttp.UnixConnector(str(self.folder / socket))
        async with aiohttp.ClientSession(connector=connector) as session, session.get(f"http://edge{path}") as reply:
            return reply.status, await reply.text()

    async def header(self, name: str) -> str | None:
        """Return a response header of a request through the listener."""
        connector = aiohttp.UnixConnector(str(self.folder / "edge.sock"))
        async with aiohttp.ClientSession(connector=connector) as session, session.get("http://edge/") as reply:
            return reply.headers.get(name)


@dataclass(slots=True)
class Traffic:
    """Steady requests, each on a connection of its own or a kept one; counts what came back."""

    seen: Counter[str] = field(default_factory=Counter)

    async def until(self, enough: Callable[["Traffic"], bool]) -> None:
        """Wait until the condition holds of what has been seen."""
        async with asyncio.timeout(20):
            while not enough(self):  # noqa: ASYNC110 (what is waited for has no event of its own)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def steady_traffic(socket: Path) -> AsyncIterator[Traffic]:
    traffic = Traffic()

    async def ask() -> None:
        connector = aiohttp.UnixConnector(str(socket))
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                try:
                    async with session.get("http://edge/") as reply:
                        traffic.seen[f"{reply.status} {await reply.text()}"] += 1
                except (aiohttp.ClientError, TimeoutError) as error:
                    traffic.seen[f"failed {type(error).__name__}"] += 1
                await asyncio.sleep(0.005)

    tasks = [asyncio.ensure_future(ask()) for _ in range(3)]
    try:
        yield traffic
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def backend(socket: Path, answer: str) -> AsyncIterator[Path]:
    """Serve `answer` for every request."""

    async def reply(_request: web.Request) -> web.Response:
        return web.Response(text=answer)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", reply)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    try:
        yield socket
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(folder: Path, options: XdsOptions | None = None) -> AsyncIterator[XdsServer]:
    """Run the server under test on the socket where the Envoys of this folder look for it."""
    xds = XdsServer(options)
    server = grpc.aio.server(options=xds.options.grpc_options())
    xds.add_to(server)
    server.add_insecure_port(f"unix:{folder / 'xds.sock'}")
    await server.start()
    try:
        yield xds
    finally:
        await xds.stop(1)
        await server.stop(0)


@asynccontextmanager
async def running_envoy(binary: str, folder: Path, *, delta: bool) -> AsyncIterator[Envoy]:
    config = folder / "bootstrap.json"
    config.write_text(json.dumps(bootstrap(folder, delta=delta)))
    command = [binary, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        yield Envoy(folder, process)
    finally:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(10):
                await process.wait()


@dataclass(slots=True)
class World:
    """An Envoy, the server that it takes its configuration from, and two backends."""

    xds: XdsServer
    envoy: Envoy
    one: Path
    two: Path

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 (what is waited for has no event of its own)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def site(binary: str, folder: Path, *, delta: bool) -> AsyncIterator[World]:
    async with (
        backend(folder / "one.sock", "one") as one,
        backend(folder / "two.sock", "two") as two,
        serving(folder) as xds,
        running_envoy(binary, folder, delta=delta) as envoy,
    ):
        yield World(xds, envoy, one, two)


def is_applied(xds: XdsServer, type_url: str) -> bool:
    """Return whether the (only) Envoy has applied what it should have of one type."""
    statuses = xds.status()
    return not statuses[0].push_due and any(t.applied for t in statuses[0].types if t.type_url == type_url)


async def until_answers(envoy: Envoy) -> None:
    """Wait until a request through Envoy is answered by a backend."""
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError, aiohttp.ClientError):
                if (await envoy.get())[0] == 200:
                    return
            await asyncio.sleep(0.05)


@pytest.fixture
def kit() -> SimpleNamespace:
    """Return what the tests of this folder build their worlds from."""
    offered = (
        cluster, endpoints, route, listener, runtime, extension, backend, site, serving, steady_traffic, running_envoy,
        is_applied, until_answers,
    )  # fmt: skip
    return SimpleNamespace(**{function.__name__: function for function in offered})


@pytest.fixture(params=["sotw", "delta"])
def delta(request: pytest.FixtureRequest) -> bool:
    """Both forms of the protocol."""
    return request.param == "delta"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a short name: a unix socket's path has at most 107 characters."""
    return tmp_path_factory.mktemp("x")
