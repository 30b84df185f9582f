"""The xDS client inside grpcio: strict, not Envoy, and asking for everything by name."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import ApiListener, Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy_data_plane.google.protobuf import Any as AnyMessage

from microstax.xds import NackedError, Resource, Snapshot
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE

if TYPE_CHECKING:
    from conftest import Site

Serve = Callable[..., Awaitable["Site"]]
CALLER = Path(__file__).parent / "xds_caller.py"
SELF = {"self": {}}


def packed(message: Any) -> AnyMessage:
    kind = f"{type(message).__module__.removeprefix('envoy_data_plane.')}.{type(message).__name__}"
    return AnyMessage(type_url=f"type.googleapis.com/{kind}", value=bytes(message))


def listener(route_name: str = "r") -> Resource:
    manager = HttpConnectionManager.from_dict({"rds": {"routeConfigName": route_name, "configSource": SELF}})
    manager.http_filters = [HttpFilter(name="router", typed_config=packed(Router()))]
    body = Listener(name="shop", api_listener=ApiListener(api_listener=packed(manager)))
    return Resource("shop", LISTENER, bytes(body), frozenset({(ROUTE, route_name)}))


def route(cluster_name: str, name: str = "r") -> Resource:
    hosts = [{"domains": ["*"], "routes": [{"match": {"prefix": ""}, "route": {"cluster": cluster_name}}]}]
    body = RouteConfiguration.from_dict({"name": name, "virtualHosts": hosts})
    return Resource(name, ROUTE, bytes(body), frozenset({(CLUSTER, cluster_name)}))


def cluster(name: str, kind: str = "EDS") -> Resource:
    eds = {"edsConfig": SELF, "serviceName": name}
    body = Cluster.from_dict({"name": name, "type": kind, "edsClusterConfig": eds, "lbPolicy": "ROUND_ROBIN"})
    return Resource(name, CLUSTER, bytes(body), frozenset({(ENDPOINT, name)}))


def endpoints(name: str, port: int) -> Resource:
    address = {"socketAddress": {"address": "127.0.0.1", "portValue": port}}
    place = {
        "locality": {"region": "here"},
        "loadBalancingWeight": 1,
        "lbEndpoints": [{"endpoint": {"address": address}}],
    }
    return Resource(name, ENDPOINT, bytes(ClusterLoadAssignment.from_dict({"clusterName": name, "endpoints": [place]})))


def shop(cluster_name: str, port: int) -> list[Resource]:
    return [listener(), route(cluster_name), cluster(cluster_name), endpoints(cluster_name, port)]


@asynccontextmanager
async def backend(answer: str) -> AsyncIterator[int]:
    """Answer every call to the shop; yields the port."""

    async def get(_request: bytes, _context: Any) -> bytes:
        return answer.encode()

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("shop.Shop", {"Get": grpc.unary_unary_rpc_method_handler(get)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@dataclass
class Caller:
    """The program under xDS control."""

    process: asyncio.subprocess.Process

    async def call(self) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"call\n")
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().strip()

    async def call_until(self, answer: str) -> Counter[str]:
        """Call steadily until an answer comes; returns all that came."""
        seen: Counter[str] = Counter()
        async with asyncio.timeout(20):
            while not seen[answer]:
                seen[await self.call()] += 1
        return seen


@asynccontextmanager
async def caller(target: str, folder: Path) -> AsyncIterator[Caller]:
    bootstrap = {
        "xds_servers": [{"server_uri": target, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
        "node": {"id": "caller", "cluster": "tests"},
    }
    config = folder / "bootstrap.json"
    config.write_text(json.dumps(bootstrap))
    environment = {**os.environ, "GRPC_XDS_BOOTSTRAP": str(config), "GRPC_VERBOSITY": "NONE"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CALLER), "xds:///shop", env=environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Caller(process)
    finally:
        process.kill()
        await process.wait()


async def test_a_grpc_channel_is_configured_and_follows_every_change(serve: Serve, tmp_path: Path) -> None:
    """Listener, route, cluster and endpoints by name; then the endpoints move, then the route: no call fails."""
    site = await serve()
    async with backend("one") as one, backend("two") as two, caller(site.target, tmp_path) as client:
        site.xds.set_snapshot("caller", Snapshot.of(shop("a", one)))
        assert await client.call() == "one"
        status = await site.xds.wait_applied("caller", 5)
        assert {t.type_url for t in status.types} == {LISTENER, ROUTE, CLUSTER, ENDPOINT}
        assert status.user_agent.startswith("gRPC C-core")
        site.xds.set_snapshot("caller", Snapshot.of(shop("a", two)))
        assert set(await client.call_until("two")) <= {"one", "two"}
        moved = [listener(), route("b"), cluster("a"), endpoints("a", two), cluster("b"), endpoints("b", one)]
        site.xds.set_snapshot("caller", Snapshot.of(moved))
        assert set(await client.call_until("one")) <= {"one", "two"}
        site.xds.set_snapshot("caller", Snapshot.of(shop("b", one)))
        await site.xds.wait_applied("caller", 5)
        assert await client.call() == "one"
        assert sum(t.nacks for t in site.xds.totals().values()) == 0


async def test_a_grpc_client_that_refuses_a_cluster_goes_on_with_the_good_one(serve: Serve, tmp_path: Path) -> None:
    site = await serve()
    async with backend("one") as one, caller(site.target, tmp_path) as client:
        site.xds.set_snapshot("caller", Snapshot.of(shop("a", one)))
        assert await client.call() == "one"
        await site.xds.wait_applied("caller", 5)
        site.xds.set_snapshot(
            "caller", Snapshot.of([listener(), route("a"), cluster("a", "STATIC"), endpoints("a", one)])
        )
        with pytest.raises(NackedError, match="unknown discovery type") as raised:
            await site.xds.wait_applied("caller", 5)
        assert raised.value.nack.names == ("a",)
        assert await client.call() == "one"
        responses = site.xds.totals()[CLUSTER].responses
        await asyncio.sleep(0.2)
        assert site.xds.totals()[CLUSTER].responses == responses


async def test_a_listener_that_appears_while_a_call_waits_is_sent(serve: Serve, tmp_path: Path) -> None:
    site = await serve()
    async with backend("one") as one, caller(site.target, tmp_path) as client:
        site.xds.set_snapshot("caller", Snapshot.of([cluster("a"), endpoints("a", one)]))
        call = asyncio.ensure_future(client.call())
        await site.until(lambda: LISTENER in site.xds.totals(), 20)
        site.xds.set_snapshot("caller", Snapshot.of(shop("a", one)))
        assert await call == "one"


async def test_a_grpc_client_outlives_its_control_plane(serve: Serve, tmp_path: Path) -> None:
    site = await serve(socket="first.sock")
    async with backend("one") as one, backend("two") as two, caller(site.target, tmp_path) as client:
        site.xds.set_snapshot("caller", Snapshot.of(shop("a", one)))
        assert await client.call() == "one"
        await site.server.stop(None)
        assert {await client.call() for _ in range(20)} == {"one"}
        again = await serve(socket="first.sock")
        again.xds.set_snapshot("caller", Snapshot.of(shop("a", two)))
        assert set(await client.call_until("two")) == {"one", "two"}
