"""What can be said about a value that is another one in every answer: its form.

A timestamp, a token or a random number differs always, so that it differs is no news; that a UUID has become a hex
text, that a number is negative or a thousand times larger is. Two signatures are compared by aspect, and each aspect is
counted as a discrepancy of its own, with its own noise.
"""

import math
from typing import Any, Final, NamedTuple

from microstax.diff.formats import CLOCKS, format_of_number, format_of_text
from microstax.diff.json_text import NotFinite

FORMAT: Final = "format"
LENGTH_CLASS: Final = "length_class"
SIGN: Final = "sign"
MAGNITUDE: Final = "magnitude"
SHIFT: Final = "shift"
_REMEMBERED: Final = 2_048
_HASHED: Final = 2**60
_REMEMBERED_LENGTH: Final = 24
"""Longer texts are tokens that do not come again."""


class Signature(NamedTuple):
    """The form of one value.

    `length_class` of a text is the power of two that its length lies below (0: empty, 1: 1, 2: 2-3, 3: 4-7, ...).
    `sign` of a number is -1, 0 or 1, `magnitude` the power of ten that it reaches. None where the aspect does not
    apply; to what a clock says, only its format does.
    """

    format: str
    length_class: int | None = None
    sign: int | None = None
    magnitude: int | None = None


_KNOWN: Final[dict[type, dict[Any, Signature]]] = {int: {}, float: {}, str: {}}
"""The signatures of values seen before, by type: 1 and 1.0 are equal and have different ones."""
_OTHERS: Final[dict[type, Signature]] = {NotFinite: Signature("not_finite")}
_TEXTUAL_BODY: Final = "body"


def signature_of(value: Any) -> Signature | None:
    """Return the signature of a parsed JSON value or of a whole body (bytes); None for what has none."""
    kind = type(value)
    known = _KNOWN.get(kind)
    if known is None:
        return Signature(_TEXTUAL_BODY, len(value).bit_length()) if kind is bytes else _OTHERS.get(kind)
    if kind is str and len(value) > _REMEMBERED_LENGTH:
        return _of_text(value)
    return known.get(value) or _remember(known, value)


def aspects(base: Signature, other: Signature) -> tuple[tuple[str, str], ...]:
    """Return in which aspects two signatures differ, as (kind, detail). Lengths compare within one format only."""
    if base == other:
        return ()
    found = []
    if base.format != other.format:
        found.append((FORMAT, f"{base.format}>{other.format}"))
    elif base.length_class != other.length_class:
        found.append((LENGTH_CLASS, ""))
    if base.sign is not None and other.sign is not None:
        if base.sign != other.sign:
            found.append((SIGN, ""))
        if base.magnitude != other.magnitude and None not in (base.magnitude, other.magnitude):
            found.append((MAGNITUDE, ""))
    return tuple(found)


def _remember(known: dict[Any, Signature], value: Any) -> Signature:
    made = _of_text(value) if type(value) is str else _of_number(value)
    if type(value) is int and abs(value) >= _HASHED:
        return made  # Python hashes integers modulo 2^61-1: larger ones can be chosen to collide
    if len(known) >= _REMEMBERED:
        known.clear()
    known[value] = made
    return made


def _of_text(text: str) -> Signature:
    found = format_of_text(text)
    return Signature(found, None if found in CLOCKS else len(text).bit_length())


def _of_number(value: float) -> Signature:
    found = format_of_number(value)
    if found in CLOCKS:
        return Signature(found)
    if not value:
        return Signature(found, None, 0)
    return Signature(found, None, 1 if value > 0 else -1, math.floor(math.log10(abs(value))))
