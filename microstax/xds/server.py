"""The xDS server: snapshots in, discovery streams out, on an existing `grpc.aio` server.

Everything runs on one event loop, and every method but `wait_applied` and `stop` is synchronous: call them from that
loop. A stream costs two tasks and no thread.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import grpc

from microstax.xds.admission import Admission
from microstax.xds.connection import Connection
from microstax.xds.messages import CloseStream, DrainRequested, ReportAck, ReportNack, SnapshotChanged, Variant
from microstax.xds.nodes import Nodes
from microstax.xds.options import XdsOptions
from microstax.xds.resources import Snapshot
from microstax.xds.status import Acked, Connected, Disconnected, Nacked, NodeStatus, Notice, Totals
from microstax.xds.stream import Stream
from microstax.xds.type_urls import AGGREGATED_METHODS, AGGREGATED_SERVICE, SINGLE_TYPE_SERVICES, short_name

_LAST_WORDS_S: Final = 0.5
_log: Final = logging.getLogger("microstax.xds")


class XdsServer:
    """A control plane's discovery service for any resources. See `XdsOptions` for what can be set."""

    def __init__(
        self,
        options: XdsOptions | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self.options: Final = options or XdsOptions()
        self.bytes_sent = 0
        self._monotonic: Final = monotonic
        self._wall: Final = wall
        self._new_id: Final = new_id
        self._nodes: Final = Nodes(debounce_s=self.options.debounce_s, wall=wall)
        self._connections: Final[set[Connection]] = set()
        self._callbacks: Final[list[Callable[[Notice], None]]] = []
        self._closed_totals: Final[dict[str, Totals]] = {}
        self._all_closed: Final = asyncio.Event()
        self._stopping = False
        self._admission: Final = Admission(
            self.options.admission_rate, self.options.admission_burst, now=self._monotonic()
        )

    # -- wiring ------------------------------------------------------------------------------------------------

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the aggregated and the single-type services. Create the server with `options.grpc_options()`."""
        services: dict[str, tuple[str | None, tuple[str, str]]] = {AGGREGATED_SERVICE: (None, AGGREGATED_METHODS)}
        for type_url, (service, *methods) in SINGLE_TYPE_SERVICES.items():
            services[service] = (type_url, (methods[0], methods[1]))
        handlers = [
            grpc.method_handlers_generic_handler(
                service,
                {m: self._method(v, type_url) for m, v in zip(methods, (Variant.SOTW, Variant.DELTA), strict=True)},
            )
            for service, (type_url, methods) in services.items()
        ]
        server.add_generic_rpc_handlers(tuple(handlers))

    def _method(self, variant: Variant, type_url: str | None) -> Any:
        async def handle(_requests: Any, context: Any) -> None:
            await self._serve(variant, type_url, context)

        return grpc.stream_stream_rpc_method_handler(handle)

    async def _serve(self, variant: Variant, type_url: str | None, context: Any) -> None:
        refusal = self._refusal()
        if refusal:
            await context.abort(grpc.StatusCode[refusal.code], refusal.message)
        rules, now = self.options.rules, self._monotonic()
        delay = self._admission.reserve(now)
        if delay:
            await asyncio.sleep(delay)
        if self._stopping:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is shutting down")
        stream = Stream(self._new_id(), variant, rules=rules, opened_at=self._monotonic(), type_url=type_url)
        connection = Connection(self, stream, context, monotonic=self._monotonic, wall=self._wall)
        self._connections.add(connection)
        self._all_closed.clear()
        try:
            await connection.run()
        finally:
            self._leave(connection)

    def _refusal(self) -> CloseStream | None:
        if self._stopping:
            return CloseStream("UNAVAILABLE", "the server is shutting down")
        limit = self.options.max_streams
        if limit is not None and len(self._connections) >= limit:
            return CloseStream("RESOURCE_EXHAUSTED", f"the server has {limit} streams already; try again later")
        if self._admission.wait(self._monotonic()) > self.options.admission_wait_s:
            return CloseStream("RESOURCE_EXHAUSTED", "too many new streams wait for admission; try again later")
        return None

    # -- resources ---------------------------------------------------------------------------------------------

    def set_snapshot(self, node_id: str, snapshot: Snapshot) -> None:
        """Give the nodes of this key other resources; changes that follow closely go out together with it."""
        self._nodes.set(node_id, snapshot)

    def clear(self, node_id: str) -> None:
        """Forget a key's resources; its clients keep what they have, and wait."""
        self._nodes.clear(node_id)

    def snapshot(self, node_id: str) -> Snapshot | None:
        """Return what was last set for a key."""
        return self._nodes.get(node_id)

    # -- the hub of the connections ----------------------------------------------------------------------------

    def enter(self, connection: Connection) -> SnapshotChanged | CloseStream:
        """Let an identified client in; return its resources, or why it must go."""
        node = connection.stream.node
        if node is None:
            raise ValueError("a connection enters once its node is known")
        key = self.options.key(node)
        if not key:
            return CloseStream("INVALID_ARGUMENT", "the node has no id; set node.id in the client's bootstrap")
        refusal = self.options.authorise(node, connection.peer)
        if refusal:
            return CloseStream("PERMISSION_DENIED", refusal)
        connection.key = key
        self._tell(Connected(node.id, key, connection.stream.variant))
        return self._nodes.enter(key, connection)

    def _leave(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()
        for status in connection.stream.status():
            self._closed_totals[status.type_url] = self._closed_totals.get(status.type_url, Totals()).plus(status)
        if self._nodes.leave(connection):
            self._tell(Disconnected(connection.node_id, connection.key, connection.stream.variant))

    def report(self, connection: Connection, notice: ReportAck | ReportNack) -> None:
        """Take notice of an ACK or a NACK."""
        if isinstance(notice, ReportAck):
            self._tell(Acked(connection.node_id, connection.key, notice.type_url, notice.version))
        else:
            nack = notice.nack
            _log.warning(
                "%s refused %s %s: %s", connection.node_id, short_name(nack.type_url), ", ".join(nack.names), nack.error
            )
            self._tell(Nacked(connection.node_id, connection.key, nack))

    def moved(self, connection: Connection) -> None:
        """Take notice that a stream's state may have changed."""
        self._nodes.moved(connection)

    def written(self, size: int) -> None:
        """Count the bytes of a response."""
        self.bytes_sent += size

    # -- status ------------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[Notice], None]) -> Callable[[], None]:
        """Call back on every connection, disconnection, ACK and NACK; returns what ends this."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def _tell(self, notice: Notice) -> None:
        for callback in list(self._callbacks):
            try:
                callback(notice)
            except Exception:  # noqa: BLE001 (whoever listens must not be able to end a client's stream)
                _log.exception("a subscriber of the xDS server's notices failed at %s", type(notice).__name__)

    def totals(self) -> dict[str, Totals]:
        """Return the counters by type since the server began, streams that have ended included."""
        totals = dict(self._closed_totals)
        for connection in self._connections:
            for status in connection.stream.status():
                totals[status.type_url] = totals.get(status.type_url, Totals()).plus(status)
        return totals

    def status(self) -> tuple[NodeStatus, ...]:
        """Return one status a client, sorted by key and node id, and one for every key without a client."""
        return self._nodes.statuses()

    async def wait_applied(
        self,
        node_id: str,
        timeout_s: float,
        *,
        types: frozenset[str] = frozenset(),
        only: frozenset[str] | None = None,
    ) -> NodeStatus:
        """Wait until every client of a key has ACKed all of the current snapshot that it asks for.

        `types` must have been asked for as well; with `only`, nothing else than these types is looked at. Returns the
        (first) client's status. Raises NackedError if a client refuses it, and TimeoutError with what is still missing
        after `timeout_s` seconds.
        """
        return await self._nodes.wait_applied(node_id, timeout_s, types=types, only=only)

    # -- the end -----------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """End every stream: those that had an answer at once, the others after one or after `grace` seconds."""
        self._stopping = True
        self._nodes.cancel()
        for connection in list(self._connections):
            connection.feed(DrainRequested(grace))
        if self._connections:
            with suppress(TimeoutError):  # a client that takes no data does not take an end either
                await asyncio.wait_for(self._all_closed.wait(), grace + _LAST_WORDS_S)
