"""How many steps a regular expression may take on a text, before it takes them.

Python's engine backtracks, and nothing can interrupt it. A pattern is taken apart into pieces of one character each,
repeated or not. What a search costs is bounded by where it can begin, times how far each repetition can stretch in this
text; where a repetition cannot take what comes after it, there is only one way to end it, and the stretches add up
instead of multiplying. Repeating a group is refused where the rounds are many and do not begin with what nothing else
in them can take: that is what makes a pattern exponential.
"""

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

_PARSER: Final[Any] = importlib.import_module("re._parser")
_CODES: Final[Any] = importlib.import_module("re._constants")
"""The standard library's own parser of patterns; it has no other door, and only it knows all of the grammar."""
_MOST_PIECES: Final = 400
_UNROLLED: Final = 16
"""Rounds of a repeated group that are looked at one by one."""
_EVERY: Final = "".join(map(chr, range(0x10000)))
_CATEGORIES: Final = {
    _CODES.CATEGORY_DIGIT: r"\d",
    _CODES.CATEGORY_NOT_DIGIT: r"\D",
    _CODES.CATEGORY_SPACE: r"\s",
    _CODES.CATEGORY_NOT_SPACE: r"\S",
    _CODES.CATEGORY_WORD: r"\w",
    _CODES.CATEGORY_NOT_WORD: r"\W",
}
_SOON: Final = 8
"""So many characters at least, and a repetition that finds fewer has not cost much."""
_ANY: Final = r"[\s\S]"
_REPEATS: Final = frozenset({_CODES.MAX_REPEAT, _CODES.MIN_REPEAT, _CODES.POSSESSIVE_REPEAT})
_SINGLE: Final = frozenset({_CODES.LITERAL, _CODES.NOT_LITERAL, _CODES.ANY, _CODES.IN})


class TooCostlyError(ValueError):
    """A pattern of which no bound can be given."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One of the characters that `of` (the source of a class) matches, `least` to `most` times."""

    of: str
    flags: int
    least: int = 1
    most: int = 1

    @property
    def is_open(self) -> bool:
        return self.least != self.most

    def longest(self, text: str) -> int:
        """Return how far the piece can stretch in a text."""
        found = max((match.end() - match.start() for match in _run(self.of, self.flags).finditer(text)), default=0)
        return min(found, self.most)


@dataclass(frozen=True, slots=True)
class PatternCost:
    """What one pattern costs. `ways` are its stretches that multiply, one list for each that has its own beginning."""

    prefix: str
    ways: tuple[tuple[_Piece, ...], ...]

    def exceeds(self, text: str, steps: int) -> bool:
        """Tell whether to search the text may take more than so many steps."""
        size = len(text)
        if self._bound(size, {piece: min(size, piece.most) for way in self.ways for piece in way}) <= steps:
            return False
        begins = text.count(self.prefix) if self.prefix else size
        return self._bound(begins, {piece: piece.longest(text) for way in self.ways for piece in way}) > steps

    def _bound(self, begins: int, longest: dict[_Piece, int]) -> int:
        total = 1
        for way in self.ways:
            product = 1
            for piece in way:
                product *= 1 + longest[piece]
            total += product
        return begins * total


def cost_of(pattern: str) -> PatternCost:
    """Return what a valid pattern costs. Raises TooCostlyError where it may take for ever on a short text."""
    parsed = _PARSER.parse(pattern)
    flags = parsed.state.flags & ~_CODES.SRE_FLAG_VERBOSE
    pieces: list[_Piece] = []
    apart: list[list[_Piece]] = []
    _collect(parsed, flags, pieces, apart)
    return PatternCost(_prefix(parsed, flags), tuple(way for one in (pieces, *apart) for way in _ways(one)))


def _collect(items: Iterable[Any], flags: int, pieces: list[_Piece], apart: list[list[_Piece]]) -> None:
    """Append the pieces of a sequence; what is looked at without being taken, and alternatives, go `apart`."""
    for code, value in items:
        if len(pieces) + sum(map(len, apart)) > _MOST_PIECES:
            raise TooCostlyError("it has too many repetitions and alternatives")
        if code in _SINGLE:
            pieces.append(_Piece(_source(code, value), flags))
        elif code in _REPEATS:
            _collect_repeat(value, flags, pieces, apart)
        elif code is _CODES.SUBPATTERN:
            _, added, removed, inner = value
            _collect(inner, (flags | added) & ~removed, pieces, apart)
        elif code is _CODES.ATOMIC_GROUP:
            _collect(value, flags, pieces, apart)
        elif code is _CODES.BRANCH:
            _collect_branches(value[1], flags, pieces, apart)
        elif code in (_CODES.ASSERT, _CODES.ASSERT_NOT):
            apart.append([])
            _collect(value[1], flags, apart[-1], apart)
        elif code is _CODES.GROUPREF_EXISTS:
            _collect_branches([one for one in value[1:] if one is not None], flags, pieces, apart)
        elif code is _CODES.GROUPREF:
            pieces.append(_Piece(_ANY, flags))


def _collect_branches(branches: Iterable[Any], flags: int, pieces: list[_Piece], apart: list[list[_Piece]]) -> None:
    """Each branch may be tried for each way to come here, and what follows for each branch that fits."""
    branches = list(branches)
    pieces.append(_Piece(_ANY, flags, 0, len(branches)))
    for branch in branches:
        _collect(branch, flags, pieces, apart)


def _collect_repeat(value: Any, flags: int, pieces: list[_Piece], apart: list[list[_Piece]]) -> None:
    least, most, inner = value
    most = int(most)
    if len(inner) == 1 and inner[0][0] in _SINGLE:
        pieces.append(_Piece(_source(*inner[0]), flags, least, most))
        return
    inside: list[_Piece] = []
    _collect(inner, flags, inside, apart)
    if not inside:
        return
    if _begins_apart(inside):
        every = "|".join(dict.fromkeys(piece.of for piece in inside))
        pieces.extend(inside[:1] if least else [])
        pieces.append(_Piece(f"(?:{every})", flags, 0, int(_CODES.MAXREPEAT)))
    elif most <= _UNROLLED and most * len(inside) <= _MOST_PIECES:
        for number in range(most):
            pieces.extend([_Piece(_ANY, flags, 0, 1)] if number >= least else [])
            pieces.extend(inside)
    else:
        raise TooCostlyError("it repeats a group in which the rounds have no clear beginning")


def _begins_apart(pieces: list[_Piece]) -> bool:
    """Tell whether a round of a repeated group begins with what nothing else in it can take."""
    first, *others = pieces
    if first.is_open:
        return False
    if not others:
        return True
    return all(_are_disjoint(first, one) for one in others)


def _ways(pieces: list[_Piece]) -> list[tuple[_Piece, ...]]:
    """Cut a sequence where there is one way only for what is before to end."""
    ways: list[tuple[_Piece, ...]] = []
    together: list[_Piece] = []
    for at, piece in enumerate(pieces):
        if not piece.is_open:
            continue
        following = pieces[at + 1] if at + 1 < len(pieces) else None
        if following is None and together and piece.least <= _SOON:
            # Nothing comes after it that could fail, so nobody comes back to try another end.
            ways.append(tuple(together))
            together = []
        together.append(piece)
        if following is not None and following.least > 0 and _are_disjoint(piece, following):
            ways.append(tuple(together))
            together = []
    if together:
        ways.append(tuple(together))
    return ways


def _prefix(items: Any, flags: int) -> str:
    """Return the text that every match begins with."""
    if flags & _CODES.SRE_FLAG_IGNORECASE:
        return ""
    found = []
    for code, value in items:
        if code is not _CODES.LITERAL:
            break
        found.append(chr(value))
    return "".join(found)


def _source(code: Any, value: Any) -> str:
    """Return the source of what matches one character."""
    if code is _CODES.LITERAL:
        return re.escape(chr(value))
    if code is _CODES.NOT_LITERAL:
        return f"[^{_escaped(value)}]"
    if code is _CODES.ANY:
        return "."
    return f"[{''.join(_member(kind, what) for kind, what in value)}]"


def _member(kind: Any, what: Any) -> str:
    if kind is _CODES.NEGATE:
        return "^"
    if kind is _CODES.RANGE:
        return f"{_escaped(what[0])}-{_escaped(what[1])}"
    return _CATEGORIES[what] if kind is _CODES.CATEGORY else _escaped(what)


def _escaped(code: int) -> str:
    return f"\\U{code:08x}"


@lru_cache(maxsize=256)
def _run(of: str, flags: int) -> re.Pattern[str]:
    return re.compile(f"(?:{of})+", flags)


def _are_disjoint(one: _Piece, other: _Piece) -> bool:
    return not _characters(one.of, one.flags) & _characters(other.of, other.flags)


@lru_cache(maxsize=256)
def _characters(of: str, flags: int) -> int:
    """Return the characters of a class as a set: a byte for each."""
    found = bytearray(len(_EVERY))
    for match in _run(of, flags).finditer(_EVERY):
        found[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    return int.from_bytes(found, "little")
