"""An HTTP/1.1 client that says what it sends and keeps every byte of what it gets."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import h11

from matrix.answers import Headers, answer, filler, request_digest
from matrix.h1_server import DATE

_READ: Final = 256 * 1024
_MAX_HEAD: Final = 1024 * 1024
_FRAMING: Final = {"content-length", "transfer-encoding", "connection", "keep-alive"}


class ChangedError(Exception):
    """An answer is not the one that the baseline gave."""


@dataclass(slots=True, kw_only=True)
class Request:
    """What to send. `chunked` leaves the content-length out, `expect` waits for 100 before the body."""

    path: str
    method: str = "GET"
    headers: Headers = field(default_factory=list)
    size: int = 0
    chunked: bool = False
    expect: bool = False

    @property
    def body(self) -> bytes:
        """Return the body: the same bytes for every request of one size."""
        return filler("payload", self.size) if self.size else b""

    def sent(self) -> Headers:
        """Return all headers as they are sent."""
        headers = [("host", "shop.example"), ("user-agent", "fault-matrix"), *self.headers]
        if self.chunked:
            headers.append(("transfer-encoding", "chunked"))
        elif self.size:
            headers.append(("content-length", str(self.size)))
        return [*headers, ("expect", "100-continue")] if self.expect else headers


@dataclass(slots=True)
class Response:
    """What came."""

    status: int
    headers: Headers
    body: bytes = b""
    trailers: Headers = field(default_factory=list)


@lru_cache(maxsize=32)
def payload_digest(size: int) -> str:
    """Return the hash of a body."""
    return hashlib.sha256(filler("payload", size)).hexdigest()


def check(method: str, path: str, headers: Iterable[tuple[str, str]], size: int, got: Response) -> None:
    """Raise ChangedError unless the response is, byte by byte, what the baseline answers to that request."""
    wanted = answer(method, path, request_digest(headers, payload_digest(size)), size)
    if got.status != wanted.status:
        raise ChangedError(f"{method} {path}: {got.status} {got.body[:200]!r} instead of {wanted.status}")
    expected = sorted([*wanted.headers, DATE])
    seen = sorted(pair for pair in got.headers if pair[0] not in _FRAMING and not pair[0].startswith(":"))
    body = b"" if method == "HEAD" else wanted.body
    if got.body != body:
        raise ChangedError(f"{method} {path}: a body of {len(got.body)} bytes is not the one of {len(body)} bytes")
    if seen != expected:
        raise ChangedError(f"{method} {path}: headers differ: {set(seen) ^ set(expected)}")
    if path.startswith("/chunked/") and got.trailers != [("x-end", wanted.digest)]:
        raise ChangedError(f"{method} {path}: trailers are {got.trailers}")


def plain(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return h11's headers as text."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


class Connection:
    """One connection; requests one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)

    @classmethod
    async def open(cls, port: int, *, receive_buffer: int = 0) -> "Connection":
        """Connect; a small receive buffer makes a slow reader slow to the server as well."""
        if not receive_buffer:
            return cls(*await asyncio.open_connection("127.0.0.1", port, limit=_MAX_HEAD))
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=raw, limit=receive_buffer))

    @property
    def usable(self) -> bool:
        """Tell whether another request can be sent."""
        idle = self.wire.our_state is h11.IDLE and self.wire.their_state is h11.IDLE
        return idle and not self.reader.at_eof() and not self.writer.is_closing()

    def close(self) -> None:
        """Hang up."""
        self.writer.close()

    def abort(self) -> None:
        """Hang up without a word (RST where there is unread data)."""
        self.writer.transport.abort()

    async def ask(self, request: Request, *, pieces: int = 1, pause_s: float = 0.0) -> Response:
        """Send a request, its body in so many pieces with pauses between them; return the whole response."""
        await self.head(request)
        await self.send_body(request.body, pieces=pieces, pause_s=pause_s)
        await self._send(h11.EndOfMessage())
        return await self.response()

    async def head(self, request: Request) -> None:
        """Send what stands before the body; wait for 100 where that was asked for."""
        await self._send(h11.Request(method=request.method, target=request.path, headers=request.sent()))
        if request.expect:
            found = await self._next()
            if not isinstance(found, h11.InformationalResponse) or found.status_code != 100:
                raise ChangedError(f"{request.path}: {found!r} instead of 100")

    async def send_body(self, body: bytes, *, pieces: int, pause_s: float) -> None:
        """Send a body."""
        for chunk in cut(body, max(pieces, len(body) // _READ)):
            await self._send(h11.Data(data=chunk))
            if pause_s:
                await asyncio.sleep(pause_s)

    async def response(self, *, read_pause_s: float = 0.0) -> Response:
        """Read the response to its end."""
        while isinstance(head := await self._next(), h11.InformationalResponse):
            pass
        if not isinstance(head, h11.Response):
            raise ConnectionError(f"no response but {head!r}")
        found, body = Response(head.status_code, plain(head.headers)), bytearray()
        while isinstance(part := await self._next(read_pause_s), h11.Data):
            body += part.data
        if not isinstance(part, h11.EndOfMessage):
            raise ConnectionError(f"the response broke off after {len(body)} bytes")
        found.body, found.trailers = bytes(body), plain(part.headers)
        if self.wire.our_state is h11.DONE and self.wire.their_state is h11.DONE:
            self.wire.start_next_cycle()
        return found

    async def stream(self) -> AsyncIterator[bytes]:
        """Read a response of 200 as it comes. Raises ConnectionError where it breaks off, ChangedError for another."""
        head = await self._next()
        if not isinstance(head, h11.Response) or head.status_code != 200:
            raise ChangedError(f"a stream begins with {head!r}")
        while isinstance(part := await self._next(), h11.Data):
            yield bytes(part.data)
        if not isinstance(part, h11.EndOfMessage):
            raise ConnectionError("the stream broke off")

    async def _send(self, one: h11.Event) -> None:
        self.writer.write(self.wire.send(one) or b"")
        await self.writer.drain()

    async def _next(self, pause_s: float = 0.0) -> object:
        while (found := self.wire.next_event()) is h11.NEED_DATA:
            if pause_s:
                await asyncio.sleep(pause_s)
            self.wire.receive_data(await self.reader.read(_READ))
        return found


def cut(body: bytes, pieces: int) -> list[bytes]:
    """Cut a body into about so many pieces."""
    size = max(1, -(-len(body) // max(1, pieces)))
    return [body[at : at + size] for at in range(0, len(body), size)]


class Pool:
    """Connections that are kept alive; one that is in use is nobody else's."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Give a connection, a new one where none is idle; one that failed is not used again."""
        while self._idle and not self._idle[-1].usable:
            self._idle.pop().close()
        one = self._idle.pop() if self._idle else await Connection.open(self.port)
        try:
            yield one
        except BaseException:
            one.abort()
            raise
        if one.usable:
            self._idle.append(one)
        else:
            one.close()

    def close(self) -> None:
        """Close what is idle."""
        for one in self._idle:
            one.close()
        self._idle.clear()


async def pipelined(port: int, requests: Sequence[Request]) -> list[Response]:
    """Write all requests at once, then read all responses in order."""
    one = await Connection.open(port)
    try:
        raw = b""
        for request in requests:
            sender = h11.Connection(h11.CLIENT)
            events = [h11.Request(method=request.method, target=request.path, headers=request.sent())]
            data = [h11.Data(data=request.body)] if request.size else []
            raw += b"".join(sender.send(event) or b"" for event in (*events, *data, h11.EndOfMessage()))
        one.writer.write(raw)
        await one.writer.drain()
        found, rest = [], b""
        for request in requests:
            one.wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
            one.wire.send(h11.Request(method=request.method, target=request.path, headers=[("host", "x")]))
            one.wire.send(h11.EndOfMessage())
            one.wire.receive_data(rest) if rest else None
            found.append(await one.response())
            rest = one.wire.trailing_data[0]
        return found
    finally:
        one.close()
