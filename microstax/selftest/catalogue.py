"""The faults: what regressions do to answers, one kind each, and what a report has to say about it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from microstax.model.difference import ShapeKind
from microstax.model.paths import ANY_DEPTH, ROOT
from microstax.selftest import answers, edits
from microstax.selftest.answers import Change
from microstax.selftest.edits import Edit
from microstax.selftest.spots import HEADER, SLOWER, SPIKE, STATUS, VALUE, Sight, Spot, Target

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_LETTERS: Final = re.compile(r"[A-Za-z]")
_LONG_TEXT: Final = 4
_FEWEST: Final = 2
_LARGE: Final = 1e300
"""Above, a hundred times as much is no number that JSON can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault. `name` is for programs, `says` for people; `target` is the part of an answer it changes.

    A member is a place for it where `fits(value)`; where `varying` is set, only members whose value is another one in
    (nearly) every answer are, where it is False only those whose value never is, where it is None both. `change` makes
    the faulty exchange, or None where this one cannot have the fault. `shows` says what a report may find, of which any
    one is enough; `besides` what else is another sight of the same fault. `only_always`: rare, it is within tolerances.
    `edit` is what is done to the member, where the target is one.
    """

    name: str
    says: str
    target: Target
    change: Change
    shows: Callable[[Spot], frozenset[Sight]]
    besides: Callable[[Spot], frozenset[Sight]] = lambda _: frozenset()
    fits: Callable[[Any], bool] = lambda _: True
    varying: bool | None = False
    only_always: bool = False
    edit: Edit | None = None


def _at(*kinds: str) -> Callable[[Spot], frozenset[Sight]]:
    return lambda spot: frozenset(Sight(kind, spot.path) for kind in kinds)


def _member(
    name: str,
    says: str,
    edit: Edit,
    shows: Callable[[Spot], frozenset[Sight]],
    *,
    fits: Callable[[Any], bool],
    besides: Callable[[Spot], frozenset[Sight]] = lambda _: frozenset(),
    varying: bool | None = False,
) -> Fault:
    def careful(holder: dict[str, Any], member: str) -> bool:
        return fits(holder[member]) and edit(holder, member)

    return Fault(
        name=name,
        says=says,
        target=Target.MEMBER,
        change=answers.member_changed(careful),
        shows=shows,
        besides=besides,
        fits=fits,
        varying=varying,
        edit=careful,
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_plain_number(value: Any) -> bool:
    return _is_number(value) and 0 < abs(value) < _LARGE


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _LONG_TEXT and _LETTERS.search(value) is not None


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or "T" not in value:
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_accented(value: Any) -> bool:
    return isinstance(value, str) and not value.isascii()


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= _FEWEST


def _is_one_way_array(value: Any) -> bool:
    return _is_array(value) and value != value[::-1]


def _nested_sights(spot: Spot) -> frozenset[Sight]:
    return frozenset({Sight(ShapeKind.MISSING, spot.path), Sight(ShapeKind.EXTRA, spot.beside(edits.WRAPPED))})


def _flattened_sights(spot: Spot) -> frozenset[Sight]:
    return frozenset({Sight(ShapeKind.NESTING, spot.path + ANY_DEPTH)})


def _renamed_sights(spot: Spot) -> frozenset[Sight]:
    return frozenset({Sight(ShapeKind.MISSING, spot.path), Sight(ShapeKind.EXTRA, spot.beside(edits.RENAMED))})


def _added_sights(spot: Spot) -> frozenset[Sight]:
    return frozenset({Sight(ShapeKind.EXTRA, spot.beside(edits.ADDED))})


def _status_sights(after: Callable[[int], int]) -> Callable[[Spot], frozenset[Sight]]:
    return lambda spot: frozenset({Sight(STATUS, f"{spot.name} -> {after(int(spot.name))}")})


def _header_sights(name: str = "") -> Callable[[Spot], frozenset[Sight]]:
    return lambda spot: frozenset({Sight(HEADER, name or spot.name)})


def _time_sights(_spot: Spot) -> frozenset[Sight]:
    return frozenset({Sight(SLOWER, ""), Sight(SPIKE, "")})


def _always_slower(_spot: Spot) -> frozenset[Sight]:
    return frozenset({Sight(SLOWER, "")})


_BODY_SIGHTS: Final = frozenset({Sight(ShapeKind.TYPE, ROOT), Sight(VALUE, ROOT)})

FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        name="status-500",
        says="status turned 500",
        target=Target.STATUS,
        change=answers.status_changed(answers.server_error),
        shows=_status_sights(answers.server_error),
    ),
    Fault(
        name="status-class",
        says="another status of the class",
        target=Target.STATUS,
        change=answers.status_changed(answers.neighbour_status),
        shows=_status_sights(answers.neighbour_status),
    ),
    _member("member-missing", "member missing", edits.removed, _at(ShapeKind.MISSING), fits=lambda _: True),
    _member("member-added", "member added", edits.added, _added_sights, fits=_is_text),
    _member("member-renamed", "member renamed", edits.renamed, _renamed_sights, fits=lambda _: True),
    _member("number-as-text", "number turned text", edits.replaced(str), _at(ShapeKind.TYPE), fits=_is_number),
    _member("null", "null instead of a value", edits.replaced(lambda _: None), _at(ShapeKind.TYPE), fits=_is_filled),
    _member(
        "varying-null",
        "null where texts differ",
        edits.replaced(lambda _: None),
        _at(ShapeKind.TYPE),
        fits=_is_filled,
        varying=True,
    ),
    _member(
        "nested",
        "member one level deeper",
        edits.nested,
        _at(ShapeKind.NESTING),
        fits=lambda value: not isinstance(value, dict | list),
        besides=_nested_sights,
    ),
    _member(
        "flattened",
        "members one level higher",
        edits.flattened,
        _flattened_sights,
        fits=_is_object,
        besides=_at(ShapeKind.MISSING),
    ),
    _member(
        "array-shorter",
        "last element missing",
        edits.replaced(edits.without_last),
        _at(ShapeKind.LENGTH),
        fits=_is_array,
    ),
    _member(
        "array-longer",
        "last element twice",
        edits.replaced(edits.last_twice),
        _at(ShapeKind.LENGTH),
        fits=_is_array,
    ),
    _member(
        "array-order",
        "array in another order",
        edits.replaced(edits.backwards),
        _at(ShapeKind.ORDER),
        fits=_is_one_way_array,
    ),
    _member("number-shifted", "number 1% larger", edits.replaced(edits.shifted), _at(VALUE), fits=_is_number),
    _member("number-scaled", "number x100", edits.replaced(edits.scaled), _at(VALUE), fits=_is_plain_number),
    _member(
        "varying-scaled",
        "x100 where numbers differ",
        edits.replaced(edits.scaled),
        _at(VALUE),
        fits=_is_plain_number,
        varying=True,
    ),
    _member("text-case", "text in another case", edits.replaced(edits.swapped_case), _at(VALUE), fits=_is_text),
    _member("text-cut", "text cut to half", edits.replaced(edits.cut), _at(VALUE), fits=_is_text),
    _member("text-empty", "text empty", edits.replaced(lambda _: ""), _at(VALUE), fits=_is_filled),
    _member(
        "varying-empty",
        "empty where texts differ",
        edits.replaced(lambda _: ""),
        _at(VALUE),
        fits=_is_filled,
        varying=True,
    ),
    _member("text-charset", "UTF-8 read as Latin-1", edits.replaced(edits.misread), _at(VALUE), fits=_is_accented),
    _member(
        "boolean",
        "boolean turned round",
        edits.replaced(lambda value: not value),
        _at(VALUE),
        fits=lambda value: isinstance(value, bool),
    ),
    _member(
        "id-format",
        "UUID without dashes",
        edits.replaced(edits.without_dashes),
        _at(VALUE),
        fits=_is_uuid,
        varying=None,
    ),
    _member(
        "time-format",
        "RFC 3339 as Unix seconds",
        edits.replaced(edits.as_epoch),
        _at(ShapeKind.TYPE),
        fits=_is_time,
        varying=None,
    ),
    Fault(
        name="body-cut",
        says="body cut in the middle",
        target=Target.BODY,
        change=answers.body_cut,
        shows=lambda _: _BODY_SIGHTS,
    ),
    Fault(
        name="body-empty",
        says="body empty",
        target=Target.BODY,
        change=answers.body_emptied,
        shows=lambda _: _BODY_SIGHTS,
    ),
    Fault(
        name="content-type",
        says="content type turned text/html",
        target=Target.BODY,
        change=answers.header_set("content-type", lambda _: "text/html; charset=utf-8"),
        shows=_header_sights("content-type"),
        besides=lambda _: _BODY_SIGHTS,
    ),
    Fault(
        name="charset",
        says="another charset declared",
        target=Target.BODY,
        change=answers.header_set("content-type", answers.latin),
        shows=_header_sights("content-type"),
    ),
    Fault(
        name="header-missing",
        says="header missing",
        target=Target.HEADER,
        change=answers.header_removed,
        shows=_header_sights(),
    ),
    Fault(
        name="header-changed",
        says="header changed",
        target=Target.HEADER,
        change=answers.header_set("", lambda value: f"{value}-x"),
        shows=_header_sights(),
    ),
    Fault(
        name="header-added",
        says="header added",
        target=Target.BODY,
        change=answers.header_added,
        shows=_header_sights(answers.ADDED_HEADER),
    ),
    Fault(
        name="slower-50ms",
        says="50 ms slower",
        target=Target.TIME,
        change=answers.slower(lambda before_us: before_us + 50_000),
        shows=_always_slower,
        besides=_time_sights,
        only_always=True,
    ),
    Fault(
        name="slower-double",
        says="twice as slow (at least 5 ms)",
        target=Target.TIME,
        change=answers.slower(lambda before_us: before_us + max(before_us, 5_000)),
        shows=_always_slower,
        besides=_time_sights,
        only_always=True,
    ),
    Fault(
        name="spike",
        says="250 ms slower",
        target=Target.TIME,
        change=answers.slower(lambda before_us: before_us + 250_000),
        shows=_time_sights,
    ),
)
"""Every kind of fault that the self-test knows, in the order in which it is reported."""
