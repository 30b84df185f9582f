"""In which ways one answer deviates from the baseline's: its discrepancies, each once, and the sizes of its numbers."""

from collections.abc import Iterable, Iterator
from typing import Final

from microstax.diff.discrepancy import GRPC, HEADER, SHAPE, STATUS, VALUE, Discrepancy
from microstax.diff.signatures import SHIFT
from microstax.diff.variations import Variation
from microstax.model.difference import (
    BodyKind,
    Difference,
    HeaderDifference,
    ShapeDifference,
    ShapeKind,
    StatusDifference,
    ValueDifference,
)
from microstax.model.paths import ROOT

Found = tuple[Difference | Variation, ...]

_BREAKS: Final = frozenset(
    {ShapeKind.MISSING.value, ShapeKind.EXTRA.value, ShapeKind.TYPE.value, ShapeKind.NESTING.value}
)


class Deviations:
    """`ways` maps discrepancies to what shows them; a pair counts each once. `variations` are other values by place."""

    __slots__ = ("variations", "ways")

    def __init__(self, found: Iterable[Difference | Variation]) -> None:
        self.ways: dict[Discrepancy, Difference | Variation] = {}
        self.variations: dict[Discrepancy, Variation] = {}
        for one in found:
            if type(one) is Variation:
                self.ways[one.discrepancy] = self.variations[one.discrepancy] = one
                for aspect in one.aspects():
                    self.ways[aspect] = one
            elif not isinstance(one, Variation):
                self.ways.setdefault(discrepancy_of(one), one)

    def readings(self) -> set[Discrepancy]:
        """Return which of them are nothing but two readings of a clock."""
        return {discrepancy for discrepancy, variation in self.variations.items() if variation.is_reading}

    def breaks(self) -> list[str]:
        """Return the places at and below which the answers do not have the same things to compare."""
        return [way.place for way in self.ways if way.family == STATUS or (way.family == SHAPE and way.kind in _BREAKS)]


def persisting(found: Found, again: Found) -> Found:
    """Return of what was found what was found again when the same was asked once more."""
    ways = Deviations(again).ways
    kept = tuple(one for one in found if discrepancy_of(one) in ways)
    for one in kept:
        if isinstance(one, Variation):
            one.lasting = ways.keys()
    return kept


def shifts(branch: Deviations, control: Deviations) -> Iterator[tuple[Discrepancy, bool]]:
    """Yield for each number that branch and control say differently whether the branch's is the larger.

    Where one of them says what the baseline says, its number is the baseline's. Of an array, the sums of what differs
    from the baseline are compared: under equal behaviour either is the larger with the same chance.
    """
    breaks: list[str] | None = None
    for discrepancy in {**branch.variations, **control.variations}:
        grown, noise = _growth(branch, discrepancy), _growth(control, discrepancy)
        if grown is None or noise is None or grown == noise:
            continue
        if breaks is None:
            breaks = branch.breaks() + control.breaks()
        if not any(discrepancy.place.startswith(place) for place in breaks):
            yield Discrepancy(VALUE, SHIFT, discrepancy.place), grown > noise


def _growth(side: Deviations, discrepancy: Discrepancy) -> float | None:
    variation = side.variations.get(discrepancy)
    return 0 if variation is None else variation.growth()


def discrepancy_of(difference: Difference | Variation) -> Discrepancy:
    """Return what the difference is counted as."""
    if isinstance(difference, Variation):
        return difference.discrepancy
    if isinstance(difference, ValueDifference):
        return Discrepancy(VALUE, VALUE, difference.path)
    if isinstance(difference, ShapeDifference):
        return Discrepancy(SHAPE, difference.kind.value, difference.path, _detail(difference))
    if isinstance(difference, HeaderDifference):
        return Discrepancy(HEADER, difference.kind.value, difference.name)
    if isinstance(difference, StatusDifference):
        return Discrepancy(
            STATUS, GRPC if difference.grpc else STATUS, "", f"{difference.baseline}>{difference.branch}"
        )
    if difference.kind is BodyKind.CONTENT_TYPE:
        return Discrepancy(SHAPE, ShapeKind.TYPE.value, ROOT, f"{difference.baseline}>{difference.branch}")
    return Discrepancy(VALUE, VALUE, ROOT)


def _detail(difference: ShapeDifference) -> str:
    if difference.kind is ShapeKind.TYPE:
        return f"{difference.baseline}>{difference.branch}"
    return difference.branch if difference.kind is ShapeKind.NESTING else ""
