"""The xDS server: snapshots in, discovery streams out, on an existing `grpc.aio` server.

Everything runs on one event loop, and every method but `wait_applied` and `stop` is synchronous: call them from that
loop. A stream costs two tasks and no thread.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from microstax.xds.admission import Admission
from microstax.xds.connection import Connection
from microstax.xds.messages import CloseStream, DrainRequested, ReportAck, ReportNack, SnapshotChanged, Variant
from microstax.xds.options import XdsOptions
from microstax.xds.resources import Snapshot
from microstax.xds.status import Acked, Connected, Disconnected, Nacked, NackedError, NodeStatus, Notice, Totals
from microstax.xds.stream import Stream
from microstax.xds.type_urls import AGGREGATED_METHODS, AGGREGATED_SERVICE, SINGLE_TYPE_SERVICES, short_name

_log: Final = logging.getLogger("microstax.xds")


@dataclass(slots=True)
class _Entry:
    """What is known under one key."""

    snapshot: Snapshot | None = None
    pushed: Snapshot | None = None
    timer: asyncio.TimerHandle | None = None
    connections: list[Connection] = field(default_factory=list)
    waiters: set[asyncio.Future[None]] = field(default_factory=set)

    def notify(self) -> None:
        """Let everybody look again who waits for something to be applied."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)


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
        self._entries: Final[dict[str, _Entry]] = {}
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
        entry = self._entries.setdefault(node_id, _Entry())
        entry.snapshot = snapshot
        if not entry.connections:
            entry.pushed = snapshot
        elif entry.timer is None:
            entry.timer = asyncio.get_running_loop().call_later(self.options.debounce_s, self._push, entry)

    def clear(self, node_id: str) -> None:
        """Forget a key's resources; its clients keep what they have, and wait."""
        entry = self._entries.get(node_id)
        if entry is None:
            return
        entry.snapshot = None
        if entry.timer is not None:
            entry.timer.cancel()
        self._push(entry)
        self._collect(node_id)

    def snapshot(self, node_id: str) -> Snapshot | None:
        """Return what was last set for a key."""
        entry = self._entries.get(node_id)
        return entry.snapshot if entry else None

    @staticmethod
    def _push(entry: _Entry) -> None:
        entry.timer = None
        before, entry.pushed = entry.pushed, entry.snapshot
        changed = entry.snapshot.changed_since(before) if entry.snapshot and before else None
        if changed != {}:
            event = SnapshotChanged(entry.snapshot, changed)
            for connection in list(entry.connections):
                connection.feed(event)
        entry.notify()

    def _collect(self, key: str) -> None:
        """Drop what is kept for a key that has neither resources, nor clients, nor somebody who waits."""
        entry = self._entries.get(key)
        if entry is not None and entry.snapshot is None and not entry.connections and not entry.waiters:
            del self._entries[key]

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
        entry = self._entries.setdefault(key, _Entry())
        connection.key = key
        entry.connections.append(connection)
        self._tell(Connected(node.id, key, connection.stream.variant))
        entry.notify()
        return SnapshotChanged(entry.pushed)

    def _leave(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()
        for status in connection.stream.status():
            self._closed_totals[status.type_url] = self._closed_totals.get(status.type_url, Totals()).plus(status)
        entry = self._entries.get(connection.key)
        if entry is not None and connection in entry.connections:
            entry.connections.remove(connection)
            self._tell(Disconnected(connection.node_id, connection.key, connection.stream.variant))
            entry.notify()
            self._collect(connection.key)

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
        entry = self._entries.get(connection.key)
        if entry is not None and entry.waiters:
            entry.notify()

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
            callback(notice)

    def totals(self) -> dict[str, Totals]:
        """Return the counters by type since the server began, streams that have ended included."""
        totals = dict(self._closed_totals)
        for connection in self._connections:
            for status in connection.stream.status():
                totals[status.type_url] = totals.get(status.type_url, Totals()).plus(status)
        return totals

    def status(self) -> tuple[NodeStatus, ...]:
        """Return one status a client, sorted by key and node id, and one for every key without a client."""
        found = [status for key in self._entries for status in self._node_statuses(key)]
        return tuple(sorted(found, key=lambda s: (s.key, s.node_id)))

    def _node_statuses(self, key: str) -> list[NodeStatus]:
        entry = self._entries.get(key, _Entry())
        by_node: dict[str, list[Connection]] = {}
        for connection in entry.connections:
            by_node.setdefault(connection.node_id, []).append(connection)
        if not by_node:
            return [NodeStatus(node_id=key, key=key, connected=False, has_snapshot=entry.snapshot is not None)]
        return [_node_status(node_id, key, entry, connections) for node_id, connections in by_node.items()]

    async def wait_applied(self, node_id: str, timeout_s: float, *, types: frozenset[str] = frozenset()) -> NodeStatus:
        """Wait until every client of a key has ACKed all of the current snapshot that it asks for.

        `types` must have been asked for as well. Returns the (first) client's status. Raises NackedError if a client
        refuses it, and TimeoutError with what is still missing after `timeout_s` seconds.
        """
        entry = self._entries.setdefault(node_id, _Entry())
        try:
            async with asyncio.timeout(timeout_s):
                return await self._applied(node_id, entry, types)
        except TimeoutError:
            lacks = {f"{s.node_id}: {s.lacks()}" for s in self._node_statuses(node_id)}
            problem = f"not applied within {timeout_s:g} s by {'; '.join(sorted(lacks))}"
            raise TimeoutError(problem) from None
        finally:
            self._collect(node_id)

    async def _applied(self, key: str, entry: _Entry, types: frozenset[str]) -> NodeStatus:
        while True:
            statuses = self._node_statuses(key)
            for status in statuses:
                if status.nack is not None:
                    raise NackedError(status.node_id, status.nack)
            if all(s.applied and types <= {t.type_url for t in s.types} for s in statuses):
                return statuses[0]
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry.waiters.add(waiter)
            try:
                await waiter
            finally:
                entry.waiters.discard(waiter)

    # -- the end -----------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """End every stream: those that had an answer at once, the others after one or after `grace` seconds."""
        self._stopping = True
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
                entry.timer = None
        for connection in list(self._connections):
            connection.feed(DrainRequested(grace))
        if self._connections:
            await self._all_closed.wait()


def _node_status(node_id: str, key: str, entry: _Entry, connections: list[Connection]) -> NodeStatus:
    # A client that has come back may have an old stream that is not noticed as dead yet: the newest one counts.
    types = {status.type_url: status for connection in connections for status in connection.stream.status()}
    newest = connections[-1]
    return NodeStatus(
        node_id=node_id,
        key=key,
        connected=True,
        has_snapshot=entry.snapshot is not None,
        user_agent=newest.stream.node.user_agent if newest.stream.node else "",
        peer=newest.peer.address,
        variants=tuple(dict.fromkeys(c.stream.variant for c in connections)),
        connected_at=newest.connected_at,
        types=tuple(types.values()),
        missing=newest.stream.unanswered(),
        push_due=entry.timer is not None,
    )
