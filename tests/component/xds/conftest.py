"""A real gRPC server with the xDS services on a unix socket, and raw gRPC clients of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from microstax.generated.wire import discovery_pb2 as wire
from microstax.xds import Variant, XdsOptions, XdsServer
from microstax.xds.type_urls import AGGREGATED_METHODS, AGGREGATED_SERVICE, SINGLE_TYPE_SERVICES

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]


@dataclass
class RawClient:
    """One discovery stream that does only what a test says."""

    call: Any
    channel: grpc.aio.Channel
    variant: Variant
    node: wire.Node | None
    asked: dict[str, list[str]] = field(default_factory=dict)

    async def ask(self, type_url: str, *names: str, **fields: Any) -> None:
        """Ask for names; the first request holds the node."""
        node, self.node = self.node, None
        self.asked[type_url] = list(names)
        if self.variant is Variant.DELTA:
            request = wire.DeltaDiscoveryRequest(type_url=type_url, node=node, resource_names_subscribe=names, **fields)
        else:
            request = wire.DiscoveryRequest(type_url=type_url, node=node, resource_names=names, **fields)
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):  # refused already: `code` tells why
            await self.call.write(request)

    async def read(self, timeout_s: float = 5) -> Any:
        async with asyncio.timeout(timeout_s):
            return await self.call.read()

    async def answer(self, response: Any, error: str | None = None) -> None:
        detail = None if error is None else wire.Status(code=3, message=error)
        if self.variant is Variant.DELTA:
            request = wire.DeltaDiscoveryRequest(
                type_url=response.type_url, response_nonce=response.nonce, error_detail=detail
            )
        else:
            request = wire.DiscoveryRequest(
                type_url=response.type_url, response_nonce=response.nonce, error_detail=detail,
                version_info=response.version_info, resource_names=self.asked.get(response.type_url, []),
            )  # fmt: skip
        await self.call.write(request)

    async def silent(self, seconds: float = 0.2) -> bool:
        """Return whether nothing arrives for a while; ends the stream's use."""
        try:
            await self.read(seconds)
        except TimeoutError:
            return True
        return False

    async def code(self) -> str:
        """Return how the server ended the stream."""
        async with asyncio.timeout(5):
            return (await self.call.code()).name


@dataclass
class Site:
    """A server under test, with a way to connect to it."""

    xds: XdsServer
    server: grpc.aio.Server
    target: str
    stack: AsyncExitStack

    async def dial(self, variant: Variant, node: str = "n", *, type_url: str | None = None) -> RawClient:
        channel = await self.stack.enter_async_context(grpc.aio.insecure_channel(self.target, options=UNLIMITED))
        index = list(Variant).index(variant)
        if type_url is None:
            path = f"/{AGGREGATED_SERVICE}/{AGGREGATED_METHODS[index]}"
        else:
            service, *methods = SINGLE_TYPE_SERVICES[type_url]
            path = f"/{service}/{methods[index]}"
        kind = wire.DeltaDiscoveryResponse if variant is Variant.DELTA else wire.DiscoveryResponse
        call = channel.stream_stream(
            path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=kind.FromString
        )()
        return RawClient(call, channel, variant, wire.Node(id=node))

    async def until(self, condition: Callable[[], bool], timeout_s: float = 5) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 (what is waited for has no event of its own)
                await asyncio.sleep(0.01)


@pytest.fixture
async def serve(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[..., Awaitable[Site]]]:
    """Start servers; everything is stopped and closed after the test."""
    folder = tmp_path_factory.mktemp("x")
    async with AsyncExitStack() as stack:

        async def start(
            options: XdsOptions | None = None, socket: str = "xds.sock", wall: Callable[[], float] = time.time
        ) -> Site:
            xds = XdsServer(options, wall=wall)
            server = grpc.aio.server(options=xds.options.grpc_options())
            xds.add_to(server)
            target = f"unix:{folder / socket}"
            server.add_insecure_port(target)
            await server.start()
            stack.push_async_callback(server.stop, 0)
            return Site(xds, server, target, stack)

        yield start
