"""What a discrepancy is: one way to differ at one place, the thing that is counted and judged."""

import re
from typing import Final, NamedTuple

from microstax.diff.wire import Packed, items, text

STATUS: Final = "status"
SHAPE: Final = "shape"
VALUE: Final = "value"
HEADER: Final = "header"
GRPC: Final = "grpc"
_OPPOSITE: Final = {"missing": "extra", "extra": "missing"}
_NESTING: Final = "nesting"
_FAMILIES: Final = frozenset({STATUS, SHAPE, VALUE, HEADER})
_CODES: Final = re.compile(r"-?[0-9]{1,19}>-?[0-9]{1,19}")


class Discrepancy(NamedTuple):
    """`family` is one of this module's names, `kind` the kind in it, `place` a path or a header's name.

    `detail` holds what must not be mixed: the two status codes, the two types, the place that something moved to. A
    field that is null now and then by noise still shows that it newly is a number.
    """

    family: str
    kind: str
    place: str
    detail: str = ""


def unpacked(packed: Packed) -> Discrepancy:
    """Return a discrepancy that was packed as a list; raises ValueError for what cannot be one."""
    found = Discrepancy(*map(text, items(packed, 4)))
    if found.family not in _FAMILIES or (found.family == STATUS and not _CODES.fullmatch(found.detail)):
        raise ValueError("expected a discrepancy")
    return found


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
