"""What a discrepancy is: one way to differ at one place, the thing that is counted and judged."""

from typing import Final, NamedTuple

STATUS: Final = "status"
SHAPE: Final = "shape"
VALUE: Final = "value"
HEADER: Final = "header"
GRPC: Final = "grpc"
_OPPOSITE: Final = {"missing": "extra", "extra": "missing"}
_NESTING: Final = "nesting"


class Discrepancy(NamedTuple):
    """`family` is one of this module's names, `kind` the kind in it, `place` a path or a header's name.

    `detail` holds what must not be mixed: the two status codes, the two types, the place that something moved to. A
    field that is null now and then by noise still shows that it newly is a number.
    """

    family: str
    kind: str
    place: str
    detail: str = ""


def plain(discrepancy: Discrepancy) -> Discrepancy:
    """Return the discrepancy of the value itself, where one is about an aspect of it."""
    return Discrepancy(discrepancy.family, VALUE, discrepancy.place)


def reversed_of(discrepancy: Discrepancy) -> Discrepancy | None:
    """Return what the baseline would show if it were the branch: `extra` of `missing`; None where there is no such."""
    family, kind, place, detail = discrepancy
    if kind in _OPPOSITE:
        return Discrepancy(family, _OPPOSITE[kind], place)
    if kind == _NESTING:
        return Discrepancy(family, kind, detail, place)
    before, changed, after = detail.partition(">")
    return Discrepancy(family, kind, place, f"{after}>{before}") if changed else None


SPIKE: Final = Discrepancy("latency", "spike", "")
"""The branch alone was slow; counted beside the differences of answers."""
