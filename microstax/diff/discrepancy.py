"""What a discrepancy is: one way to differ at one place, the thing that is counted and judged."""

from typing import Final, NamedTuple

from microstax.model.difference import (
    BodyDifference,
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
    match difference:
        case ValueDifference(path=path):
            return Discrepancy(VALUE, VALUE, path)
        case ShapeDifference(kind=kind, path=path, baseline=base, branch=other):
            return Discrepancy(SHAPE, kind.value, path, _detail(kind, base, other))
        case HeaderDifference(kind=header_kind, name=name):
            return Discrepancy(HEADER, header_kind.value, name)
        case StatusDifference(baseline=before, branch=after, grpc=grpc):
            return Discrepancy(STATUS, GRPC if grpc else STATUS, "", f"{before}>{after}")
        case BodyDifference(kind=BodyKind.CONTENT_TYPE, baseline=base, branch=other):
            return Discrepancy(SHAPE, ShapeKind.TYPE.value, ROOT, f"{base}>{other}")
        case BodyDifference():
            return Discrepancy(VALUE, VALUE, ROOT)


def _detail(kind: ShapeKind, base: str, other: str) -> str:
    if kind is ShapeKind.TYPE:
        return f"{base}>{other}"
    return other if kind is ShapeKind.NESTING else ""
