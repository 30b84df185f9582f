"""Recognise texts that are made anew for every answer or every thing: identifiers, times, hashes, tokens."""

import re
from typing import Final

EPOCH_SECONDS: Final = range(946_684_800, 4_102_444_800)
"""2000-01-01 to 2100-01-01, Unix seconds."""

_SHORTEST: Final = 10
"""An epoch's digits."""


_UUID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_FORMATS: Final = re.compile(
    rf"""
      (?P<uuid>{_UUID})
    | (?P<time>
          \d{{4}}-\d\d-\d\d[Tt\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?  # RFC 3339
        | [A-Z][a-z]{{2}},\ \d\d\ [A-Z][a-z]{{2}}\ \d{{4}}\ \d\d:\d\d:\d\d\ GMT              # HTTP (RFC 9110, 5.6.7)
      )
    | (?P<hex>(?=\D*\d)(?:[0-9a-f]{{16,}}|[0-9A-F]{{16,}}))
    | (?P<jwt>eyJ[\w-]+\.[\w-]+\.[\w-]*)
    """,
    re.VERBOSE,
)
_IDENTIFIER: Final = re.compile(
    rf"""
      [+-]?\d+                                          # a number
    | {_UUID}
    | \d{{4}}-\d\d-\d\d(?:[Tt_ ].*)?                    # a date, a time
    | (?=\D*\d)(?=.*[a-fA-F])[0-9a-fA-F]{{8,}}          # a hash
    | (?=(?:\D*\d){{2}})(?=.*[A-Za-z])[0-9A-Za-z_-]{{20,}}  # a token: long, and digits in it
    | [0-7][0-9A-HJKMNP-TV-Z]{{25}}                     # a ULID
    | [^@/]+(?:@|%40)[^@/]+                             # an e-mail address
    | .{{65,}}
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBERED: Final = re.compile(r"[A-Za-z]{1,10}[-_:]\d+")


def is_identifier(text: str) -> bool:
    """Tell whether a text is the id of one thing among many: a number, a date, a hash, a token, an address."""
    return _IDENTIFIER.fullmatch(text) is not None


def is_numbered(text: str) -> bool:
    """Tell whether a text is a short word with a number, `order-17`: an id in a path, but no id as a member's name."""
    return _NUMBERED.fullmatch(text) is not None


def format_of(value: str) -> str | None:
    """Return the format that a value has and that is made anew for every answer, None where it has none.

    The value is compact JSON (`"..."` or a number), the format one of uuid, time, hex, jwt and epoch.
    """
    if len(value) < _SHORTEST:
        return None
    if value[0] == '"':
        match = _FORMATS.fullmatch(value, 1, len(value) - 1)
        return match.lastgroup if match is not None else None
    return "epoch" if value[0] in "123456789" and _is_epoch(value) else None


def _is_epoch(value: str) -> bool:
    whole, _, _ = value.partition(".")
    if not whole.isascii() or not whole.isdigit() or len(whole) > len("4102444800000000000"):
        return False
    return any(int(whole) // unit in EPOCH_SECONDS for unit in (1, 1_000, 1_000_000, 1_000_000_000))
