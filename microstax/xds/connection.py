"""One gRPC stream: moves bytes between the transport and the stream machine, and decides nothing."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

import grpc

from microstax.xds.codec import decode_request, encode_response
from microstax.xds.messages import (
    CloseStream,
    Event,
    IdentifyNode,
    ReportAck,
    ReportNack,
    RequestReceived,
    ResponseWritten,
    SendResponse,
    SnapshotChanged,
    Ticked,
)
from microstax.xds.options import Peer
from microstax.xds.stream import Stream


class Hub(Protocol):
    """What a connection needs of the server that it belongs to."""

    def enter(self, connection: "Connection") -> SnapshotChanged | CloseStream:
        """Let an identified client in; return its resources, or why it must go."""

    def report(self, connection: "Connection", notice: ReportAck | ReportNack) -> None:
        """Take notice of an ACK or a NACK."""

    def moved(self, connection: "Connection") -> None:
        """Take notice that the stream's state may have changed."""

    def written(self, size: int) -> None:
        """Count the bytes of a response."""


class Connection:
    """Reads, writes and wakes for one stream. `run` returns when the stream is over."""

    def __init__(
        self, hub: Hub, stream: Stream, context: Any, *, monotonic: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.stream: Final = stream
        self.connected_at: Final = wall()
        self.peer: Final = _peer(context)
        self.key = ""
        self._hub: Final = hub
        self._context: Final = context
        self._monotonic: Final = monotonic
        self._wall: Final = wall
        self._outgoing: SendResponse | None = None
        self._closing: CloseStream | None = None
        self._ended = False
        self._wake: Final = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.Timeout | None = None

    @property
    def node_id(self) -> str:
        """The id that the client gave itself; empty before its first request."""
        return self.stream.node.id if self.stream.node else ""

    def feed(self, event: Event) -> None:
        """Give the machine an event and note what it wants done."""
        for command in self.stream.handle(event, self._monotonic()):
            match command:
                case SendResponse():
                    self._outgoing = command
                case CloseStream():
                    self._closing = command
                case IdentifyNode():
                    self._identify()
                case _:
                    self._hub.report(self, command)
        if self._outgoing or self._closing:
            self._rouse()
        self._arm()
        self._hub.moved(self)

    def _rouse(self) -> None:
        """Wake the writer; a write that the stream's end has overtaken is given up."""
        self._wake.set()
        if self._patience is not None and (self._closing or self._ended):
            self._patience.reschedule(asyncio.get_running_loop().time())

    def _identify(self) -> None:
        answer = self._hub.enter(self)
        if isinstance(answer, CloseStream):
            self._closing = answer
        else:
            self.feed(answer)

    def _arm(self) -> None:
        """Set the alarm for the machine's next deadline."""
        if self._timer is not None:
            self._timer.cancel()
        deadline = None if self._closing or self._ended else self.stream.deadline
        if deadline is None:
            self._timer = None
            return
        delay = max(0.0, deadline - self._monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self.feed, Ticked())

    async def run(self) -> None:
        """Serve the stream until either side ends it."""
        self._arm()
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(), name=f"xds-read-{self.stream.stream_id}")
                await self._write()
                reading.cancel()
        finally:
            self._ended = True
            if self._timer is not None:
                self._timer.cancel()
        if self._closing is not None and self._closing.code != "OK":
            await self._context.abort(grpc.StatusCode[self._closing.code], self._closing.message)

    async def _read(self) -> None:
        while True:
            data = await self._context.read()
            if data is grpc.aio.EOF:
                break
            try:
                request = decode_request(self.stream.variant, data)
            except ValueError as error:
                self._closing = CloseStream("INVALID_ARGUMENT", str(error))
                break
            self.feed(RequestReceived(request, self._wall()))
        self._ended = True
        self._rouse()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            response, self._outgoing = self._outgoing, None
            if response is not None and not self._closing and not self._ended:
                await self._send(response)
            elif self._closing or self._ended:
                return

    async def _send(self, response: SendResponse) -> None:
        data = encode_response(self.stream.variant, response, at=self._wall())
        try:
            async with asyncio.timeout(None) as self._patience:
                await self._context.write(data)
        except TimeoutError:
            return  # `_rouse` has given it up
        finally:
            self._patience = None
        self._hub.written(len(data))
        self.feed(ResponseWritten())


def _peer(context: Any) -> Peer:
    identities = context.peer_identities() or ()
    return Peer(context.peer(), tuple(i.decode(errors="replace") for i in identities))
