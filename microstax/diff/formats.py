"""Recognise texts and numbers by their form: identifiers, times, hashes, tokens, addresses."""

import re
from typing import Final

EPOCHS: Final = {
    "epoch_s": range(946_684_800, 4_102_444_800),
    "epoch_ms": range(946_684_800_000, 4_102_444_800_000),
    "epoch_us": range(946_684_800_000_000, 4_102_444_800_000_000),
    "epoch_ns": range(946_684_800_000_000_000, 4_102_444_800_000_000_000),
}
"""2000-01-01 to 2100-01-01 in Unix seconds, milliseconds, microseconds and nanoseconds."""
SMALLEST_EPOCH: Final = 946_684_800
CLOCKS: Final = frozenset({"rfc3339", "local_time", "http_date", "mail_date", "ctime", "log_time", "time", *EPOCHS})
"""Formats of what a clock says: how long they are and how large says nothing."""
ANEW: Final = frozenset({"uuid", "ulid", "hex", "base64", "jwt", *CLOCKS})
"""Formats that are made anew for every answer or every thing. An address or a URL that changes is another one, and
fewer than 16 hex digits may be a colour or an article's number."""

_READ: Final = 4_096
"""Characters that are looked at: what a text is shows in its beginning."""
_DIGITS_OF_EPOCHS: Final = range(10, 20)
_UUID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_MIXED: Final = r"(?=[a-fA-F]*\d)(?=\d*[a-fA-F])"
_LOCAL: Final = r"\d{4}-\d\d-\d\d[Tt\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
_NAME: Final = r"[A-Z][a-z]{2}"
_FORMATS: Final = re.compile(
    rf"""
      (?P<hex>{_MIXED}(?:[0-9a-f]{{16,}}|[0-9A-F]{{16,}}))
    | (?P<uuid>{_UUID})
    | (?P<short_hex>{_MIXED}(?:[0-9a-f]{{8,15}}|[0-9A-F]{{8,15}}))
    | (?P<integer>[+-]?\d+)
    | (?P<decimal>[+-]?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<rfc3339>{_LOCAL}(?:[Zz]|[+-]\d\d:?\d\d))
    | (?P<local_time>{_LOCAL})
    | (?P<http_date>{_NAME},\ \d\d\ {_NAME}\ \d{{4}}\ \d\d:\d\d:\d\d\ GMT)  # RFC 9110, 5.6.7
    | (?P<mail_date>(?:{_NAME},\ )?\d\d?\ {_NAME}\ \d{{4}}\ \d\d:\d\d:\d\d\ (?:[+-]\d{{4}}|UTC))  # RFC 5322
    | (?P<ctime>{_NAME}\ {_NAME}\ [\d\ ]\d\ \d\d:\d\d:\d\d\ \d{{4}})
    | (?P<log_time>\d\d/{_NAME}/\d{{4}}:\d\d:\d\d:\d\d\ [+-]\d{{4}})  # of Apache's and nginx's logs
    | (?P<time>\d\d:\d\d:\d\d(?:[.,]\d+)?)
    | (?P<date>\d{{4}}-\d\d-\d\d)
    | (?P<jwt>eyJ[\w-]+\.[\w-]+\.[\w-]*)
    | (?P<ulid>[0-7][0-9A-HJKMNP-TV-Z]{{25}})
    | (?P<base64>(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?:[A-Za-z0-9+/]{{20,}}|[A-Za-z0-9_-]{{20,}})={{0,2}})
    | (?P<url>[A-Za-z][A-Za-z0-9+.-]*://[^\s]+)
    | (?P<email>[^\s@:/]+@[^\s@:/.]+(?:\.[^\s@:/.]+)+)
    """,
    re.VERBOSE | re.ASCII,
)
_RUNS: Final = re.compile(r"[A-Z]+|[a-z]+|[0-9]+")
_RANDOM: Final = 0.4
"""Runs of one class of characters to characters: 0.65 in random base64, below 0.3 in names like MicrosoftOffice2026."""
_IDENTIFIER: Final = re.compile(
    rf"""
      [+-]?\d+                                          # a number
    | {_UUID}
    | \d{{4}}-\d\d-\d\d(?:[Tt_ ].*)?                    # a date, a time
    | (?=\D*\d)(?=.*[a-fA-F])[0-9a-fA-F]{{8,}}          # a hash
    | (?=(?:\D*\d){{2}})(?=.*[A-Za-z])[0-9A-Za-z_-]{{20,}}  # a token: long, and digits in it
    | [0-7][0-9A-HJKMNP-TV-Z]{{25}}                     # a ULID
    | [^@/]+(?:@|%40)[^@/]+                             # an e-mail address
    """,
    re.VERBOSE | re.DOTALL,
)
_LONGEST_WORD: Final = 64
"""Longer texts name one thing among many, whatever they are made of."""
_NUMBERED: Final = re.compile(r"[A-Za-z]{1,10}[-_:]\d+")


def is_identifier(text: str) -> bool:
    """Tell whether a text is the id of one thing among many: a number, a date, a hash, a token, an address."""
    return len(text) > _LONGEST_WORD or _IDENTIFIER.fullmatch(text) is not None


def is_numbered(text: str) -> bool:
    """Tell whether a text is a short word with a number, `order-17`: an id in a path, but no id as a member's name."""
    return _NUMBERED.fullmatch(text) is not None


def format_of_text(text: str) -> str:
    """Return the format of a text: a name of _FORMATS, of EPOCHS, `redacted`, `empty`, or `text` for all others."""
    if not text:
        return "empty"
    match = _FORMATS.fullmatch(text, 0, _READ)
    found = "text" if match is None else match.lastgroup or "text"
    if found == "integer":
        return format_of_number(int(text)) if len(text) in _DIGITS_OF_EPOCHS else found
    if found == "decimal":
        return format_of_number(float(text)) if text.find(".") in _DIGITS_OF_EPOCHS else found
    if found == "base64" and len(_RUNS.findall(text, 0, _READ)) < _RANDOM * min(len(text), _READ):
        return "text"
    return "redacted" if found == "text" and text.startswith("redacted:") else found


def format_of_number(value: float) -> str:
    """Return `integer`, `decimal`, or which epoch a number can count; a ten-digit id may be taken for one."""
    if value >= SMALLEST_EPOCH:
        whole = int(value)
        for name, numbers in EPOCHS.items():
            if whole in numbers:
                return name
    return "integer" if type(value) is int else "decimal"
