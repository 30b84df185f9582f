"""A value that is another one at the same place: the raw values, so that their form can be compared.

What people see of it (ValueDifference, HeaderDifference, BodyDifference) is cut and costs time, so it is made only for
pairs that are shown.
"""

from collections.abc import Collection  # a property of the class at run time
from functools import lru_cache
from typing import Any, Final

from microstax.diff.clocks import is_reading
from microstax.diff.discrepancy import HEADER, VALUE, Discrepancy
from microstax.diff.formats import CLOCKS
from microstax.diff.hashes import short_hash
from microstax.diff.json_text import shown, shown_text
from microstax.diff.signatures import Signature, aspects, signature_of
from microstax.model.difference import BodyDifference, BodyKind, HeaderDifference, HeaderKind, ValueDifference
from microstax.model.paths import ROOT

MOST_PAIRS: Final = 2
"""Of one place in one pair of answers: the first elements of an array that differ."""

_Signed = tuple[Any, Any, Signature | None, Signature | None]
"""What stood on the two sides (parsed JSON, a header's value or a whole body), and its signatures."""
_EXACT: Final = 2**53
"""An integer beyond what doubles count is an id, which may be made of the time: a larger one is only a later one."""
_ORDERED: Final = frozenset({str, bytes})


class Variation:
    """All that is another value at one place of two answers. `body` says what kind of body it is as a whole.

    `lasting`, if set, are the discrepancies that were found again; aspects that are not among them do not count.
    """

    __slots__ = ("_growth", "_is_measured", "_signed", "body", "discrepancy", "lasting", "pairs")

    def __init__(self, discrepancy: Discrepancy, base: Any, other: Any, body: BodyKind | None = None) -> None:
        self.discrepancy = discrepancy
        self.pairs = [(base, other)]
        self.body = body
        self.lasting: Collection[Discrepancy] | None = None
        self._signed: list[_Signed] | None = None
        self._growth: float | None = None
        self._is_measured = False

    @classmethod
    def of_value(cls, path: str, base: Any, other: Any) -> "Variation":
        """Return what differs at a path of a JSON body; more elements of the place can be added to `pairs`."""
        return cls(_value_at(path), base, other)

    @classmethod
    def of_header(cls, name: str, base: str, other: str) -> "Variation":
        """Return what differs in a header."""
        return cls(Discrepancy(HEADER, HeaderKind.VALUE.value, name), base, other)

    @classmethod
    def of_body(cls, kind: BodyKind, base: bytes, other: bytes) -> "Variation":
        """Return that two bodies differ that have no parts to name."""
        return cls(Discrepancy(VALUE, VALUE, ROOT), base, other, kind)

    @property
    def is_reading(self) -> bool:
        """Tell whether all of it is nothing but two readings of a clock."""
        return all(_is_reading(*signed) for signed in self._sign())

    def aspects(self) -> Collection[Discrepancy]:
        """Return the discrepancies of their own in which the signatures of any of the values differ."""
        differing = [signed for signed in self._sign() if signed[2] != signed[3]]
        if not differing:
            return ()
        family, _, place, _ = self.discrepancy
        made = {
            Discrepancy(family, kind, place, detail): None
            for _, _, before, after in differing
            if before is not None and after is not None
            for kind, detail in aspects(before, after)
        }
        return made.keys() if self.lasting is None else [one for one in made if one in self.lasting]

    def form(self) -> str:
        """Return the formats of the two sides, `uuid>uuid`; `none` for what has no format."""
        _, _, before, after = self._sign()[0]
        return f"{before.format if before else 'none'}>{after.format if after else 'none'}"

    def growth(self) -> float | None:
        """Return by how much the numbers among the values are larger on the other side; None if nothing counts."""
        if not self._is_measured:
            self._is_measured = True
            self._growth = self._measure()
        return self._growth

    def _measure(self) -> float | None:
        grown: float | None = None
        for base, other, before, after in self._sign():
            if before is not None and after is not None and before.sign is not None and after.sign is not None:
                if type(base) is int and abs(base) > _EXACT:
                    continue
                try:
                    grown = (grown or 0) + (other - base)
                except OverflowError:  # an integer that no double holds, and a double
                    return None
        return grown

    def direction(self) -> int:
        """Return whether the other side is larger (1) or smaller (-1), 0 where that means nothing.

        Texts compare as texts: the names of two processes always stand in one order, two random tokens in either.
        """
        grown = self.growth()
        if grown is not None:
            return (grown > 0) - (grown < 0)
        for base, other, before, _ in self._sign():
            if type(base) in _ORDERED and before is not None and before.format not in CLOCKS:
                return 1 if other > base else -1
        return 0

    def other(self) -> bytes:
        """Return what stood on the other side, as bytes to hash."""
        other = self._first()[1]
        return other if type(other) is bytes else str(other).encode("utf-8", "surrogatepass")

    def sides(self) -> tuple[str, str]:
        """Return the two values for people: the first that says more than what time it is."""
        base, other, _, _ = self._first()
        if self.body is not None:
            return _described(base), _described(other)
        if self.discrepancy.family == HEADER:
            return shown_text(base), shown_text(other)
        return shown(base), shown(other)

    def difference(self) -> ValueDifference | HeaderDifference | BodyDifference:
        """Return it for people."""
        before, after = self.sides()
        if self.body is not None:
            return BodyDifference(self.body, before, after)
        if self.discrepancy.family == HEADER:
            return HeaderDifference(HeaderKind.VALUE, self.discrepancy.place, before, after)
        return ValueDifference(self.discrepancy.place, before, after)

    def _first(self) -> _Signed:
        signed = self._sign()
        said = signed if len(signed) == 1 else [one for one in signed if not _is_reading(*one)]
        return said[0] if said else signed[0]

    def _sign(self) -> "list[_Signed]":
        """Return the pairs with their signatures."""
        signed = self._signed
        if signed is None:
            signed = self._signed = [
                (base, other, signature_of(base), signature_of(other)) for base, other in self.pairs
            ]
        return signed


@lru_cache(maxsize=4096)
def _value_at(path: str) -> Discrepancy:
    return Discrepancy(VALUE, VALUE, path)


def _is_reading(base: Any, other: Any, before: Signature | None, after: Signature | None) -> bool:
    if before is None or before.format not in CLOCKS or after is None or before.format != after.format:
        return False
    return is_reading(base, other, before.format)


def _described(data: bytes) -> str:
    """Return size and hash, for what has no parts to name."""
    return f"{len(data)} bytes, hash {short_hash(data)}"
