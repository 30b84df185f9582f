"""Members whose names are made by traffic: a map by customer, in which every name is seen once.

What differs under each of its names is rare, and says nothing alone, though it may be in every answer. So where many
rare names differ below one place, what differs there is counted under any name as well: `$.customers.*.age`.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from microstax.diff.deviations import Deviations
from microstax.diff.discrepancy import SHAPE, VALUE, Discrepancy
from microstax.model.difference import ShapeKind
from microstax.model.paths import ANY_NAME, ROOT

RARE: Final = 3
"""Sightings up to which a discrepancy is rare."""
_NAMES: Final = 32
_PAIRS: Final = 16
"""So many pairs at least show them: one answer that has many members is no map."""
_PLACES: Final = 32
_FAMILIES: Final = (SHAPE, VALUE)
_STEP: Final = re.compile(r'\[\]|\.\*\*|\.\*|\.[A-Za-z_][A-Za-z0-9_-]*|\["(?:[^"\\]|\\.)*"\]')
_ANY: Final = frozenset({"[]", ".**", ANY_NAME})

Seen = tuple[Discrepancy, Iterable[int]]
"""A discrepancy that is rare, and the pairs (as hashes) that show it."""


class Crowds:
    """The places of one endpoint below which rare names differ."""

    __slots__ = ("places",)

    def __init__(self, places: Iterable[str] = ()) -> None:
        self.places = set(places)

    def learn(self, rare: Iterable[Seen]) -> None:
        """Find the places below which many names differ."""
        names: dict[str, set[str]] = {}
        pairs: dict[str, set[int]] = {}
        for discrepancy, hashes in rare:
            if discrepancy.family in _FAMILIES:
                for above, step in self._members(discrepancy.place):
                    names.setdefault(above, set()).add(step)
                    pairs.setdefault(above, set()).update(hashes)
        crowded = (place for place, found in names.items() if len(found) > _NAMES and len(pairs[place]) >= _PAIRS)
        self.places.update(sorted(crowded)[: max(_PLACES - len(self.places), 0)])

    def general(self, discrepancy: Discrepancy) -> Discrepancy | None:
        """Return it under any name, None where it is not below one of the places."""
        family, kind, place, detail = discrepancy
        wide = self._wide(place) if family in _FAMILIES else place
        if wide == place:
            return None
        return Discrepancy(family, kind, wide, self._wide(detail) if kind == ShapeKind.NESTING else detail)

    def extend(self, found: Deviations, rare: Iterable[Discrepancy]) -> None:
        """Add to the ways in which an answer deviates those that are `rare` under any name."""
        readings = found.readings()
        for discrepancy in rare:
            wide = None if discrepancy in readings else self.general(discrepancy)
            if wide is not None:
                found.ways.setdefault(wide, found.ways[discrepancy])

    def _members(self, place: str) -> Iterator[tuple[str, str]]:
        """Yield each place above, in its wide form, with the name of the member in it."""
        above = ROOT
        for step in _steps(place):
            if step not in _ANY:
                yield above, step
            above += ANY_NAME if above in self.places and step not in _ANY else step

    def _wide(self, place: str) -> str:
        wide = ROOT
        for step in _steps(place):
            wide += ANY_NAME if wide in self.places and step not in _ANY else step
        return wide


@lru_cache(maxsize=4096)
def _steps(place: str) -> tuple[str, ...]:
    return tuple(_STEP.findall(place, len(ROOT)))
