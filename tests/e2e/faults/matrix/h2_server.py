"""HTTP/2 with prior knowledge, gRPC echoes among it; writes as the client's flow control allows."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from matrix import modes
from matrix.answers import EVENTS, Headers, answer, event, request_digest, wanted
from matrix.h1_server import DATE, Behaviour, patience

PREFACE: Final = b"PRI * HTTP/2.0\r\n"
_READ: Final = 256 * 1024
_GRPC: Final = "application/grpc"
_SETTINGS: Final = {
    h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000,
    h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 20,
}


@dataclass(slots=True)
class Stream:
    """One request, as it comes, and what of its answer waits for room."""

    headers: Headers
    hashed: Any = field(default_factory=hashlib.sha256)
    length: int = 0
    outbox: bytearray = field(default_factory=bytearray)
    trailers: Headers | None = None
    done: bool = False
    task: asyncio.Task[None] | None = None
    room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pseudo(self) -> dict[str, str]:
        return dict(self.headers[:6])

    @property
    def is_grpc(self) -> bool:
        return dict(self.headers).get("content-type", "").startswith(_GRPC)


class H2:
    """One connection."""

    def __init__(self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.behaviour, self.reader, self.writer = behaviour, reader, writer
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_inbound_headers=False, validate_outbound_headers=False
        )
        self.wire = h2.connection.H2Connection(config)
        # From the first byte on: what is asked for later holds only when the client has said so.
        self.wire.local_settings = h2.settings.Settings(client=False, initial_values=_SETTINGS)
        self.streams: dict[int, Stream] = {}

    async def serve(self, first: bytes) -> None:
        """Answer until the client has enough."""
        self.wire.initiate_connection()
        try:
            data = first
            while data:
                for one in self.wire.receive_data(data):
                    self._take(one)
                self._flush()
                await self.writer.drain()
                data = await self.reader.read(_READ)
        finally:
            for stream in self.streams.values():
                if stream.task:
                    stream.task.cancel()

    def _take(self, one: Any) -> None:
        match one:
            case h2.events.RequestReceived():
                self._begin(one.stream_id, Stream([(str(name), str(value)) for name, value in one.headers]))
            case h2.events.DataReceived():
                self.wire.acknowledge_received_data(one.flow_controlled_length, one.stream_id)
                if stream := self.streams.get(one.stream_id):
                    stream.hashed.update(one.data)
                    stream.length += len(one.data)
                    if stream.is_grpc:
                        stream.outbox += one.data
            case h2.events.StreamEnded():
                if stream := self.streams.get(one.stream_id):
                    self._ended(one.stream_id, stream)
            case h2.events.StreamReset():
                if (gone := self.streams.pop(one.stream_id, None)) and gone.task:
                    gone.task.cancel()
            case h2.events.WindowUpdated():
                for stream in self.streams.values():
                    stream.room.set()

    def _begin(self, number: int, stream: Stream) -> None:
        self.streams[number] = stream
        self.behaviour.saw(stream.headers)
        if stream.is_grpc and self.behaviour.mode not in modes.OF_ANSWER:
            self.wire.send_headers(number, [(":status", "200"), ("content-type", _GRPC), DATE])

    def _ended(self, number: int, stream: Stream) -> None:
        if stream.is_grpc and self.behaviour.mode not in modes.OF_ANSWER:
            stream.trailers, stream.done = [("grpc-status", "0"), ("x-length", str(stream.length))], True
        else:
            stream.task = asyncio.get_running_loop().create_task(self._answer(number, stream))

    async def _answer(self, number: int, stream: Stream) -> None:
        """Reply, unless the client has reset the stream or gone away meanwhile."""
        with suppress(ConnectionError, h2.exceptions.ProtocolError):
            await self._reply(number, stream)

    async def _reply(self, number: int, stream: Stream) -> None:
        path = stream.pseudo[":path"]
        if stream.is_grpc:
            path = "/grpc/failed"
        asked = wanted(path)
        await patience(self.behaviour, asked.name)
        if (misbehave := _MISBEHAVIOUR.get(self.behaviour.mode)) is not None:
            await misbehave(self, number, stream)
        elif asked.kind == EVENTS:
            self.wire.send_headers(number, [(":status", "200"), ("content-type", "text/event-stream"), DATE])
            for nth in range(asked.count):
                await self._write(number, stream, event(asked.name, nth))
                await asyncio.sleep(asked.pause_ms / 1000)
            stream.done = True
        else:
            digest = request_digest(stream.headers, stream.hashed.hexdigest())
            found = answer(stream.pseudo[":method"], path, digest, stream.length)
            self.wire.send_headers(number, [(":status", str(found.status)), *found.headers, DATE])
            if stream.pseudo[":method"] != "HEAD":
                stream.outbox += found.body
            if asked.kind == "chunked":
                stream.trailers = [("x-end", found.digest)]
            stream.done = True
        self._flush()

    async def _write(self, number: int, stream: Stream, data: bytes) -> None:
        stream.outbox += data
        self._flush()
        while stream.outbox:
            stream.room.clear()
            await stream.room.wait()
            self._flush()

    def _flush(self) -> None:
        for number, stream in list(self.streams.items()):
            try:
                while stream.outbox:
                    size = min(self.wire.local_flow_control_window(number), self.wire.max_outbound_frame_size)
                    if size <= 0:
                        break
                    self.wire.send_data(number, bytes(stream.outbox[:size]))
                    del stream.outbox[:size]
                if stream.done and not stream.outbox:
                    self._finish(number, stream)
            except (h2.exceptions.StreamClosedError, h2.exceptions.NoSuchStreamError):
                self.streams.pop(number, None)
        if self.writer.is_closing():
            raise ConnectionError("the client is gone")
        self.writer.write(self.wire.data_to_send())

    def _finish(self, number: int, stream: Stream) -> None:
        if stream.trailers:
            self.wire.send_headers(number, stream.trailers, end_stream=True)
        else:
            self.wire.end_stream(number)
        del self.streams[number]

    # -- what a branch may do instead ---------------------------------------------------------------------------

    async def _fail(self, number: int, stream: Stream) -> None:
        self.wire.send_headers(number, [(":status", "500"), ("content-type", "text/plain")])
        stream.outbox += b"no luck"
        stream.done = True

    async def _hang(self, number: int, _: Stream) -> None:
        self.wire.send_headers(number, [(":status", "200"), ("content-length", "1000")])

    async def _huge(self, number: int, stream: Stream) -> None:
        self.wire.send_headers(number, [(":status", "200")])
        for _ in range(0, modes.HUGE_BYTES, _READ):
            await self._write(number, stream, bytes(_READ))
        stream.done = True

    async def _for_ever(self, number: int, stream: Stream) -> None:
        self.wire.send_headers(number, [(":status", "200")])
        while True:
            await self._write(number, stream, b"and so on\n" * 100)
            await asyncio.sleep(0.01)

    async def _cut(self, number: int, _: Stream) -> None:
        self.wire.send_headers(number, [(":status", "200"), ("content-length", "1000")])
        self.wire.send_data(number, bytes(100))
        self.wire.reset_stream(number, h2.errors.ErrorCodes.INTERNAL_ERROR)
        self.streams.pop(number, None)

    async def _huge_headers(self, number: int, stream: Stream) -> None:
        self.wire.send_headers(number, [(":status", "200"), *((f"x-large-{nth}", "v" * 1000) for nth in range(200))])
        stream.done = True


_MISBEHAVIOUR: Final[dict[str, Callable[[H2, int, Stream], Any]]] = {
    modes.ANSWERS_500: H2._fail,
    modes.HANGS_AFTER_HEADERS: H2._hang,
    modes.HUGE: H2._huge,
    modes.FOR_EVER: H2._for_ever,
    modes.CUT: H2._cut,
    modes.HUGE_HEADERS: H2._huge_headers,
}
