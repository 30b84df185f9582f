"""What an xDS client says: bytes as requests, and requests to the stream machine, while its resources change."""

from collections.abc import Iterator
from typing import Any, Final

from hostile.choices import Choices
from hostile.messages import fill, spoil
from hostile.target import Target
from microstax.generated.wire import discovery_pb2 as wire
from microstax.xds.codec import decode_request, encode_response
from microstax.xds.messages import (
    CloseStream,
    DrainRequested,
    RequestReceived,
    ResponseWritten,
    SendResponse,
    SnapshotChanged,
    Ticked,
    Variant,
)
from microstax.xds.resources import Resource, Snapshot
from microstax.xds.rules import Rules
from microstax.xds.stream import Stream
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, RUNTIME

_TYPES: Final = (CLUSTER, ENDPOINT, LISTENER, ROUTE, RUNTIME, "type.googleapis.com/none", "")
_NAMES: Final = ("a", "b", "c", "*", "xdstp://x/y/*", "xdstp://x/y/z", "")
_REQUESTS: Final[dict[Variant, Any]] = {
    Variant.DELTA: wire.DeltaDiscoveryRequest,
    Variant.SOTW: wire.DiscoveryRequest,
}
_STEPS: Final = 24


def check(data: bytes) -> None:
    """Play a stream: bytes become requests or a ValueError, and one response at most is under way."""
    choices = Choices(data)
    variant = choices.pick((Variant.DELTA, Variant.SOTW))
    if choices.number(0, 3) == 0:
        requests = [choices.rest()]
        choices = Choices(b"")
    else:
        requests = []
    only = choices.pick((None, None, CLUSTER))
    stream, now, writing = Stream("s", variant, rules=Rules(max_age_s=60.0), opened_at=0.0, type_url=only), 0.0, False
    nonces: list[str] = [""]
    for _ in range(_STEPS):
        if stream.closed or not (requests or choices.left):
            break
        now += choices.pick((0.0, 0.0, 0.1, 5.0, 70.0))
        event = _event(stream, variant, choices, requests, nonces)
        if event is None:
            continue
        if isinstance(event, ResponseWritten):
            writing = False
        for command in stream.handle(event, now):
            if isinstance(command, SendResponse):
                assert not writing, "a second response before the first was written"
                writing = True
                nonces.append(command.nonce)
                assert encode_response(variant, command, at=now), "a response of no bytes"
            elif isinstance(command, CloseStream):
                assert stream.closed, "a stream says it is closed and goes on"
        stream.status()
        stream.unanswered()
        assert stream.deadline is None or stream.deadline >= 0, "a deadline before time began"


def _event(stream: Stream, variant: Variant, choices: Choices, requests: list[bytes], nonces: list[str]) -> Any:
    kind = 0 if requests else choices.number(0, 5)
    match kind:
        case 0 | 1:
            raw = requests.pop() if requests else _request(variant, choices, nonces, first=stream.node is None)
            try:
                return RequestReceived(decode_request(variant, raw), at=1.0)
            except ValueError:
                return None
        case 2:
            return SnapshotChanged(_snapshot(choices)) if choices.number(0, 7) else SnapshotChanged(None)
        case 3 | 4:
            return ResponseWritten()
        case _:
            return DrainRequested(1.0) if choices.chance(8) else Ticked()


def _request(variant: Variant, choices: Choices, nonces: list[str], *, first: bool) -> bytes:
    message = _REQUESTS[variant]()
    words = {
        "type_url": _TYPES,
        "response_nonce": (nonces[-1], nonces[0], choices.pick(nonces), "stale"),
        "id": ("n", "m"),
        "cluster": ("c",),
        "version_info": ("", "1"),
        "client_features": ("xds.config.supports-resource-ttl", "envoy.lrs.supports_send_all_clusters"),
        "initial_resource_versions": _NAMES,
        "*": _NAMES,
    }
    fill(message, choices, words)
    if first and not choices.chance(8):
        message.node.id = "n"
    if not choices.chance(4):
        message.type_url = choices.pick(_TYPES[:5])
    if not choices.chance(4):
        message.ClearField("error_detail")
    data: bytes = message.SerializeToString()
    return spoil(data, choices) if choices.chance(8) else data


def _snapshot(choices: Choices) -> Snapshot:
    made: dict[tuple[str, str], Resource] = {}
    for _ in range(choices.number(0, 5)):
        type_url, name = choices.pick(_TYPES[:5]), choices.pick(_NAMES[:3])
        made[type_url, name] = Resource(
            name, type_url, choices.pick((b"1", b"2", b"")), _references(type_url, choices), **_mortality(choices)
        )
    named = {key for one in made.values() for key in one.references}
    return Snapshot.of([*made.values(), *(Resource(name, kind, b"") for kind, name in named - made.keys())])


def _references(type_url: str, choices: Choices) -> frozenset[tuple[str, str]]:
    target = {CLUSTER: ENDPOINT, LISTENER: ROUTE}.get(type_url)
    return frozenset({(target, choices.pick(("a", "b")))}) if target and choices.number(0, 1) else frozenset()


def _mortality(choices: Choices) -> dict[str, Any]:
    return choices.pick(({}, {}, {"ttl_s": 10.0}, {"expires_at": 100.0}))


def seeds() -> Iterator[bytes]:
    """Give requests as Envoy sends them, and scripts of decisions."""
    node = wire.Node(id="n", cluster="c", user_agent_name="envoy", client_features=["xds.config.supports-resource-ttl"])
    yield b"\0\0" + wire.DeltaDiscoveryRequest(node=node, type_url=CLUSTER).SerializeToString()
    yield b"\1\0" + wire.DiscoveryRequest(node=node, type_url=LISTENER, resource_names=["a"]).SerializeToString()
    for step in (1, 3, 5, 7, 11, 13, 17, 19):
        yield bytes([step % 2, 1]) + bytes(number * step % 256 for number in range(250))


_TOKENS: Final = tuple(name.encode() for name in (*_TYPES, *_NAMES) if name)
TARGET: Final = Target(check=check, seeds=seeds, tokens=_TOKENS, longest=256)
