"""Header maps of a trace as Python sees them: pseudo-headers, the side's own, and ours. No I/O.

A fleet sends the same few hundred fields again and again, so a field is decoded once and then found by its bytes.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Headers

OWN_PREFIX: Final = "x-microstax-"
_KNOWN: Final = 8_192
_LONGEST_KNOWN: Final = 256
_OTHER, _PSEUDO, _OWN = range(3)

_Field = tuple[int, tuple[str, str]]
_known: dict[bytes, _Field] = {}


class Fields(NamedTuple):
    """One header map; a tuple, since one is made for every message."""

    pseudo: dict[str, str]
    headers: Headers
    own: dict[str, str]


NO_FIELDS: Final = Fields({}, (), {})


def split(raw_fields: Iterable[bytes]) -> Fields:
    """Sort serialised HeaderValue messages; raises protobuf's DecodeError. NO_FIELDS itself stands for an empty map."""
    pseudo: dict[str, str] = {}
    own: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    for raw in raw_fields:
        kind, pair = _known.get(raw) or _read(raw)
        if kind == _OTHER:
            headers.append(pair)
        elif kind == _PSEUDO:
            pseudo[pair[0]] = pair[1]
        else:
            own[pair[0]] = pair[1]
    return Fields(pseudo, tuple(headers), own) if headers or pseudo or own else NO_FIELDS


def _read(raw: bytes) -> _Field:
    message = tap_pb2.HeaderValue.FromString(raw)
    name, value = message.key.decode("latin-1").lower(), _text(message.value or message.raw_value)
    kind = _PSEUDO if name.startswith(":") else _OWN if name.startswith(OWN_PREFIX) else _OTHER
    field = (kind, (name, value))
    if kind != _OWN and len(raw) <= _LONGEST_KNOWN:
        if len(_known) >= _KNOWN:
            _known.clear()
        _known[raw] = field
    return field


def _text(raw: bytes) -> str:
    """Return a value: UTF-8 where it is, else each byte as one character (RFC 9110, 5.5: opaque data)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
