"""Header maps of a trace as Python sees them: what is noted, and the side's own headers. No I/O.

A fleet sends the same few hundred fields again and again, so a field is decoded and redacted once and then found by
its bytes.
"""

from collections.abc import Callable, Iterable
from typing import Final

from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Headers

OWN_PREFIX: Final = "x-microstax-"
CONTENT_LENGTH: Final = "content-length"
CONTENT_ENCODING: Final = "content-encoding"
CONTENT_TYPE: Final = "content-type"
_FRAMING: Final = frozenset({CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE})
_KNOWN: Final = 8_192
_LONGEST_KNOWN: Final = 256

Pair = tuple[str, str]
_Field = tuple[Pair | None, Pair | None]
Fields = tuple[dict[str, str], Headers]
"""(noted, headers). `noted` are the pseudo-headers, ours, and as they came those that say how to read the body; of a
name that stands several times the values are joined by commas (RFC 9110, 5.3). `headers` are what the side has."""


class HeaderReader:
    """Reads header maps; `keep` is given a name and a value, and returns what may be kept of the value."""

    __slots__ = ("_keep", "known")

    def __init__(self, keep: Callable[[str, str], str]) -> None:
        self._keep = keep
        self.known: dict[bytes, _Field] = {}

    def read(self, raw_fields: Iterable[bytes]) -> Fields:
        """Sort serialised HeaderValue messages; raises protobuf's DecodeError."""
        noted: dict[str, str] = {}
        headers: list[Pair] = []
        known = self.known.get
        for raw in raw_fields:
            header, note = known(raw) or self._read(raw)
            if header is not None:
                headers.append(header)
            if note is not None:
                name, value = note
                noted[name] = f"{noted[name]},{value}" if name in noted else value
        return noted, tuple(headers)

    def _read(self, raw: bytes) -> _Field:
        """Return a field as a header and as a note, None where it is not the one or the other."""
        name, value = decode_field(raw)
        kept = self._keep(name, value)
        if name.startswith(OWN_PREFIX):
            return None, (name, value)  # new with every copy, so not worth remembering
        field: _Field = ((name, kept), (name, value) if name in _FRAMING else None)
        if name.startswith(":"):
            field = (None, (name, kept))
        if len(raw) <= _LONGEST_KNOWN:
            if len(self.known) >= _KNOWN:
                self.known.clear()
            self.known[raw] = field
        return field


def decode_field(raw: bytes) -> Pair:
    """Return name (in lower case) and value of one serialised HeaderValue; raises protobuf's DecodeError."""
    message = tap_pb2.HeaderValue.FromString(raw)
    return message.key.decode("latin-1").lower(), _text(message.value or message.raw_value)


def _text(raw: bytes) -> str:
    """Return a value: UTF-8 where it is, else each byte as one character (RFC 9110, 5.5: opaque data)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
