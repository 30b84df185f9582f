"""HTTP/1.1 as the baseline and the branch speak it: keep-alive, pipelining, 100-continue, chunks, trailers, events."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, Protocol

import h11

from matrix import modes, websocket
from matrix.answers import EVENTS, Answer, answer, event, request_digest, wanted

DATE: Final = ("date", "Tue, 24 Nov 2026 00:00:00 GMT")
"""Of every answer, so that no proxy adds one."""
_READ: Final = 256 * 1024
_MAX_HEAD: Final = 1024 * 1024


class Behaviour(Protocol):
    """What the server at large decides."""

    mode: str
    call: Callable[[str], Awaitable[None]]

    def saw(self, headers: list[tuple[str, str]]) -> None:
        """Count a request."""


def pieces(body: bytes) -> Iterator[bytes]:
    """Cut a body, so that none is copied whole into a buffer."""
    for at in range(0, len(body), _READ):
        yield body[at : at + _READ]


async def patience(behaviour: Behaviour, name: str) -> None:
    """Take the time that an answer takes, and what is done meanwhile."""
    await asyncio.sleep(modes.SLOW_S if behaviour.mode == modes.SLOW else modes.BASELINE_S)
    if behaviour.mode == modes.CALLS:
        await behaviour.call(name)


class H1:
    """One connection."""

    def __init__(self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.behaviour, self.reader, self.writer = behaviour, reader, writer
        self.wire = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)

    async def serve(self, first: bytes) -> None:
        """Answer until the client has enough."""
        self.wire.receive_data(first)
        while True:
            request = await self._next()
            if not isinstance(request, h11.Request):
                return
            hashed, length = hashlib.sha256(), 0
            while isinstance(part := await self._next(), h11.Data):
                hashed.update(part.data)
                length += len(part.data)
            if not isinstance(part, h11.EndOfMessage):
                return
            if not await self._reply(request, hashed.hexdigest(), length):
                return
            if self.wire.our_state is h11.MUST_CLOSE:
                return
            self.wire.start_next_cycle()

    async def _next(self) -> object:
        while (found := self.wire.next_event()) is h11.NEED_DATA:
            if self.wire.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self.wire.receive_data(await self.reader.read(_READ))
        return found

    async def _send(self, *events: h11.Event) -> None:
        for one in events:
            if self.writer.is_closing():
                raise ConnectionError("the client is gone")
            self.writer.write(self.wire.send(one) or b"")
            await self.writer.drain()

    async def _reply(self, request: h11.Request, body_digest: str, length: int) -> bool:
        """Answer; tell whether the connection can go on."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        self.behaviour.saw(headers)
        path, method = request.target.decode(), request.method.decode()
        asked = wanted(path)
        await patience(self.behaviour, asked.name)
        if asked.kind == "socket":
            await self._socket(dict(headers))
            return False
        if (misbehave := _MISBEHAVIOUR.get(self.behaviour.mode)) is not None:
            return await misbehave(self)
        if asked.kind == EVENTS:
            await self._send(h11.Response(status_code=200, headers=[("content-type", "text/event-stream"), DATE]))
            for nth in range(asked.count):
                await self._send(h11.Data(data=event(asked.name, nth)))
                await asyncio.sleep(asked.pause_ms / 1000)
            await self._send(h11.EndOfMessage())
            return True
        found = answer(method, path, request_digest(headers, body_digest), length)
        await self._answer(found, chunked=asked.kind == "chunked", empty=method == "HEAD")
        return True

    async def _answer(self, found: Answer, *, chunked: bool, empty: bool) -> None:
        headers = [*found.headers, DATE]
        if not chunked:
            headers.append(("content-length", str(len(found.body))))
        await self._send(h11.Response(status_code=found.status, headers=headers))
        if not empty:
            for piece in pieces(found.body):
                await self._send(h11.Data(data=piece))
        await self._send(h11.EndOfMessage(headers=[("x-end", found.digest)] if chunked else []))

    async def _socket(self, headers: dict[str, str]) -> None:
        accepted = websocket.accept_of(headers["sec-websocket-key"])
        await self._send(
            h11.InformationalResponse(
                status_code=101,
                headers=[("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", accepted)],
            )
        )
        self.reader._buffer[:0] = self.wire.trailing_data[0]  # type: ignore[attr-defined]  # there is no official way to put back
        await websocket.echo(self.reader, self.writer)

    # -- what a branch may do instead ---------------------------------------------------------------------------

    async def _fail(self) -> bool:
        body = b'{"error": "no luck"}'
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        await self._send(h11.Response(status_code=500, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        return True

    async def _hang(self) -> bool:
        await self._send(h11.Response(status_code=200, headers=[("content-length", "1000")]))
        await asyncio.Event().wait()
        return False

    async def _huge(self) -> bool:
        await self._send(h11.Response(status_code=200, headers=[("content-length", str(modes.HUGE_BYTES))]))
        block = bytes(_READ)
        for at in range(0, modes.HUGE_BYTES, len(block)):
            await self._send(h11.Data(data=block[: modes.HUGE_BYTES - at]))
        await self._send(h11.EndOfMessage())
        return True

    async def _for_ever(self) -> bool:
        await self._send(h11.Response(status_code=200, headers=[("content-type", "text/plain")]))
        while True:
            await self._send(h11.Data(data=b"and so on\n" * 100))
            await asyncio.sleep(0.01)

    async def _cut(self) -> bool:
        await self._send(h11.Response(status_code=200, headers=[("content-length", "1000")]))
        await self._send(h11.Data(data=bytes(100)))
        return False

    async def _huge_headers(self) -> bool:
        headers = [(f"x-large-{nth}", "v" * 1000) for nth in range(200)]
        await self._send(h11.Response(status_code=200, headers=[*headers, ("content-length", "0")]), h11.EndOfMessage())
        return True


_MISBEHAVIOUR: Final[dict[str, Callable[[H1], Awaitable[bool]]]] = {
    modes.ANSWERS_500: H1._fail,
    modes.HANGS_AFTER_HEADERS: H1._hang,
    modes.HUGE: H1._huge,
    modes.FOR_EVER: H1._for_ever,
    modes.CUT: H1._cut,
    modes.HUGE_HEADERS: H1._huge_headers,
}
