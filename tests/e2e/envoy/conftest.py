"""A real Envoy with a plan, backends that record every byte they get, and clients that say exactly what they send."""

import asyncio
import itertools
import json
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from loopback_ports import free_port

from microstax.capture.frames import FrameReader
from microstax.capture.identity import Identities
from microstax.capture.redaction import Redaction
from microstax.capture.redactor import Redactor
from microstax.capture.tap_trace import parse_trace
from microstax.capture.trace_reader import TraceReader
from microstax.envoy import arguments, bootstrap, concurrency_of, tap_request
from microstax.envoy.build import build
from microstax.envoy.stats import STATS_PATH, Counters, read_counters
from microstax.envoy.stats_text import parse_stats
from microstax.model.environment import Address
from microstax.model.exchange import Exchange
from microstax.xds import Resource, Snapshot, XdsOptions, XdsServer

PATIENCE = 20


def loopback(port: int) -> Address:
    return Address("127.0.0.1", port)


async def eventually(condition: Callable[[], Any]) -> Any:
    """Poll until `condition` (a function, plain or async) gives something true; return it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            await asyncio.sleep(0.02)


# -- HTTP/1.1, byte by byte ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Message:
    """A request or a response: its first line, its headers as they were written, its body, its trailers."""

    start: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    def __contains__(self, name: str) -> bool:
        return any(key.lower() == name for key, _ in self.headers)

    @property
    def status(self) -> int:
        return int(self.start.split()[1])

    @property
    def method(self) -> str:
        return self.start.split()[0]

    def sorted(self, *, fold: bool = False) -> list[tuple[str, str]]:
        """Headers in an order of their own, those of one name as they came."""
        return sorted(((k.lower() if fold else k, v) for k, v in self.headers), key=lambda pair: pair[0].lower())


def fields(lines: list[bytes]) -> list[tuple[str, str]]:
    return [
        tuple(line.decode("latin-1").split(": ", 1)) if b": " in line else (line.decode()[:-1], "") for line in lines
    ]  # type: ignore[misc]


async def read_head(reader: asyncio.StreamReader) -> Message:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *rest = head[:-4].split(b"\r\n")
    return Message(first.decode("latin-1"), fields(rest))


async def read_body(reader: asyncio.StreamReader, message: Message, *, until_close: bool = False) -> None:
    if "chunked" in message["transfer-encoding"].lower():
        while size := int((await reader.readline()).split(b";")[0], 16):
            message.body += await reader.readexactly(size)
            await reader.readline()
        while (line := (await reader.readline()).rstrip(b"\r\n")) != b"":
            message.trailers += fields([line])
    elif "content-length" in message:
        message.body = await reader.readexactly(int(message["content-length"]))
    elif until_close:
        message.body = await reader.read()


NO_BODY = (204, 304)


async def send_raw(port: int, raw: bytes, *, timeout_s: float = PATIENCE) -> Message:
    """Send one request as it stands; return the final response."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(raw)
            response = await read_head(reader)
            while response.status == 100:
                response = await read_head(reader)
            if not raw.startswith(b"HEAD ") and response.status not in NO_BODY:
                await read_body(reader, response, until_close=True)
            return response
        finally:
            writer.close()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Answer = Callable[[Message], bytes | Awaitable[bytes]]


@dataclass(slots=True)
class Backend:
    """An HTTP/1.1 server that records what it got. `answer` gives the response as bytes, nothing for none at all."""

    answer: Answer = lambda _request: OK
    reads: bool = True
    port: int = field(default_factory=free_port)
    requests: list[Message] = field(default_factory=list)
    connections: int = 0

    @property
    def address(self) -> Address:
        return loopback(self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if not self.reads:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                await asyncio.sleep(3600)
            while True:
                request = await read_head(reader)
                await read_body(reader, request)
                self.requests.append(request)
                answer = self.answer(request)
                raw = answer if isinstance(answer, bytes) else await answer
                if not raw:
                    break
                writer.write(raw)
                await writer.drain()
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Backend"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=1 << 20)
        try:
            yield self
        finally:
            server.close()


# -- HTTP/2 --------------------------------------------------------------------------------------------------------

Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Stream:
    """One HTTP/2 request or response."""

    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    reset: int | None = None

    def __getitem__(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)

    def regular(self) -> Pairs:
        return sorted(pair for pair in self.headers if not pair[0].startswith(":"))


class H2Side:
    """One side of an HTTP/2 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, client: bool) -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8", validate_outbound_headers=False)
        self.reader, self.writer = reader, writer
        self.wire = h2.connection.H2Connection(config)
        self.streams: dict[int, Stream] = {}
        self.wire.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.wire.data_to_send())

    async def pump(self, on_end: Callable[[int, Stream], Awaitable[None]] | None = None) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            while data := await self.reader.read(65536):
                for event in self.wire.receive_data(data):
                    await self._take(event, on_end)
                self.flush()
        for stream in self.streams.values():
            stream.ended.set()

    async def _take(self, event: Any, on_end: Callable[[int, Stream], Awaitable[None]] | None) -> None:
        stream = self.streams.setdefault(getattr(event, "stream_id", 0) or 0, Stream())
        match event:
            case h2.events.RequestReceived() | h2.events.ResponseReceived():
                stream.headers = list(event.headers)
            case h2.events.DataReceived():
                stream.body += event.data
                self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.TrailersReceived():
                stream.trailers = list(event.headers)
            case h2.events.StreamReset():
                stream.reset = int(event.error_code)
                stream.ended.set()
            case h2.events.StreamEnded():
                stream.ended.set()
                if on_end:
                    await on_end(event.stream_id, stream)

    def send(self, number: int, headers: Pairs, body: bytes = b"", trailers: Pairs | None = None) -> None:
        """Send a whole message (a body within the first flow-control window)."""
        self.wire.send_headers(number, headers, end_stream=not body and not trailers)
        chunks = [body[at : at + 16000] for at in range(0, len(body), 16000)]
        for chunk in chunks:
            self.wire.send_data(number, chunk)
        if trailers:
            self.wire.send_headers(number, trailers, end_stream=True)
        elif body:
            self.wire.end_stream(number)
        self.flush()


@dataclass(slots=True)
class H2Backend:
    """An HTTP/2 (prior knowledge) server that records what it got; answers with headers, body, trailers."""

    answer: Callable[[Stream], tuple[Pairs, bytes, Pairs | None]] = lambda _s: ([(":status", "200")], b"ok", None)
    port: int = field(default_factory=free_port)
    requests: list[Stream] = field(default_factory=list)

    @property
    def address(self) -> Address:
        return loopback(self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side = H2Side(reader, writer, client=False)

        async def reply(number: int, stream: Stream) -> None:
            self.requests.append(stream)
            side.send(number, *self.answer(stream))

        await side.pump(reply)
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["H2Backend"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()


async def send_h2(port: int, headers: Pairs, body: bytes = b"", trailers: Pairs | None = None) -> Stream:
    """Send one request over HTTP/2 with prior knowledge; return the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    side = H2Side(reader, writer, client=True)
    number = side.wire.get_next_available_stream_id()
    stream = side.streams[number] = Stream()
    side.send(number, headers, body, trailers)
    pump = asyncio.ensure_future(side.pump())
    try:
        async with asyncio.timeout(PATIENCE):
            await stream.ended.wait()
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
        writer.close()
    return stream


# -- Envoy ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Process:
    """A running Envoy and its admin interface."""

    folder: Path
    process: asyncio.subprocess.Process

    def log(self) -> str:
        return (self.folder / "envoy.log").read_text(errors="replace")

    @asynccontextmanager
    async def admin(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        connector = aiohttp.UnixConnector(str(self.folder / "admin.sock"))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, "http://envoy" + path, **options) as reply,
        ):
            yield reply

    async def text(self, path: str) -> str:
        async with self.admin("GET", path) as reply:
            return await reply.text()

    async def stat(self, name: str) -> int:
        lines = (await self.text(f"/stats?filter=^{name}$")).splitlines()
        return int(lines[0].rpartition(":")[2]) if lines else 0

    async def ready(self) -> bool:
        with suppress(aiohttp.ClientError):
            return (await self.text("/ready")).strip() == "LIVE"
        assert self.process.returncode is None, self.log()
        return False

    async def terminate(self) -> int:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def envoy_process(binary: str, folder: Path, config: str, *, concurrency: int = 2) -> AsyncIterator[Process]:
    (folder / "envoy.json").write_text(config)
    command = arguments(binary, str(folder / "envoy.json"), concurrency=concurrency)
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stderr=log)
    running = Process(folder, process)
    try:
        yield running
    finally:
        code = process.returncode if process.returncode is not None else await running.terminate()
        assert code == 0, f"Envoy ended with {code}:\n{running.log()}"


async def serving(xds: XdsServer, folder: Path) -> grpc.aio.Server:
    """Start a gRPC server for Envoys in this folder."""
    server = grpc.aio.server(options=xds.options.grpc_options())
    xds.add_to(server)
    server.add_insecure_port(f"unix:{folder}/ads.sock")
    await server.start()
    return server


@dataclass(slots=True)
class Node:
    """An Envoy that gets its plans from a real xDS server."""

    envoy: Process
    xds: XdsServer
    node_id: str
    server: grpc.aio.Server

    async def lose_server(self) -> None:
        """Let the control plane be gone from now on."""
        await self.server.stop(None)

    async def regain_server(self, stack: AsyncExitStack) -> None:
        """Let it be back, with all that it knew."""
        self.server = await serving(self.xds, self.envoy.folder)
        stack.push_async_callback(self.server.stop, None)

    async def apply(self, plan: Any) -> None:
        """Set a plan and wait until Envoy has taken all of it; fails on a NACK."""
        found = [Resource(r.name, r.type_url, r.body, r.references, expires_at=r.expires_at) for r in build(plan)]
        snapshot = Snapshot.of(found)
        assert snapshot.findings() == ()
        self.xds.set_snapshot(self.node_id, snapshot)
        await self.xds.wait_applied(self.node_id, PATIENCE)
        for service in plan.services:
            await eventually(lambda port=service.listen.port: accepts(port))

    async def counters(self) -> Counters:
        return read_counters(parse_stats((await self.envoy.text(STATS_PATH)).encode()))

    @asynccontextmanager
    async def tapped(self, *, traces: int = 10_000, body: int = 65536, wait_ms: int = 1500) -> AsyncIterator["Tap"]:
        """Capture what happens inside; the exchanges are there after it."""
        tap = Tap()
        poll = asyncio.ensure_future(self._poll(tap, tap_request(traces, wait_ms, body)))
        await asyncio.sleep(0.15)  # nothing tells that a tap is attached
        try:
            yield tap
        finally:
            await poll

    async def _poll(self, tap: "Tap", request: bytes) -> None:
        reader, identities, traces = FrameReader(), Identities(), TraceReader(Redactor(Redaction.with_fresh_key()))
        async with self.envoy.admin("POST", "/tap", data=request) as reply:
            frames = reader.feed(await reply.read())
        assert reader.finish() is None
        for frame in frames:
            for named in identities.take(parse_trace(frame), at_us=1, now_us=1):
                tap.traces.append(traces.read(named.trace))
        tap.alone = len(identities)


@dataclass(slots=True)
class Tap:
    """What a tap saw; `alone` counts baselines without a copy."""

    traces: list[Any] = field(default_factory=list)
    alone: int = 0

    @property
    def exchanges(self) -> list[Exchange]:
        assert all(isinstance(trace, Exchange) for trace in self.traces), self.traces
        return self.traces

    def of(self, side: str, overlay: str | None = None) -> list[Exchange]:
        return [e for e in self.exchanges if e.side == side and (overlay is None or e.overlay == overlay)]

    def by_id(self) -> dict[str, list[Exchange]]:
        found: dict[str, list[Exchange]] = {}
        for exchange in sorted(self.exchanges, key=lambda e: (e.side, e.overlay or "")):
            found.setdefault(exchange.id, []).append(exchange)
        return found


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Lab:
    """Starts what a test needs and stops it afterwards."""

    Backend = Backend
    H2Backend = H2Backend
    Message = Message
    OK = OK
    send = staticmethod(send_raw)
    send_h2 = staticmethod(send_h2)
    eventually = staticmethod(eventually)
    free_port = staticmethod(free_port)
    read_head = staticmethod(read_head)

    def __init__(self, binary: str, stack: AsyncExitStack, folder: Path) -> None:
        self.binary, self.stack, self.folder = binary, stack, folder
        self.numbers = itertools.count()

    async def start(self, backend: Any) -> Any:
        return await self.stack.enter_async_context(backend.running())

    async def backend(self, answer: Answer = lambda _request: OK, **options: Any) -> Backend:
        return await self.start(Backend(answer, **options))

    def address(self) -> Address:
        """Return an address that nobody listens on."""
        return loopback(free_port())

    def room(self) -> Path:
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        return folder

    async def node(self, plan: Any, *, delta: bool = True) -> Node:
        """Start an Envoy and give it a plan."""
        folder = self.room()
        xds = XdsServer(XdsOptions())
        server = await serving(xds, folder)
        self.stack.push_async_callback(server.stop, None)
        config = bootstrap(
            node_id=plan.node_id,
            cluster="test",
            ads=str(folder / "ads.sock"),
            admin=str(folder / "admin.sock"),
            delta=delta,
        )
        envoy = await self.stack.enter_async_context(
            envoy_process(self.binary, folder, config, concurrency=concurrency_of(plan))
        )
        node = Node(envoy, xds, plan.node_id, server)
        node.xds.set_snapshot(
            plan.node_id, Snapshot.of([Resource(r.name, r.type_url, r.body, r.references) for r in build(plan)])
        )
        await eventually(envoy.ready)
        await node.apply(plan)
        return node

    async def restarted(self, node: Node, plan: Any) -> None:
        """End a node's Envoy and start it anew, without waiting for anything."""
        folder = node.envoy.folder
        assert await node.envoy.terminate() == 0
        node.envoy = await self.stack.enter_async_context(
            envoy_process(self.binary, folder, (folder / "envoy.json").read_text(), concurrency=concurrency_of(plan))
        )

    async def plain(self, config: dict[str, Any]) -> Process:
        """Start an Envoy with a configuration written by hand."""
        folder = self.room()
        config = {**config, "admin": {"address": {"pipe": {"path": str(folder / "admin.sock")}}}}
        envoy = await self.stack.enter_async_context(envoy_process(self.binary, folder, json.dumps(config)))
        await eventually(envoy.ready)
        return envoy


@pytest.fixture
async def lab(envoy_binary: str) -> AsyncIterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="msx-envoy-"))
    try:
        async with AsyncExitStack() as stack:
            yield Lab(envoy_binary, stack, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
