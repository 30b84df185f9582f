"""A script for one stream: `>>` what the client or the world does, `<<` what the machine must answer.

    play = Playbook(Variant.DELTA)
    play >> have(cluster) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER) << nothing

Every response has to be expected: a step that comes while an unexpected command waits is an AssertionError. Pure, and
shipped beside the machine as its scripted client; nothing in the server uses it.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from microstax.xds.messages import (
    CloseStream,
    Command,
    DeltaRequest,
    DrainRequested,
    Event,
    IdentifyNode,
    Node,
    Request,
    RequestReceived,
    ResponseWritten,
    SendResponse,
    SnapshotChanged,
    SotwRequest,
    Ticked,
    Variant,
)
from microstax.xds.resources import Reference, Resource, Snapshot
from microstax.xds.rules import Rules
from microstax.xds.stream import Stream
from microstax.xds.type_urls import short_name


@dataclass(frozen=True, slots=True)
class Expected:
    """A command that must come next, in the form that a failing test shows."""

    what: str


class Playbook:
    """One stream and its scripted client, which keeps names and nonces as a real one does."""

    def __init__(
        self,
        variant: Variant,
        *,
        rules: Rules | None = None,
        node: Node | None = None,
        type_url: str | None = None,
        stream_id: str = "s",
        patient: bool = True,
    ) -> None:
        self.now = 1000.0
        self.node = node or Node("n")
        self.variant: Final = variant
        self.stream: Final = Stream(stream_id, variant, rules=rules or Rules(), opened_at=self.now, type_url=type_url)
        self.commands: Final[deque[Command]] = deque()
        self.reports: Final[list[Command]] = []
        self.responses: Final[list[SendResponse]] = []
        self.names: Final[dict[str, tuple[str, ...]]] = {}
        self.patient = patient
        """Whether the transport takes every response at once; else the script says `written`."""

    def __rshift__(self, step: "Step") -> "Playbook":
        """Take a step of the script, after the last one has been answered for."""
        if self.commands:
            raise AssertionError(f"unexpected {describe(self.commands[0])}")
        step(self)
        return self

    def __lshift__(self, expected: Expected) -> "Playbook":
        """Demand the next command."""
        found = describe(self.commands.popleft()) if self.commands else NOTHING
        if found != expected.what:
            raise AssertionError(f"expected {expected.what}, got {found}")
        return self

    def feed(self, event: Event) -> None:
        """Give the machine an event; keep what it wants."""
        for command in self.stream.handle(event, self.now):
            if isinstance(command, SendResponse):
                self.responses.append(command)
                self.commands.append(command)
                if self.patient:
                    self.feed(ResponseWritten())
            elif isinstance(command, CloseStream):
                self.commands.append(command)
            elif not isinstance(command, IdentifyNode):
                self.reports.append(command)

    def last(self, type_url: str) -> SendResponse | None:
        """Return the last response of a type."""
        return next((r for r in reversed(self.responses) if r.type_url == type_url), None)

    def nonce(self, type_url: str) -> str:
        """Return the nonce that a well-behaved client would send for a type now."""
        last = self.last(type_url)
        return last.nonce if last else ""

    def request(self, request: Request) -> None:
        """Send a request; the first one on the stream carries the node."""
        self.feed(RequestReceived(request, at=self.now))


Step = Callable[[Playbook], None]
NOTHING: Final = "nothing"
nothing: Final = Expected(NOTHING)


def describe(command: Command) -> str:
    """Say in one line what a command does."""
    match command:
        case SendResponse():
            names = ", ".join(sorted(("♥" if i.heartbeat else "") + i.resource.name for i in command.items))
            removed = ", ".join(sorted(command.removed))
            return f"{short_name(command.type_url)}({names}){f' without {removed}' if removed else ''}"
        case CloseStream(code, _):
            return f"close {code}"
        case _:
            return type(command).__name__


def sends(type_url: str, *names: str, removed: tuple[str, ...] = (), heartbeats: tuple[str, ...] = ()) -> Expected:
    """Expect a response with exactly these resources and removals."""
    listed = ", ".join(sorted([*names, *(f"♥{name}" for name in heartbeats)]))
    gone = ", ".join(sorted(removed))
    return Expected(f"{short_name(type_url)}({listed}){f' without {gone}' if gone else ''}")


def closes(code: str) -> Expected:
    """Expect the end of the stream with this status."""
    return Expected(f"close {code}")


def have(*resources: Resource) -> Step:
    """Make these the resources of the node."""
    return lambda play: play.feed(SnapshotChanged(Snapshot.of(resources)))


def after(seconds: float) -> Step:
    """Let time pass."""

    def step(play: Playbook) -> None:
        play.now += seconds
        play.feed(Ticked())

    return step


def ask(type_url: str, *names: str, version: str = "", nonce: str | None = None, **known: str) -> Step:
    """Ask for names: the whole list in the state of the world, new ones in delta; `known` are initial versions."""

    def step(play: Playbook) -> None:
        node = play.node if play.stream.node is None else None
        play.names[type_url] = names
        if play.variant is Variant.DELTA:
            play.request(DeltaRequest(
                type_url=type_url, node=node, subscribe=names, initial_versions=known, nonce=nonce or "",
            ))  # fmt: skip
        else:
            given = play.nonce(type_url) if nonce is None else nonce
            play.request(SotwRequest(type_url=type_url, node=node, names=names, version=version, nonce=given))

    return step


def drop(type_url: str, *names: str) -> Step:
    """Cease to ask for names (delta)."""
    return lambda play: play.request(DeltaRequest(type_url=type_url, unsubscribe=names))


def ack(type_url: str) -> Step:
    """Confirm the last response of a type."""
    return lambda play: _answer(play, type_url, None)


def nack(type_url: str, error: str = "it is invalid") -> Step:
    """Refuse the last response of a type."""
    return lambda play: _answer(play, type_url, error)


def _answer(play: Playbook, type_url: str, error: str | None) -> None:
    last = play.last(type_url)
    if last is None:
        raise AssertionError(f"there is no {short_name(type_url)} response to answer")
    if play.variant is Variant.DELTA:
        play.request(DeltaRequest(type_url=type_url, nonce=last.nonce, error=error))
    else:
        names, version = play.names.get(type_url, ()), "" if error else last.version
        play.request(SotwRequest(type_url=type_url, names=names, version=version, nonce=last.nonce, error=error))


def says(request: Request) -> Step:
    """Send a request as it is."""
    return lambda play: play.request(request)


def written(play: Playbook) -> None:
    """Let the transport take the last response (a step for a playbook that is not patient)."""
    play.feed(ResponseWritten())


def drain(grace_s: float) -> Step:
    """Shut the server down."""
    return lambda play: play.feed(DrainRequested(grace_s))


def thing(type_url: str, name: str, content: str = "1", *, needs: Iterable[Reference] = ()) -> Resource:
    """Return a resource whose body is just a word: the machine does not look into it."""
    return Resource(name, type_url, content.encode(), frozenset(needs))
