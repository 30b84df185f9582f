"""The stream machine: one client's connection, without its I/O.

Pure. `handle(event, now)` returns the commands that the event leads to; `now` is any clock that only goes forward, in
seconds. At most one `SendResponse` is under way at any time, and its content is decided when the transport can take it:
a client that does not read costs one response, and what it reads next is the newest state.
"""

from collections.abc import Iterator
from typing import Final

from microstax.xds.holding import Holding, Pending
from microstax.xds.lifetime import Lifetime
from microstax.xds.messages import (
    CloseStream,
    Command,
    DeltaRequest,
    DrainRequested,
    Event,
    IdentifyNode,
    Item,
    Nack,
    Node,
    ReportAck,
    ReportNack,
    Request,
    RequestReceived,
    ResponseWritten,
    SendResponse,
    SnapshotChanged,
    SotwRequest,
    Variant,
)
from microstax.xds.ordering import Sequencer, View
from microstax.xds.progress import Counters, TypeStatus
from microstax.xds.resources import Snapshot
from microstax.xds.rules import Rules
from microstax.xds.subscription import Subscription
from microstax.xds.ttl import knows_ttl, renewal, renewal_due
from microstax.xds.type_urls import CLUSTER, ENDPOINT, send_rank, short_name
from microstax.xds.variants import (
    Content,
    compose_delta,
    compose_sotw,
    full_version,
    receive_delta,
    receive_sotw,
    recognise_sotw,
)


class Stream:
    """One ADS stream, or one stream of a single type (`type_url`)."""

    def __init__(
        self, stream_id: str, variant: Variant, *, rules: Rules, opened_at: float, type_url: str | None = None
    ) -> None:
        self.stream_id: Final = stream_id
        self.variant: Final = variant
        self.type_url: Final = type_url
        self.node: Node | None = None
        self.closed = False
        self._rules: Final = rules
        self._opened_at: Final = opened_at
        self._lifetime: Final = Lifetime(rules, opened_at=opened_at)
        self._sequencer: Final = Sequencer(rules.timing, aggregated=type_url is None, opened_at=opened_at)
        self._holdings: Final = self._sequencer.holdings
        self._counters: Final[dict[str, Counters]] = {}
        self._snapshot: Snapshot | None = None
        self._nonces = 0
        self._wakes: Final[dict[str, float]] = {}
        self._final_status: tuple[TypeStatus, ...] = ()

    # -- events ------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event and return what is to be done about it, in order."""
        if self.closed:
            return []
        commands = list(self._dispatch(event, now))
        if not self.closed:
            commands += self._advance(now)
        return commands

    def _dispatch(self, event: Event, now: float) -> Iterator[Command]:
        match event:
            case RequestReceived(request, at):
                yield from self._receive(request, at)
            case SnapshotChanged():
                self._replace(event)
            case ResponseWritten():
                self._lifetime.writing_since = None
            case DrainRequested(grace_s):
                self._lifetime.drain(now + grace_s)
            case _:
                pass  # time alone: `_advance` looks at the clock

    @property
    def deadline(self) -> float | None:
        """When a `Ticked` is due; None if only the client or a new snapshot can change anything."""
        times = self._lifetime.deadlines()
        if self._lifetime.writing_since is None and self._snapshot is not None:
            free = [h for h in self._holdings.values() if h.active and h.pending is None]
            times += [h.heartbeat_at for h in free if h.heartbeat_at is not None]
            times += [self._wakes[h.type_url] for h in free if h.type_url in self._wakes]
        return min(times, default=None)

    # -- requests ----------------------------------------------------------------------------------------------

    def _receive(self, request: Request, at: float) -> Iterator[Command]:
        first = self.node is None
        problem = self._identify(request)
        if problem:
            yield self._close(CloseStream("INVALID_ARGUMENT", problem))
            return
        if first and self.node is not None:
            yield IdentifyNode(self.node)
        type_url = request.type_url or self.type_url or ""
        holding = self._holding(type_url)
        if isinstance(request, SotwRequest) and self._stale(holding, request):
            return
        yield from self._answer(holding, request, at)
        if isinstance(request, DeltaRequest):
            receive_delta(holding, request)
        else:
            receive_sotw(holding, request)

    def _identify(self, request: Request) -> str | None:
        """Remember who the client is; return a sentence if the request cannot be taken."""
        if isinstance(request, DeltaRequest) is not (self.variant is Variant.DELTA):
            raise TypeError(f"a stream of {self.variant.value} got a {type(request).__name__}")
        if not request.type_url and self.type_url is None:
            return "a request on an aggregated stream must say its type_url"
        if self.type_url is not None and request.type_url not in ("", self.type_url):
            return f"this service serves {self.type_url}, not {request.type_url}"
        if self.node is None:
            if request.node is None:
                return "the first request on a stream must hold the node"
            self.node, self._lifetime.identified = request.node, True
        elif request.node is not None and (request.node.id or request.node.cluster) and not self._same(request.node):
            return f"this stream belongs to node {self.node.id!r}, and a request on it says it is {request.node.id!r}"
        return None

    def _same(self, node: Node) -> bool:
        return self.node is not None and (node.id, node.cluster) == (self.node.id, self.node.cluster)

    def _holding(self, type_url: str) -> Holding:
        if type_url not in self._holdings:
            legacy = self._rules.legacy_wildcard and type_url not in self._rules.no_legacy_wildcard
            self._holdings[type_url] = Holding(type_url, Subscription(allow_legacy=legacy))
            self._counters[type_url] = Counters()
        return self._holdings[type_url]

    @staticmethod
    def _stale(holding: Holding, request: SotwRequest) -> bool:
        if not holding.active or request.nonce == holding.last_nonce:
            return False
        # grpc-java reuses an old nonce when it asks again after it had asked for nothing (grpc-java#11232).
        return not (holding.subscription.empty and holding.pending is None)

    def _answer(self, holding: Holding, request: Request, at: float) -> Iterator[Command]:
        """Pair an ACK or a NACK with the response that is under way."""
        pending, counters = holding.pending, self._counters[holding.type_url]
        if pending is None or request.nonce != pending.nonce:
            return
        if request.error is None:
            counters.acks += 1
            yield ReportAck(holding.type_url, holding.acknowledge())
            if not holding.refusals:
                counters.nack = None
            return
        names = holding.refuse(request.error)
        counters.nacks += 1
        counters.nack = Nack(
            type_url=holding.type_url, version=pending.version, nonce=pending.nonce, error=request.error, time=at,
            names=names,
        )  # fmt: skip
        yield ReportNack(counters.nack)

    def _replace(self, event: SnapshotChanged) -> None:
        for type_url, holding in self._holdings.items():
            names = None if event.changed is None else event.changed.get(type_url, frozenset())
            if names is None or any(holding.subscription.covers(n) or n in holding.client for n in names):
                holding.settled = False
            if event.snapshot is not None:
                holding.lift_refusals(event.snapshot.resources(type_url))
        self._snapshot = event.snapshot

    # -- responses ---------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> list[Command]:
        """Find what is due now: an end, or the next response in the wire order."""
        end = self._lifetime.end(now)
        if end:
            return [self._close(end)]
        if self._lifetime.writing_since is not None or self._snapshot is None:
            return []
        for holding in sorted(self._holdings.values(), key=lambda h: send_rank(h.type_url)):
            if holding.active and holding.pending is None:
                response = self._respond(holding, self._snapshot, now)
                if response:
                    self._lifetime.writing_since = now
                    return [response]
        return []

    def _close(self, end: CloseStream) -> CloseStream:
        self._final_status = self.status()
        self.closed = True
        self._holdings.clear()
        self._wakes.clear()
        self._snapshot = None
        return end

    def _respond(self, holding: Holding, snapshot: Snapshot, now: float) -> SendResponse | None:
        if not holding.settled:
            content = self._compose(holding, snapshot, now)
            if content is not None:
                return self._send(holding, content, now)
        if holding.heartbeat_at is not None and now >= holding.heartbeat_at:
            return self._heartbeat(holding, now)
        return None

    def _compose(self, holding: Holding, snapshot: Snapshot, now: float) -> Content | None:
        if self.variant is Variant.SOTW and not holding.client and holding.last_nonce == "":
            recognise_sotw(holding, holding.subscription.select(snapshot.resources(holding.type_url)))
        view = self._sequencer.view(holding, snapshot, now)
        self._note(holding, view)
        if self.variant is Variant.SOTW:
            content = compose_sotw(holding, view)
        else:
            content = compose_delta(holding, view, keep_silent=holding.type_url in self._rules.silent_removals)
        if content is None:
            self._settle(holding, view)
        return content

    def _note(self, holding: Holding, view: View) -> None:
        holding.frozen = view.frozen
        self._wakes.pop(holding.type_url, None)
        if view.wake_at is not None:
            self._wakes[holding.type_url] = view.wake_at

    def _settle(self, holding: Holding, view: View) -> None:
        holding.settled = not view.frozen and holding.client.keys().isdisjoint(view.gone)
        if holding.client and not holding.version_acked:  # everything was recognised on a reconnect
            holding.version_sent = holding.version_acked = full_version(holding, view)
        if holding.heartbeat_at is None:
            holding.heartbeat_at = self._renewal_due(holding, self._opened_at)

    def _send(self, holding: Holding, content: Content, now: float) -> SendResponse:
        if holding.type_url == CLUSTER:
            self._rewarm(content)
        holding.resend.clear()
        holding.owed = False
        with_ttl = knows_ttl(self.node, self.variant)
        items = tuple(Item(r, with_ttl=with_ttl and r.mortal) for r in content.listed)
        response = self._number(holding, content, items)
        holding.heartbeat_at = self._renewal_due(holding, now)
        return response

    def _number(self, holding: Holding, content: Content, items: tuple[Item, ...]) -> SendResponse:
        self._nonces += 1
        self._lifetime.answered = True
        nonce = f"{self.stream_id}.{self._nonces:08x}"
        holding.pending = Pending(nonce, content.version, content.changes)
        holding.last_nonce, holding.version_sent, holding.settled = nonce, content.version, False
        counters = self._counters[holding.type_url]
        counters.responses += 1
        counters.resources += len(items)
        return SendResponse(
            type_url=holding.type_url, nonce=nonce, version=content.version, items=items, removed=content.removed
        )

    def _rewarm(self, content: Content) -> None:
        """Send the endpoints of a changed cluster again: Envoy warms it only on a new answer."""
        wanted = {n for r in content.changes.values() if r for t, n in r.references if t == ENDPOINT}
        if wanted and self.type_url is None:
            endpoints = self._holding(ENDPOINT)
            endpoints.resend |= {n for n in wanted if not endpoints.active or endpoints.subscription.covers(n)}
            endpoints.settled = False

    def _heartbeat(self, holding: Holding, now: float) -> SendResponse | None:
        holding.heartbeat_at = self._renewal_due(holding, now)
        items = renewal(holding, self.variant)
        return self._number(holding, Content(holding.version_acked), items) if items else None

    def _renewal_due(self, holding: Holding, now: float) -> float | None:
        return renewal_due(holding, now) if knows_ttl(self.node, self.variant) else None

    # -- status ------------------------------------------------------------------------------------------------

    def status(self) -> tuple[TypeStatus, ...]:
        """Return the state of every type that the client has asked for, in the wire order; the last one if closed."""
        if self.closed:
            return self._final_status
        active = [h for h in self._holdings.values() if h.active]
        return tuple(
            self._counters[h.type_url].status(h, served=self._snapshot is not None)
            for h in sorted(active, key=lambda h: send_rank(h.type_url))
        )

    @property
    def applied(self) -> bool:
        """Whether nothing is to be sent, under way or waiting: a quick look at what `status` tells at length."""
        return not self.closed and all(h.settled and h.pending is None for h in self._holdings.values() if h.active)

    @property
    def refused(self) -> bool:
        """Whether a NACK keeps some resource from being what it should be."""
        return any(h.refusals for h in self._holdings.values())

    def unanswered(self) -> tuple[str, ...]:
        """Return what the client's resources refer to and the client has not got yet, sorted."""
        if self.type_url is not None:
            return ()
        missing = []
        for holding in self._holdings.values():
            for resource in holding.in_force():
                for type_url, name in resource.references:
                    target = self._holdings.get(type_url)
                    if target is None or not target.holds(name):
                        missing.append(f"{short_name(type_url)} {name!r}")
        return tuple(sorted(set(missing)))
