"""The stream machine against a modelled client, in any order of events.

The client keeps what it has applied. Whatever happens, it never uses a cluster that it has not got, never has two
unconfirmed responses of a type, and has exactly what it should have once it has confirmed everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from microstax.xds import Node, Resource, Rules, Snapshot, Timing, Variant
from microstax.xds.messages import (
    CloseStream,
    DeltaRequest,
    DrainRequested,
    Event,
    RequestReceived,
    ResponseWritten,
    SendResponse,
    SnapshotChanged,
    SotwRequest,
    Ticked,
)
from microstax.xds.playbook import thing
from microstax.xds.stream import Stream
from microstax.xds.type_urls import CLUSTER, ENDPOINT, FULL_STATE, LISTENER, ROUTE

NAMES = "abc"
contents = st.sampled_from("123")
clusters = st.dictionaries(st.sampled_from(NAMES), contents, min_size=1)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Draw clusters with their endpoints, and a route and a listener that use one or two of them."""
    chosen = draw(clusters)
    used = draw(st.sets(st.sampled_from(sorted(chosen)), min_size=1, max_size=2))
    resources = [thing(CLUSTER, name, content, needs=[(ENDPOINT, name)]) for name, content in chosen.items()]
    resources += [thing(ENDPOINT, name, draw(contents)) for name in chosen]
    resources.append(thing(ROUTE, "r", draw(contents) + "".join(sorted(used)), needs=[(CLUSTER, n) for n in used]))
    resources.append(thing(LISTENER, "l", draw(contents), needs=[(ROUTE, "r")]))
    return Snapshot.of(resources)


@dataclass
class Client:
    """What a client has applied, what it asks for, and the responses that it has not answered yet."""

    has: dict[str, dict[str, Resource]] = field(default_factory=dict)
    asked: dict[str, set[str]] = field(default_factory=dict)
    unanswered: dict[str, SendResponse] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)

    def apply(self, response: SendResponse, *, full: bool) -> None:
        mine = self.has.setdefault(response.type_url, {})
        if full:
            mine.clear()
        asked = self.asked[response.type_url]
        mine.update({
            item.resource.name: item.resource for item in response.items
            if response.type_url in FULL_STATE or item.resource.name in asked  # what was dropped meanwhile is ignored
        })  # fmt: skip
        for name in response.removed:
            mine.pop(name, None)

    def used_clusters(self) -> set[str]:
        return {n for r in self.has.get(ROUTE, {}).values() for t, n in r.references if t == CLUSTER}


class StreamMachine(RuleBasedStateMachine):
    """One stream; subclasses say which form of the protocol."""

    variant = Variant.SOTW

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.streams = 0
        self.open()
        self.client = Client()
        self.target: Snapshot | None = None
        self.on_the_way: SendResponse | None = None
        self.node: Node | None = Node("n")
        self.all_nonces: list[str] = []

    def open(self) -> None:
        self.streams += 1
        rules = Rules(timing=Timing(removal_hold_s=1e9), write_s=1e9)
        self.stream = Stream(f"s{self.streams:04}", self.variant, rules=rules, opened_at=self.now)

    def feed(self, event: Event) -> None:
        for command in self.stream.handle(event, self.now):
            if isinstance(command, SendResponse):
                assert self.on_the_way is None, "two responses at once"
                assert command.type_url not in self.client.unanswered, "two unconfirmed responses of a type"
                listed = [item.resource.name for item in command.items]
                assert len(set(listed)) == len(listed)
                assert not set(listed) & set(command.removed)
                self.on_the_way = command
                self.all_nonces.append(command.nonce)
            assert not isinstance(command, CloseStream)

    def request(
        self, type_url: str, *, nonce: str = "", error: str | None = None, add: str = "", drop: str = ""
    ) -> None:
        asked = self.client.asked.setdefault(type_url, set())
        asked |= set(add)
        asked -= set(drop)
        node, self.node = self.node, None
        if self.variant is Variant.DELTA:
            message = DeltaRequest(
                type_url=type_url, node=node, nonce=nonce, error=error, subscribe=tuple(add), unsubscribe=tuple(drop)
            )
            self.feed(RequestReceived(message))
        else:
            current = self.client.nonces.get(type_url, "")
            if error is None and type_url in self.client.unanswered:  # the current nonce makes any request an ACK
                self.client.apply(self.client.unanswered.pop(type_url), full=type_url in FULL_STATE)
            self.feed(RequestReceived(SotwRequest(
                type_url=type_url, node=node, nonce=current, error=error, names=tuple(sorted(asked)),
            )))  # fmt: skip

    # -- what may happen ---------------------------------------------------------------------------------------

    @initialize()
    def ask_for_clusters(self) -> None:
        self.request(CLUSTER)

    @rule()
    def ask_for_listeners(self) -> None:
        if LISTENER not in self.client.asked:
            self.request(LISTENER)

    @rule(snapshot=snapshots())
    def change(self, snapshot: Snapshot) -> None:
        changed = snapshot.changed_since(self.target) if self.target else None
        self.target = snapshot
        self.feed(SnapshotChanged(snapshot, changed))

    @precondition(lambda self: self.on_the_way is not None)
    @rule()
    def arrive(self) -> None:
        response, self.on_the_way = self.on_the_way, None
        assert response is not None
        self.client.unanswered[response.type_url] = response
        self.client.nonces[response.type_url] = response.nonce
        self.feed(ResponseWritten())

    @precondition(lambda self: self.client.unanswered)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        response = self.client.unanswered.pop(data.draw(st.sampled_from(sorted(self.client.unanswered))), None)
        assert response is not None
        self.acknowledge(response)

    def acknowledge(self, response: SendResponse) -> None:
        full = self.variant is Variant.SOTW and response.type_url in FULL_STATE
        self.client.apply(response, full=full)
        self.client.unanswered.pop(response.type_url, None)
        self.request(response.type_url, nonce=response.nonce)
        self.follow(response.type_url)

    def follow(self, type_url: str) -> None:
        """Ask for what the applied resources need, as Envoy does: endpoints of clusters, routes of listeners."""
        if type_url == CLUSTER:
            has, asked = set(self.client.has.get(CLUSTER, {})), self.client.asked.get(ENDPOINT, set())
            added, dropped = "".join(sorted(has - asked)), "".join(sorted(asked - has))
            if added or dropped:
                for name in dropped:
                    self.client.has.get(ENDPOINT, {}).pop(name, None)
                self.request(ENDPOINT, add=added, drop=dropped)
        elif type_url == LISTENER and "r" not in self.client.asked.get(ROUTE, set()):
            self.request(ROUTE, add="r")

    @precondition(lambda self: self.client.unanswered)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        type_url = data.draw(st.sampled_from(sorted(self.client.unanswered)))
        response = self.client.unanswered.pop(type_url)
        self.request(type_url, nonce=response.nonce, error="no")

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.feed(Ticked())

    # -- what must hold ----------------------------------------------------------------------------------------

    @invariant()
    def routes_only_use_clusters_that_are_there(self) -> None:
        assert self.client.used_clusters() <= self.client.has.get(CLUSTER, {}).keys()

    @invariant()
    def nonces_increase(self) -> None:
        assert self.all_nonces == sorted(set(self.all_nonces))

    @invariant()
    def an_alarm_is_never_in_the_past(self) -> None:
        deadline = self.stream.deadline
        assert deadline is None or deadline > self.now

    def teardown(self) -> None:
        """Confirm everything, and see that the client has what it should have."""
        if self.target is None or self.node is not None:
            return
        self.ask_for_listeners()
        # What was refused is not sent again: a last change of everything makes it right.
        fresh = [
            Resource(r.name, t, r.body + b"!", r.references)
            for t in self.target.type_urls for r in self.target.resources(t).values()
        ]  # fmt: skip
        self.change(Snapshot.of(fresh))
        for _ in range(100):
            if self.on_the_way is not None:
                self.arrive()
            elif self.client.unanswered:
                self.acknowledge(next(iter(self.client.unanswered.values())))
            else:
                self.wait(1)
        assert self.target is not None
        for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
            assert self.client.has.get(type_url, {}) == dict(self.target.resources(type_url)), type_url
        assert all(status.applied for status in self.stream.status())
        assert self.stream.unanswered() == ()


class DeltaMachine(StreamMachine):
    """The same client, in delta, where it can also lose its stream: the server remembers nothing of it."""

    variant = Variant.DELTA

    @precondition(lambda self: self.node is None)
    @rule(order=st.permutations([CLUSTER, ENDPOINT, LISTENER, ROUTE]))
    def reconnect(self, order: list[str]) -> None:
        self.open()
        self.node, self.on_the_way, self.client.unanswered = Node("n"), None, {}
        if self.target is not None:
            self.feed(SnapshotChanged(self.target))
        for type_url in (t for t in order if t in self.client.asked):
            node, self.node = self.node, None
            asked = () if type_url in FULL_STATE else tuple(sorted(self.client.asked[type_url]))
            known = {name: r.version for name, r in self.client.has.get(type_url, {}).items()}
            request = DeltaRequest(type_url=type_url, node=node, subscribe=asked, initial_versions=known)
            self.feed(RequestReceived(request))


_settings = settings(max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
TestStateOfTheWorld = StreamMachine.TestCase
TestStateOfTheWorld.settings = _settings
TestDelta = DeltaMachine.TestCase
TestDelta.settings = _settings


words = st.sampled_from(["", "a", "b", "*", "xdstp://x/*"])
types = st.sampled_from([CLUSTER, ENDPOINT, LISTENER, ROUTE, "unknown"])
nonces = st.sampled_from(["", "current", "s.00000001", "s.00000002", "never"])
errors = st.none() | st.sampled_from(["", "a is bad"])
nodes = st.none() | st.just(Node("n"))


def _requests(variant: Variant) -> st.SearchStrategy[SotwRequest] | st.SearchStrategy[DeltaRequest]:
    several = st.lists(words, max_size=3).map(tuple)
    if variant is Variant.SOTW:
        return st.builds(
            SotwRequest, type_url=types, node=nodes, names=several, version=words, nonce=nonces, error=errors
        )
    return st.builds(
        DeltaRequest, type_url=types, node=nodes, subscribe=several, unsubscribe=several, nonce=nonces, error=errors,
        initial_versions=st.dictionaries(words, words, max_size=2),
    )  # fmt: skip


def _events(variant: Variant) -> st.SearchStrategy[list[Event]]:
    return st.lists(
        st.one_of(
            st.builds(RequestReceived, _requests(variant)),
            st.builds(SnapshotChanged, st.none() | snapshots()),
            st.just(ResponseWritten()),
            st.just(Ticked()),
            st.builds(DrainRequested, st.floats(0, 10)),
        ),
        max_size=25,
    )


def _responses(stream: Stream, events: list[Event]) -> Iterator[SendResponse]:
    last = {}
    for now, event in enumerate(events):
        if isinstance(event, RequestReceived) and event.request.nonce == "current":
            nonce = last.get(event.request.type_url, "")
            fields = {f: getattr(event.request, f) for f in event.request.__slots__}
            event = RequestReceived(type(event.request)(**{**fields, "nonce": nonce}))  # noqa: PLW2901
        for command in stream.handle(event, float(now)):
            if isinstance(command, SendResponse):
                last[command.type_url] = command.nonce
                yield command


@pytest.mark.parametrize("variant", Variant)
@given(data=st.data())
@settings(deadline=None)
def test_every_event_is_taken_in_every_state(variant: Variant, data: st.DataObject) -> None:
    """Also what no sane client does: nothing raises, and no response names a resource twice."""
    stream = Stream("s", variant, rules=Rules(), opened_at=0)
    for response in _responses(stream, data.draw(_events(variant))):
        listed = [item.resource.name for item in response.items]
        assert len(set(listed)) == len(listed)
        assert not set(listed) & set(response.removed)
        assert variant is Variant.DELTA or not response.removed
    stream.status()
    stream.unanswered()
