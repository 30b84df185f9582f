"""Turn one tap trace into an Exchange. No I/O, and no exception: what cannot be used comes back as Unusable.

`parse_trace` takes a trace apart, microstax.capture.identity finds out whose it is, `read_parsed` makes the exchange.
Pseudo-headers and our own headers are taken out, so that what is left is what the side itself received and answered.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from microstax.capture.content_encoding import Decoded, decode
from microstax.capture.header_fields import NO_FIELDS, Fields, split
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, Headers, Request, Response, Side

COPY_HEADER: Final = "x-microstax-copy"
"""Of a copy's response: `<service>;<side>;<overlay>;<id>;<client>;<from>;<until>` (microstax.envoy.names)."""
LOCAL_HEADER: Final = "x-microstax-local"
_NO_FLAGS: Final = frozenset({"", "-"})
_NO_BODY_STATUSES: Final = frozenset({204, 304})
_STATUSES: Final = range(100, 600)
_LAST_SECOND: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A trace that gives no exchange. `id`, `side`, `service` are None where it is not known whose it is.

    `foreign` traces belong to somebody else's use of the tap and are no loss. `cut_short` means that the side's answer
    broke off: fewer bytes than its content-length promised, though the tap's own limit was not reached.
    """

    problem: str
    id: str | None = None
    side: Side | None = None
    service: str | None = None
    overlay: str | None = None
    foreign: bool = False
    cut_short: bool = False
    started_us: int | None = None


class Identity(NamedTuple):
    """Whose trace one is."""

    id: str
    service: str
    side: Side
    overlay: str | None = None


@dataclass(slots=True)
class Trace:
    """A trace taken apart. `answer` are the response's fields; `size` is in bytes; `identity` is found out later."""

    message: Any
    answer: Fields
    size: int
    identity: Identity | None = None

    @property
    def told(self) -> str | None:
        """What a copy says about itself in COPY_HEADER, None of a baseline."""
        return self.answer.own.get(COPY_HEADER)

    @property
    def client(self) -> str | None:
        """address:port of the connection's other end as Envoy prints it; None for a copy's, which has no port."""
        return _printed(self.message.downstream_connection.remote_address)

    @property
    def listener(self) -> str | None:
        """The same of our end."""
        return _printed(self.message.downstream_connection.local_address)

    @property
    def seen_ns(self) -> int:
        """When the tap saw the request, in Unix nanoseconds; 0 if it does not say."""
        stamp = self.message.request.headers_received_time
        return int(stamp.seconds) * 1_000_000_000 + int(stamp.nanos)


def parse_trace(frame: bytes) -> Trace | Unusable:
    """Take apart `frame`, a serialised `envoy.data.tap.v3.TraceWrapper`."""
    wrapper = tap_pb2.TraceWrapper()
    try:
        wrapper.ParseFromString(frame)
        message = wrapper.http_buffered_trace
        answer = split(message.response.headers)
    except DecodeError:
        return Unusable(problem="not a tap trace")
    if not wrapper.HasField("http_buffered_trace"):
        return Unusable(problem="no buffered HTTP trace")
    return Trace(message, answer, len(frame))


def read_parsed(trace: Trace) -> Exchange | Unusable:
    """Return the exchange of a trace whose identity is known."""
    whose, message = trace.identity, trace.message
    if whose is None:
        return Unusable(problem="a trace of nobody", foreign=True)
    started, answered = _micros(message.request), _micros(message.response)
    try:
        asked = split(message.request.headers)
        request = _request(message.request, asked)
        response = _response(message.response, trace.answer, request.method) if trace.answer is not NO_FIELDS else None
    except DecodeError:
        response = _Refusal("not a tap trace")
    if isinstance(response, _Refusal):
        return Unusable(
            problem=response.problem,
            id=whose.id,
            side=whose.side,
            service=whose.service,
            overlay=whose.overlay,
            cut_short=response.cut_short,
            started_us=started,
        )
    return Exchange(
        id=whose.id,
        side=whose.side,
        service=whose.service,
        overlay=whose.overlay,
        request=request,
        response=response,
        started_us=started,
        latency_us=answered - started if started is not None and answered is not None else None,
    )


def _printed(address: Any) -> str | None:
    port = address.socket_address.port_value
    if not port:
        return None
    host = address.socket_address.address.decode("latin-1")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _request(message: Any, asked: Fields) -> Request:
    raw = message.body.as_bytes or message.body.as_string
    decoded = _decoded(raw, _framing(asked.headers)[1], cut=message.body.truncated) if raw else _NOTHING
    pseudo = asked.pseudo
    return Request(
        method=pseudo.get(":method", "GET"),
        path=pseudo.get(":path", "/"),
        authority=pseudo.get(":authority", ""),
        headers=asked.headers,
        body=decoded.body,
        truncated=message.body.truncated or decoded.truncated,
        encoded=decoded.encoded,
    )


@dataclass(frozen=True, slots=True)
class _Refusal:
    problem: str
    cut_short: bool = False


def _response(message: Any, answer: Fields, method: str) -> Response | _Refusal:
    headers, status = answer.headers, answer.pseudo.get(":status", "")
    if not (status.isascii() and status.isdigit() and int(status) in _STATUSES):
        return _Refusal("an answer whose status is no HTTP status")
    code, cut = int(status), message.body.truncated
    raw = message.body.as_bytes or message.body.as_string
    promised, encodings = _framing(headers)
    if len(raw) < promised and not cut and _has_body(method, code):
        return _Refusal(f"the answer broke off after {len(raw)} of {promised} bytes", cut_short=True)
    decoded = _decoded(raw, encodings, cut=cut) if raw else _NOTHING
    local = answer.own.get(LOCAL_HEADER, "")
    return Response(
        status=code,
        headers=headers,
        body=decoded.body,
        truncated=cut or decoded.truncated,
        trailers=split(message.trailers).headers if message.trailers else (),
        local_reason=None if local in _NO_FLAGS else local,
        body_size=len(raw),
        encoded=decoded.encoded,
    )


_NOTHING: Final = Decoded(b"")


def _has_body(method: str, status: int) -> bool:
    return method != "HEAD" and status not in _NO_BODY_STATUSES


def _framing(headers: Headers) -> tuple[int, str]:
    """Return how many bytes the headers promise (0: nothing is promised), and in which encodings."""
    length, encodings = 0, ""
    for name, value in headers:
        if name == "content-length":
            length = int(value) if value.isascii() and value.isdigit() else 0
        elif name == "content-encoding":
            encodings = f"{encodings},{value}" if encodings else value
    return length, encodings


def _decoded(raw: bytes, encodings: str, *, cut: bool) -> Decoded:
    if not encodings:
        return Decoded(raw)
    return Decoded(raw, encoded=True) if cut else decode(raw, encodings)


def _micros(message: Any) -> int | None:
    """Return when the headers arrived, in Unix microseconds."""
    stamp = message.headers_received_time
    seconds = stamp.seconds
    return int(seconds * 1_000_000 + stamp.nanos // 1_000) if 0 < seconds < _LAST_SECOND else None
