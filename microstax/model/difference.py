"""In which ways two exchanges can differ: a closed sum type, and the one grammar for a place in a body.

A path is `$`, then `.name` or `["any name"]` for a member (quoted where the name is not `[A-Za-z_][A-Za-z0-9_-]*`)
and `[]` for an array's elements: `$.items[].price`. Elements are not numbered: a discrepancy is about a place in
the shape, not about one element of one answer.
"""

from dataclasses import dataclass
from enum import StrEnum


class ShapeKind(StrEnum):
    """How the shape of a JSON body differs."""

    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    NESTING = "nesting"
    LENGTH = "length"
    ORDER = "order"


class HeaderKind(StrEnum):
    """How a response header differs."""

    MISSING = "missing"
    EXTRA = "extra"
    VALUE = "value"


class BodyKind(StrEnum):
    """How a body differs as a whole, where it is no JSON on both sides."""

    TEXT = "text"
    BINARY = "binary"
    CONTENT_TYPE = "content_type"


@dataclass(frozen=True, slots=True)
class StatusDifference:
    """The status codes differ (for gRPC: `grpc` is True and both are grpc-status codes)."""

    baseline: int
    branch: int
    grpc: bool = False


@dataclass(frozen=True, slots=True)
class ShapeDifference:
    """The JSON shape differs at `path`; `baseline` and `branch` name types, lengths or the place that was found."""

    kind: ShapeKind
    path: str
    baseline: str
    branch: str


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """Same type, other value, at `path` of a JSON body; values as compact JSON, shortened for display."""

    path: str
    baseline: str
    branch: str


@dataclass(frozen=True, slots=True)
class HeaderDifference:
    """A response header (or trailer) differs; `name` is lower case; None where the side does not have it."""

    kind: HeaderKind
    name: str
    baseline: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class BodyDifference:
    """The bodies differ as wholes: sizes in bytes and hashes, or content types."""

    kind: BodyKind
    baseline: str
    branch: str


Difference = StatusDifference | ShapeDifference | ValueDifference | HeaderDifference | BodyDifference
