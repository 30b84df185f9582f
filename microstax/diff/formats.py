"""Recognise texts that are made anew for every answer or every thing: identifiers, times, hashes, tokens."""

import re
from enum import StrEnum
from typing import Final

EPOCH_SECONDS: Final = range(946_684_800, 4_102_444_800)
"""2000-01-01 to 2100-01-01, Unix seconds."""


class Format(StrEnum):
    """A format whose value says nothing about behaviour."""

    UUID = "uuid"
    TIME = "time"
    EPOCH = "epoch"
    HEX = "hex"
    JWT = "jwt"


_UUID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_FORMATS: Final = (
    (Format.UUID, re.compile(_UUID)),
    # RFC 3339, and HTTP's IMF-fixdate (RFC 9110, 5.6.7).
    (Format.TIME, re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?")),
    (Format.TIME, re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")),
    (Format.JWT, re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")),
    (Format.HEX, re.compile(r"(?=[^\d]*\d)(?:[0-9a-f]{16,}|[0-9A-F]{16,})")),
)
_IDENTIFIER: Final = re.compile(
    rf"""
      [+-]?\d+                                          # a number
    | {_UUID}
    | \d{{4}}-\d\d-\d\d(?:[Tt_ ].*)?                    # a date, a time
    | (?=[^\d]*\d)(?=.*[a-fA-F])[0-9a-fA-F]{{8,}}       # a hash
    | [A-Za-z]{{1,10}}[-_:]\d+                          # order-17
    | (?=(?:[^\d]*\d){{2}})(?=.*[A-Za-z])[0-9A-Za-z_-]{{20,}}  # a token: long, and digits in it
    | [0-7][0-9A-HJKMNP-TV-Z]{{25}}                     # a ULID
    | [^@/]+(?:@|%40)[^@/]+                             # an e-mail address
    | .{{65,}}
    """,
    re.VERBOSE | re.DOTALL,
)


def is_identifier(text: str) -> bool:
    """Tell whether a path segment or a member's name looks like the id of one thing among many."""
    return _IDENTIFIER.fullmatch(text) is not None


def format_of(value: str) -> Format | None:
    """Return the format of a value, given as compact JSON (`"..."` or a number), None where it has none of them."""
    if value[:1] == '"':
        text = value[1:-1]
        return next((name for name, pattern in _FORMATS if pattern.fullmatch(text)), None)
    return Format.EPOCH if _is_epoch(value) else None


def _is_epoch(value: str) -> bool:
    whole, _, _ = value.partition(".")
    if not whole.isascii() or not whole.isdigit() or len(whole) > len("4102444800000000000"):
        return False
    return any(int(whole) // unit in EPOCH_SECONDS for unit in (1, 1_000, 1_000_000, 1_000_000_000))
