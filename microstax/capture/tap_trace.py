"""Turn one tap trace into an Exchange. No I/O, and no exception: what cannot be used comes back as Unusable.

Our own headers name the exchange (microstax.envoy puts them there); they and the pseudo-headers are taken out, so that
what is left is what the side itself received and answered.
"""

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError

from microstax.capture.content_encoding import Decoded, decode
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, Headers, Request, Response, Side

EXCHANGE_HEADER: Final = "x-microstax-exchange"
SIDE_HEADER: Final = "x-microstax-side"
LOCAL_HEADER: Final = "x-microstax-local"
_OWN: Final = "x-microstax-"
_NO_FLAGS: Final = frozenset({"", "-"})
_NO_BODY_STATUSES: Final = frozenset({204, 304})
_STATUSES: Final = range(100, 600)
_PARTS: Final = 3
_LAST_SECOND: Final = 1 << 40
_KNOWN_NAMES: Final = 4096
_names: dict[bytes, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A trace that gives no exchange. `id`, `side`, `service` are None where the trace does not tell them.

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


def read_trace(frame: bytes) -> Exchange | Unusable:
    """Return the exchange in `frame`, a serialised `envoy.data.tap.v3.TraceWrapper` that says whose it is."""
    trace = parse_trace(frame)
    return trace if isinstance(trace, Unusable) else read_parsed(trace)


def parse_trace(frame: bytes) -> Any:
    """Return the `tap_pb2.HttpBufferedTrace` in `frame`, or Unusable."""
    wrapper = tap_pb2.TraceWrapper()
    try:
        wrapper.ParseFromString(frame)
    except DecodeError:
        return Unusable(problem="not a tap trace")
    if not wrapper.HasField("http_buffered_trace"):
        return Unusable(problem="no buffered HTTP trace")
    return wrapper.http_buffered_trace


def read_parsed(trace: Any) -> Exchange | Unusable:
    """Return the exchange in a parsed trace that says whose it is."""
    pseudo, headers, own = _split(trace.request.headers)
    identity = own.get(EXCHANGE_HEADER)
    if not identity:
        return Unusable(problem=f"no {EXCHANGE_HEADER} header", foreign=True)
    place = _place(own.get(SIDE_HEADER, ""))
    if place is None:
        return Unusable(problem=f"unreadable {SIDE_HEADER} header", id=identity)
    service, side, overlay = place
    request = _request(trace.request, pseudo, headers)
    response = _response(trace.response, request.method) if trace.response.headers else None
    started, answered = _micros(trace.request), _micros(trace.response)
    if isinstance(response, _Refusal):
        return Unusable(
            problem=response.problem,
            id=identity,
            side=side,
            service=service,
            overlay=overlay,
            cut_short=response.cut_short,
            started_us=started,
        )
    return Exchange(
        id=identity,
        side=side,
        service=service,
        overlay=overlay,
        request=request,
        response=response,
        started_us=started,
        latency_us=answered - started if started is not None and answered is not None else None,
    )


def _place(text: str) -> tuple[str, Side, str | None] | None:
    """Read `service;side;overlay`."""
    parts = text.split(";")
    if len(parts) != _PARTS or not parts[0] or parts[1] not in _SIDES:
        return None
    return parts[0], _SIDES[parts[1]], parts[2] or None


_SIDES: Final = {str(side): side for side in Side}


def _split(fields: Any) -> tuple[dict[str, str], Headers, dict[str, str]]:
    """Return pseudo-headers, the side's own headers, and ours."""
    pseudo: dict[str, str] = {}
    own: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    for field in fields:
        name, value = _name(field.key), _text(field.value or field.raw_value)
        if name.startswith(":"):
            pseudo[name] = value
        elif name.startswith(_OWN):
            own[name] = value
        else:
            headers.append((name, value))
    return pseudo, tuple(headers), own


def _name(raw: bytes) -> str:
    """Return a header's name; the few hundred that a fleet uses are decoded once."""
    name = _names.get(raw)
    if name is None:
        name = raw.decode("latin-1").lower()
        if len(_names) < _KNOWN_NAMES:
            _names[raw] = name
    return name


def _text(raw: bytes) -> str:
    """Return a header's value: UTF-8 where it is, else each byte as one character (RFC 9110, 5.5: opaque data)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _request(message: Any, pseudo: dict[str, str], headers: Headers) -> Request:
    raw = message.body.as_bytes or message.body.as_string
    decoded = _decoded(raw, headers, cut=message.body.truncated) if raw else _NOTHING
    return Request(
        method=pseudo.get(":method", "GET"),
        path=pseudo.get(":path", "/"),
        authority=pseudo.get(":authority", ""),
        headers=headers,
        body=decoded.body,
        truncated=message.body.truncated or decoded.truncated,
        encoded=decoded.encoded,
    )


@dataclass(frozen=True, slots=True)
class _Refusal:
    problem: str
    cut_short: bool = False


def _response(message: Any, method: str) -> Response | _Refusal:
    pseudo, headers, own = _split(message.headers)
    status = pseudo.get(":status", "")
    if not (status.isascii() and status.isdigit() and int(status) in _STATUSES):
        return _Refusal("an answer whose status is no HTTP status")
    code, cut = int(status), message.body.truncated
    raw = message.body.as_bytes or message.body.as_string
    if not cut and _has_body(method, code) and len(raw) < (promised := _content_length(headers)):
        return _Refusal(f"the answer broke off after {len(raw)} of {promised} bytes", cut_short=True)
    decoded = _decoded(raw, headers, cut=cut) if raw else _NOTHING
    local = own.get(LOCAL_HEADER, "")
    return Response(
        status=code,
        headers=headers,
        body=decoded.body,
        truncated=cut or decoded.truncated,
        trailers=_split(message.trailers)[1] if message.trailers else (),
        local_reason=None if local in _NO_FLAGS else local,
        body_size=len(raw),
        encoded=decoded.encoded,
    )


_NOTHING: Final = Decoded(b"")


def _has_body(method: str, status: int) -> bool:
    return method != "HEAD" and status not in _NO_BODY_STATUSES


def _content_length(headers: Headers) -> int:
    """Return how many bytes the headers promise, 0 where they promise nothing."""
    for name, value in headers:
        if name == "content-length":
            return int(value) if value.isascii() and value.isdigit() else 0
    return 0


def _decoded(raw: bytes, headers: Headers, *, cut: bool) -> Decoded:
    encodings = ",".join(value for name, value in headers if name == "content-encoding")
    if not encodings:
        return Decoded(raw)
    return Decoded(raw, encoded=True) if cut else decode(raw, encodings)


def _micros(message: Any) -> int | None:
    """Return when the headers arrived, in Unix microseconds."""
    if not message.HasField("headers_received_time"):
        return None
    stamp = message.headers_received_time
    if not 0 < stamp.seconds < _LAST_SECOND:
        return None
    return int(stamp.seconds * 1_000_000 + stamp.nanos // 1_000)
