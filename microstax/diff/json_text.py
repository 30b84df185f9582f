"""Read JSON exactly: members that stand twice, integers of any size, NaN and lone surrogates survive.

orjson is ten times faster than the standard library's parser, but keeps the last of repeated members in silence,
rounds integers above 64 bits to doubles (RFC 8259, 6) and refuses NaN and lone surrogates. So it reads what cheaply
proves to have none of these, and the standard parser reads the rest.
"""

import json
from collections import Counter
from typing import Any, Final

import orjson

from microstax.diff.hashes import short_hash
from microstax.model.media import holds_more

_MARKED: Final = bytes(
    ord("0") if chr(byte).isdigit() else ord(" ") if byte in b" \t\r\n" else byte for byte in range(128)
) + bytes(range(128, 256))
_LONG_NUMBER: Final = b"0" * 19
"""Every integer of fewer digits fits 64 bits."""
_BOM: Final = b"\xef\xbb\xbf"
_SHOWN: Final = 160
_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS
_MAX_DEPTH: Final = 250
"""orjson writes 254 levels; what is nested deeper cannot be brought into a canonical form and is compared as text."""
_TEXTS: Final = frozenset({str})
_TOO_DEEP: Final = "nested too deep"
_LONGEST_INTEGER: Final = 400
_CAREFUL_VALUES: Final = 20_000
"""The standard parser takes microseconds a value."""


class RepeatedMembers(dict[str, Any]):
    """An object in which some names stand more than once; it holds the last of each, `repeated` their counts."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = {name: count for name, count in Counter(name for name, _ in pairs).items() if count > 1}


class NotFinite(str):
    """A number that no double holds, as it was written: NaN, Infinity, 1e400. It equals no text of the same letters."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NotFinite) and str.__eq__(self, other)

    __hash__ = str.__hash__


class NotJsonError(ValueError):
    """The bytes are no JSON text, or one beyond what can be read."""


class TooMuchError(NotJsonError):
    """The text may be JSON, and is nested deeper or holds more than can be looked at."""


def parse(body: bytes) -> Any:
    """Return the document in `body` as dict, list, str, int, float, bool and None (and the classes of this module).

    Raises NotJsonError (TooMuchError where it may be one); never another exception, whatever the bytes.
    """
    try:
        document = orjson.loads(body)
        again = orjson.dumps(document)
        # Most servers write no blanks; what reads back as it was written has lost nothing.
        if again == body or _is_proper(body, again):
            return document
    except orjson.JSONDecodeError:
        pass
    except TypeError:
        raise TooMuchError(_TOO_DEEP) from None
    if holds_more(body, _CAREFUL_VALUES):
        raise TooMuchError("more values than can be read with care")
    return _parse_with_care(body)


def _is_proper(body: bytes, again: bytes) -> bool:
    """Tell whether the text has no repeated member and no integer that was rounded; `again` is it read and written."""
    marked = body.translate(_MARKED)
    return b" :" not in marked and _LONG_NUMBER not in marked and marked.count(b'":') == again.count(b'":')


def _parse_with_care(body: bytes) -> Any:
    try:
        text = body.removeprefix(_BOM).decode()
        document = json.loads(
            text, object_pairs_hook=_members, parse_float=_float, parse_int=_int, parse_constant=NotFinite
        )
    except RecursionError:
        raise TooMuchError(_TOO_DEEP) from None
    except ValueError as error:
        raise NotJsonError(str(error)) from None
    if _is_deeper(document, _MAX_DEPTH):
        raise TooMuchError(_TOO_DEEP)
    return document


def _is_deeper(document: Any, levels: int) -> bool:
    """Tell whether containers are nested in more than `levels` levels, without recursion."""
    level = [document]
    while level and levels >= 0:
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        level, levels = inner, levels - 1
    return bool(level)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else RepeatedMembers(pairs)


def _float(text: str) -> float | NotFinite:
    value = float(text)
    return NotFinite(text) if value in (float("inf"), float("-inf")) else value


def _int(text: str) -> int | NotFinite:
    # As Infinity is to doubles; converting takes a time that grows with the square of the digits.
    return int(text) if len(text) <= _LONGEST_INTEGER else NotFinite(text)


def compact(value: Any) -> bytes:
    """Return the value as JSON without blanks and with sorted members: equal values give equal bytes."""
    try:
        return orjson.dumps(value, default=_plain, option=_CANONICAL)
    except TypeError:  # integers above 64 bits, lone surrogates
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")


def are_equal(base: Any, other: Any) -> bool:
    """Tell whether two parsed values are equal, types included: to Python, True equals 1. May fail to, never errs."""
    if base != other:
        return False
    only_texts = type(base) is list and _TEXTS.issuperset(map(type, base))
    return only_texts or compact(base) == compact(other)


def _plain(value: Any) -> Any:
    """Write down what is no plain JSON; a number that no double holds becomes what no number and no text is."""
    return {"not finite": str(value)} if isinstance(value, NotFinite) else dict(value)


def shown_text(text: str, most: int = _SHOWN) -> str:
    """Return a text that UTF-8 can carry and that is not long; what is cut is marked with a hash of the whole."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else f"{text[: most - 20]}...~{short_hash(text.encode())}"


def shown(value: Any) -> str:
    """Return the value as short, compact JSON for people; what is cut is marked with a hash of the whole."""
    data = value.encode() if isinstance(value, NotFinite) else compact(value)
    if len(data) <= _SHOWN:
        return data.decode("utf-8", "backslashreplace")
    return f"{data[: _SHOWN - 20].decode('utf-8', 'replace')}...~{short_hash(data)}"
