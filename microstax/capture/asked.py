"""A request as the client sent it, for asking it again, and an answer to it that was fetched without Envoy.

These hold what redaction would have hashed: credentials, queries, cookies. They exist in memory only, as long as their
pair does, and show nothing of it when they are printed.
"""

from dataclasses import dataclass
from typing import Final

from microstax.capture.header_fields import OWN_PREFIX
from microstax.capture.tap_trace import Trace
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange
from microstax.model.overlay import SAFE_METHODS

RawFields = tuple[tuple[bytes, bytes], ...]
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"expect",
    }
)
"""RFC 9110, 7.6.1; and `expect`, which is about how a body is sent."""
_OWN: Final = OWN_PREFIX.encode()


@dataclass(frozen=True, slots=True, repr=False)
class RawRequest:
    """A request to send. `fields` begin with Host and are the client's own, in its order."""

    method: bytes
    target: bytes
    fields: RawFields
    body: bytes

    def without(self, names: frozenset[bytes]) -> "RawRequest":
        """Return the request without the fields of these names (in lower case), as a copy was sent that lacks them."""
        kept = tuple(field for field in self.fields if field[0] not in names)
        return RawRequest(method=self.method, target=self.target, fields=kept, body=self.body)


@dataclass(frozen=True, slots=True, repr=False)
class RawAnswer:
    """An answer as it came. `body` is as it was on the wire, without transfer-encoding."""

    status: int
    fields: RawFields
    body: bytes
    trailers: RawFields = ()

    def as_traced(self) -> tap_pb2.HttpMessage:
        """Return the answer as a tap would have written it."""
        message = tap_pb2.HttpMessage()
        message.headers.append(_field(b":status", b"%d" % self.status))
        message.headers.extend(_field(*one) for one in _end_to_end(self.fields))
        message.trailers.extend(_field(*one) for one in _end_to_end(self.trailers))
        message.body.as_bytes = self.body
        return message


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A safe and complete request as it was captured: serialised header fields, and the body."""

    fields: tuple[bytes, ...]
    body: bytes

    @property
    def size(self) -> int:
        """How many bytes it takes, about."""
        return sum(map(len, self.fields)) + len(self.body)

    def request(self) -> RawRequest:
        """Return what to send: neither what is about the client's connection nor anything of ours."""
        read = [_read(field) for field in self.fields]
        pseudo = {name: value for name, value in read if name.startswith(b":")}
        own = tuple((name, value) for name, value in read if not name.startswith(b":"))
        fields = [(name, value) for name, value in _end_to_end(own) if name not in {b"host", b"content-length"}]
        if self.body or any(name == b"content-length" for name, _ in own):
            fields.append((b"content-length", b"%d" % len(self.body)))
        return RawRequest(
            method=pseudo.get(b":method", b"GET"),
            target=pseudo.get(b":path", b"/"),
            fields=((b"host", pseudo.get(b":authority", b"")), *fields),
            body=self.body,
        )


def asked_of(exchange: Exchange, trace: Trace) -> Asked | None:
    """Return the request of a baseline's trace for asking it again; None where that must not or cannot be done."""
    message = trace.message.request
    if exchange.request.method not in SAFE_METHODS or message.body.truncated:
        return None
    return Asked(tuple(message.headers), message.body.as_bytes or message.body.as_string)


def _end_to_end(fields: RawFields) -> RawFields:
    """Return the fields that are for the other end: not for a connection, and not ours."""
    lower = [(name.lower(), value) for name, value in fields]
    named = b",".join(value for name, value in lower if name == b"connection")
    hops = _HOP_BY_HOP | {one.strip().lower() for one in named.split(b",")}
    return tuple((name, value) for name, value in lower if name not in hops and not name.startswith(_OWN))


def _read(field: bytes) -> tuple[bytes, bytes]:
    message = tap_pb2.HeaderValue.FromString(field)
    return message.key, message.value or message.raw_value


def _field(name: bytes, value: bytes) -> bytes:
    made: bytes = tap_pb2.HeaderValue(key=name, raw_value=value).SerializeToString()
    return made
