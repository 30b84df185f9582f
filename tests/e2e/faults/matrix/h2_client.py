"""An HTTP/2 client with prior knowledge: many streams on one connection, and clients that reset some of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from matrix.answers import Headers
from matrix.h1_client import Response

_READ: Final = 256 * 1024


@dataclass(slots=True)
class _Stream:
    response: Response = field(default_factory=lambda: Response(0, []))
    body: bytearray = field(default_factory=bytearray)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    problem: str = ""


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, validate_inbound_headers=False
        )
        self.wire = h2.connection.H2Connection(config)
        self.wire.initiate_connection()
        self._streams: dict[int, _Stream] = {}
        self._room = asyncio.Event()
        self._greeted = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator["Client"]:
        """Connect, and wait until the server has said what it allows."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        client.flush()
        pump = asyncio.get_running_loop().create_task(client._pump())
        try:
            await client._greeted.wait()
            yield client
        finally:
            pump.cancel()
            await asyncio.wait({pump})
            client.writer.close()

    def flush(self) -> None:
        """Write what is to be written."""
        self.writer.write(self.wire.data_to_send())

    def begin(self, method: str, path: str, headers: Headers, *, body: bool = False) -> int:
        """Open a stream; return its number."""
        number = self.wire.get_next_available_stream_id()
        self._streams[number] = _Stream()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", "shop.example"), (":path", path)]
        self.wire.send_headers(number, [*pseudo, *headers], end_stream=not body)
        self.flush()
        return int(number)

    async def send(self, number: int, body: bytes, *, trailers: Headers | None = None, end: bool = True) -> None:
        """Send a body as flow control allows."""
        at = 0
        while at < len(body):
            size = min(self.wire.local_flow_control_window(number), self.wire.max_outbound_frame_size, len(body) - at)
            if size <= 0:
                self._room.clear()
                if self._streams[number].ended.is_set():
                    return
                await self._room.wait()
                continue
            self.wire.send_data(number, body[at : at + size])
            at += size
            self.flush()
            await self.writer.drain()
        if trailers:
            self.wire.send_headers(number, trailers, end_stream=True)
        elif end:
            self.wire.end_stream(number)
        self.flush()

    def reset(self, number: int) -> None:
        """Give a stream up."""
        self.wire.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        self.flush()

    async def response(self, number: int) -> Response:
        """Wait for the whole response. Raises ConnectionError where the stream was reset or cut."""
        stream = self._streams[number]
        await stream.ended.wait()
        if stream.problem:
            raise ConnectionError(f"{stream.problem} after {len(stream.body)} bytes")
        stream.response.body = bytes(stream.body)
        return stream.response

    async def _pump(self) -> None:
        problem = "the connection ended"
        try:
            while data := await self.reader.read(_READ):
                for one in self.wire.receive_data(data):
                    self._take(one)
                self._room.set()
                self.flush()
        except (OSError, h2.exceptions.ProtocolError) as error:
            problem = repr(error)
        finally:
            self._greeted.set()
            self._room.set()
            for stream in self._streams.values():
                if not stream.ended.is_set():
                    stream.problem = problem
                    stream.ended.set()

    def _take(self, one: Any) -> None:
        stream = self._streams.get(getattr(one, "stream_id", 0) or 0)
        match one:
            case h2.events.RemoteSettingsChanged():
                self._greeted.set()
            case h2.events.ResponseReceived() if stream:
                pairs = [(str(name), str(value)) for name, value in one.headers]
                stream.response.status = int(dict(pairs)[":status"])
                stream.response.headers = [pair for pair in pairs if not pair[0].startswith(":")]
            case h2.events.DataReceived():
                if stream:
                    stream.body += one.data
                self.wire.acknowledge_received_data(one.flow_controlled_length, one.stream_id)
            case h2.events.TrailersReceived() if stream:
                stream.response.trailers = [(str(name), str(value)) for name, value in one.headers]
            case h2.events.StreamReset() if stream:
                stream.problem = f"the stream was reset ({one.error_code})"
                stream.ended.set()
            case h2.events.StreamEnded() if stream:
                stream.ended.set()
