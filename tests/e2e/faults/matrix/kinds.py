"""The kinds of requests: each asks once (or a session long) and raises where an answer is not the right one."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import grpc.aio
import h11

from matrix import websocket
from matrix.answers import EVENTS, event, filler
from matrix.h1_client import ChangedError, Connection, Pool, Request, check, pipelined
from matrix.h2_client import Client

MIB: Final = 1024 * 1024
_END: Final = h11.EndOfMessage()
_numbers: Final = itertools.count()


class Asker:
    """Asks the service at `port`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pool = Pool(port)
        self.channel = grpc.aio.insecure_channel(
            f"127.0.0.1:{port}",
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.enable_http_proxy", 0),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    async def close(self) -> None:
        """Close what is kept open."""
        self.pool.close()
        await self.channel.close()

    async def _checked(self, request: Request, **how: Any) -> None:
        async with self.pool.connection() as connection:
            response = await connection.ask(request, **how)
        check(request.method, request.path, request.sent(), request.size, response)

    async def get(self) -> None:
        await self._checked(Request(path=_path("small"), headers=[("cookie", "a=1; b=2"), ("accept", "*/*")]))

    async def head(self) -> None:
        await self._checked(Request(path=_path("small"), method="HEAD"))

    async def missing(self) -> None:
        await self._checked(Request(path=_path("missing")))

    async def post(self) -> None:
        await self._checked(Request(path=_path("small"), method="POST", size=300))

    async def chunked_answer(self) -> None:
        await self._checked(Request(path=_path("chunked", size=60_000)))

    async def headers(self) -> None:
        """Header bytes near Envoy's limit: 850 headers of 100 bytes."""
        await self._checked(Request(path=_path("small"), headers=[(f"x-h{nth}", "v" * 92) for nth in range(850)]))

    async def upload_1(self) -> None:
        await self._checked(Request(path=_path("upload"), method="POST", size=MIB))

    async def upload_1_chunked(self) -> None:
        await self._checked(Request(path=_path("upload"), method="PUT", size=MIB, chunked=True))

    async def upload_1_expect(self) -> None:
        await self._checked(Request(path=_path("upload"), method="PUT", size=MIB, expect=True))

    async def upload_50(self) -> None:
        await self._checked(Request(path=_path("upload"), method="POST", size=50 * MIB))

    async def upload_50_chunked(self) -> None:
        await self._checked(Request(path=_path("upload"), method="POST", size=50 * MIB, chunked=True, expect=True))

    async def slow_sender(self) -> None:
        """256 KiB with a length, which is mirrored, over two seconds."""
        await self._checked(Request(path=_path("upload"), method="POST", size=MIB // 4), pieces=20, pause_s=0.1)

    async def slow_reader(self) -> None:
        """3 MB, read over about two seconds."""
        connection = await Connection.open(self.port, receive_buffer=64 * 1024)
        try:
            request = Request(path=_path("small", size=3_000_000))
            await connection.head(request)
            connection.writer.write(connection.wire.send(_END) or b"")
            response = await connection.response(read_pause_s=0.03)
            check(request.method, request.path, request.sent(), 0, response)
        finally:
            connection.close()

    async def keeps_idle(self) -> None:
        """Ask again on a connection that was idle for about as long as the tee keeps its own."""
        connection = await Connection.open(self.port)
        try:
            for pause in (3.95, 0.3, 0.0):
                request = Request(path=_path("small"))
                check(request.method, request.path, request.sent(), 0, await connection.ask(request))
                await asyncio.sleep(pause)
        finally:
            connection.close()

    async def hangs_up(self) -> None:
        """Go away: in the headers, the body, before the answer, in the answer. Nothing is owed then."""
        number = next(_numbers) % 5
        connection = await Connection.open(self.port)
        if number == 0:
            connection.writer.write(b"GET /small/gone HTTP/1.1\r\nhost: sh")
        elif number == 1:
            await connection.head(Request(path=_path("upload"), method="POST", size=MIB))
            with suppress(ConnectionError):
                await connection.send_body(filler("payload", MIB)[: MIB // 2], pieces=4, pause_s=0)
        elif number == 2:
            await connection.head(Request(path=_path("upload"), method="POST", size=MIB, chunked=True))
            with suppress(ConnectionError):
                await connection.send_body(filler("payload", MIB)[: MIB // 2], pieces=4, pause_s=0)
        elif number == 3:
            connection.writer.write(b"GET /small/gone HTTP/1.1\r\nhost: shop\r\n\r\n")
        else:
            connection.writer.write(b"GET /small/gone?size=3000000 HTTP/1.1\r\nhost: shop\r\n\r\n")
            await connection.reader.read(1000)
        await asyncio.sleep(0.001 * (number % 3))
        connection.abort()

    async def pipelined(self) -> None:
        """Ten requests in one write: safe ones, uploads, and one that is not found."""
        shapes = (
            ("GET", 0),
            ("GET", 0),
            ("POST", 400),
            ("GET", 0),
            ("HEAD", 0),
            ("POST", 70_000),
            ("GET", 0),
            ("GET", 0),
        )
        requests = [Request(path=_path("small"), method=method, size=size) for method, size in shapes]
        requests += [Request(path=_path("missing")), Request(path=_path("chunked", size=20_000))]
        for request, response in zip(requests, await pipelined(self.port, requests), strict=True):
            check(request.method, request.path, request.sent(), request.size, response)

    async def hundred_streams(self) -> None:
        """HTTP/2: 100 requests at once on one connection; ten more are reset by the client."""
        headers = [("user-agent", "fault-matrix"), ("accept", "*/*")]
        async with Client.open(self.port) as client:
            asked: list[tuple[int, str, str, int]] = []
            for nth in range(110):
                if nth % 11 == 10:
                    given_up = client.begin("GET", _path("small", size=100_000), headers)
                    client.reset(given_up)
                elif nth % 10 == 9:
                    path = _path("upload")
                    number = client.begin("POST", path, headers, body=True)
                    await client.send(number, filler("payload", 5000))
                    asked.append((number, "POST", path, 5000))
                else:
                    path = _path("chunked", size=3000) if nth % 10 == 8 else _path("small")
                    asked.append((client.begin("GET", path, headers), "GET", path, 0))
            for number, method, path, size in asked:
                check(method, path, headers, size, await client.response(number))

    async def h2_upload(self) -> None:
        """HTTP/2: 1 MiB without a length."""
        async with Client.open(self.port) as client:
            path = _path("upload")
            number = client.begin("POST", path, [], body=True)
            await client.send(number, filler("payload", MIB))
            check("POST", path, [], MIB, await client.response(number))

    async def events(self) -> None:
        """Two seconds of server-sent events, as they come."""
        await self.follow_events(count=20, pause_ms=100)

    async def follow_events(self, *, count: int, pause_ms: int, seen: Callable[[], None] = lambda: None) -> None:
        """Read a stream of events, and that it ends as it should."""
        path = f"{_path(EVENTS)}?count={count}&pause={pause_ms}"
        name = path.split("/")[2].split("?")[0]
        connection = await Connection.open(self.port)
        try:
            await connection.head(Request(path=path, headers=[("accept", "text/event-stream")]))
            connection.writer.write(connection.wire.send(_END) or b"")
            came, nth = bytearray(), 0
            async for data in connection.stream():
                came += data
                while nth < count and len(came) >= len(due := event(name, nth)):
                    if not came.startswith(due):
                        raise ChangedError(f"{path}: event {nth} is {bytes(came[: len(due)])!r}")
                    del came[: len(due)]
                    nth += 1
                    seen()
            if nth < count or came:
                raise ChangedError(f"{path}: it ends after {nth} events with {bytes(came)!r}")
        finally:
            connection.close()

    async def socket(self) -> None:
        """Open a websocket: 20 messages of 10 bytes to 200 KiB, each echoed."""
        await self.follow_socket(count=20, pause_s=0.05)

    async def follow_socket(self, *, count: int, pause_s: float, seen: Callable[[], None] = lambda: None) -> None:
        """Exchange messages with the echo."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=MIB)
        try:
            key = "dGhlIHNhbXBsZSBub25jZQ=="
            head = f"GET {_path('socket')} HTTP/1.1\r\nhost: shop\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            writer.write(f"{head}sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode())
            answered = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in answered or websocket.accept_of(key).encode() not in answered:
                raise ChangedError(f"websocket: {answered!r}")
            for nth in range(count):
                message = filler(f"message {nth}", (10, 200, 70_000, 200_000)[nth % 4])
                writer.write(websocket.frame(websocket.TEXT, message, masked=True))
                if await websocket.read_frame(reader) != (websocket.TEXT, message):
                    raise ChangedError(f"websocket: message {nth} is not echoed")
                seen()
                await asyncio.sleep(pause_s)
            writer.write(websocket.frame(websocket.CLOSE, b"", masked=True))
            await websocket.read_frame(reader)
        finally:
            writer.close()

    async def grpc_unary(self) -> None:
        call = self.channel.unary_unary("/faults.Echo/Unary")(filler("message", 500))
        if await call != filler("message", 500):
            raise ChangedError("gRPC unary: not echoed")
        await _check_trailers(call, 505)

    async def grpc_streaming(self) -> None:
        """Both ways: ten messages, each echoed before the next is sent."""
        call = self.channel.stream_stream("/faults.Echo/Stream")()
        for nth in range(10):
            message = filler(f"{nth}", 1000 * (nth + 1))
            await call.write(message)
            if await call.read() != message:
                raise ChangedError(f"gRPC streaming: message {nth} is not echoed")
            await asyncio.sleep(0.05)
        await call.done_writing()
        if await call.read() is not grpc.aio.EOF:
            raise ChangedError("gRPC streaming: it does not end")
        await _check_trailers(call, 55_050)


async def _check_trailers(call: Any, length: int) -> None:
    trailers = {str(key): str(value) for key, value in await call.trailing_metadata()}
    if await call.code() is not grpc.StatusCode.OK or trailers.get("x-length") != str(length):
        raise ChangedError(f"gRPC: {await call.code()} with {trailers}")


Kind = Callable[[Asker], Awaitable[None]]

KINDS: Final[dict[str, Kind]] = {
    "get": Asker.get,
    "post": Asker.post,
    "head": Asker.head,
    "missing": Asker.missing,
    "chunked_answer": Asker.chunked_answer,
    "headers": Asker.headers,
    "upload_1": Asker.upload_1,
    "upload_1_chunked": Asker.upload_1_chunked,
    "upload_1_expect": Asker.upload_1_expect,
    "upload_50": Asker.upload_50,
    "upload_50_chunked": Asker.upload_50_chunked,
    "slow_sender": Asker.slow_sender,
    "slow_reader": Asker.slow_reader,
    "keeps_idle": Asker.keeps_idle,
    "hangs_up": Asker.hangs_up,
    "pipelined": Asker.pipelined,
    "hundred_streams": Asker.hundred_streams,
    "h2_upload": Asker.h2_upload,
    "events": Asker.events,
    "socket": Asker.socket,
    "grpc_unary": Asker.grpc_unary,
    "grpc_streaming": Asker.grpc_streaming,
}

STEADY: Final = {"get": 150.0, "post": 15.0, "head": 3.0, "missing": 2.0}
"""Requests a second by kind: what the latency is measured of."""

EVERYTHING: Final = {
    "get": 60.0, "post": 10.0, "head": 3.0, "missing": 3.0, "chunked_answer": 5.0, "headers": 2.0, "upload_1": 2.0,
    "upload_1_chunked": 1.0, "upload_1_expect": 1.0, "upload_50": 0.25, "upload_50_chunked": 0.25, "slow_sender": 1.0,
    "slow_reader": 1.0, "keeps_idle": 1.0, "hangs_up": 5.0, "pipelined": 3.0, "hundred_streams": 0.7, "h2_upload": 1.0,
    "events": 1.0, "socket": 1.0, "grpc_unary": 5.0, "grpc_streaming": 1.0,
}  # fmt: skip
"""Every kind at once."""


def _path(kind: str, *, size: int = 0) -> str:
    path = f"/{kind}/n{next(_numbers)}"
    return f"{path}?size={size}" if size else path
