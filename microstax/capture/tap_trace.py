"""One tap trace, taken apart as far as is needed to find out whose it is. No I/O, and no exception.

`parse_trace` takes a trace apart, microstax.capture.identity finds out whose it is, and
microstax.capture.trace_reader makes the exchange. What cannot be used comes back as Unusable.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from microstax.capture.header_fields import decode_field
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Side

COPY_HEADER: Final = "x-microstax-copy"
"""Of a copy's response: `<service>;<side>;<overlay>;<id>;<client>;<from>;<until>` (microstax.envoy.names)."""
_COPY_FIELD: Final = tap_pb2.HeaderValue(key=COPY_HEADER.encode()).SerializeToString()
"""With what the serialised field begins."""


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
    """A trace taken apart. `answer` are the response's fields as they came, without COPY_HEADER; `size` is in bytes.

    `told` is what a copy says about itself in COPY_HEADER, None of a baseline. `identity` is found out later.
    """

    message: Any
    answer: list[bytes]
    size: int
    told: str | None = None
    identity: Identity | None = None

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
    told = copy = None
    try:
        wrapper = tap_pb2.TraceWrapper.FromString(frame)
        message = wrapper.http_buffered_trace
        answer = message.response.headers[:]
        for field in answer:
            if field.startswith(_COPY_FIELD):
                copy = field
        if copy is not None:
            told = decode_field(copy)[1]
            answer.remove(copy)
    except DecodeError:
        return Unusable(problem="not a tap trace")
    if not wrapper.HasField("http_buffered_trace"):
        return Unusable(problem="no buffered HTTP trace")
    return Trace(message, answer, len(frame), told)


def _printed(address: Any) -> str | None:
    end = address.socket_address
    port = end.port_value
    if not port:
        return None
    host = end.address.decode("latin-1")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
