"""What a discrepancy is: one way to differ at one place, the thing that is counted and judged."""

from typing import Final, NamedTuple

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

STATUS: Final = "status"
SHAPE: Final = "shape"
VALUE: Final = "value"
HEADER: Final = "header"
GRPC: Final = "grpc"


class Discrepancy(NamedTuple):
    """`family` is one of this module's names, `kind` the kind in it, `place` a path or a header's name.

    `detail` holds what must not be mixed: the two status codes, the two types, the place that something moved to. A
    field that is null now and then by noise still shows that it newly is a number.
    """

    family: str
    kind: str
    place: str
    detail: str = ""


SPIKE: Final = Discrepancy("latency", "spike", "")
"""The branch alone was slow; counted beside the differences of answers."""


def discrepancy_of(difference: Difference) -> Discrepancy:
    """Return what the difference is counted as."""
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
