"""Walk two JSON documents side by side and collect in which ways they differ, each way and place once."""

import contextlib
from collections.abc import Callable
from typing import Any, Final

from microstax.diff.json_text import NotFinite, RepeatedMembers, are_equal, compact
from microstax.diff.nesting import find_moves
from microstax.diff.places import Place, render
from microstax.diff.rules import Rules
from microstax.diff.variations import MOST_PAIRS, Variation
from microstax.model.difference import Difference, ShapeDifference, ShapeKind

ABSENT: Final = "absent"
_ABSENT: Final = object()
_OCCURRENCES: Final = 20_000
"""After so many single deviations one pair has said enough; a hostile body must not buy more time."""

_TYPES: Final[dict[type, str]] = {
    dict: "object", RepeatedMembers: "object", list: "array", str: "string", bool: "boolean", type(None): "null",
    int: "number", float: "number", NotFinite: "number",
}  # fmt: skip
CONTAINERS: Final = frozenset({dict, RepeatedMembers, list})

_NEW_PLACE: Final = 4
"""To write down a place costs as much as so many deviations at one that is known."""

Align = Callable[["Walk", "Place | None", list[Any], list[Any], int], None]


class EnoughError(Exception):
    """The limits of one pair are reached; what was found so far stands."""


def type_name(value: Any) -> str:
    """Return JSON's name for the type of a parsed value."""
    return _TYPES[type(value)]


class Walk:
    """One comparison. `align` decides which elements of two arrays belong together."""

    __slots__ = (
        "_effort",
        "_extra",
        "_found",
        "_left",
        "_missing",
        "_paths",
        "_rules",
        "_varying",
        "_varying_at",
        "align",
    )

    def __init__(self, rules: Rules, align: Align) -> None:
        self.align = align
        self._rules = rules
        self._found: dict[tuple[str, ...], Difference | Variation] = {}
        self._missing: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        self._left = _OCCURRENCES
        self._effort = rules.max_effort
        self._varying: dict[Place | None, Variation] = {}
        self._varying_at: dict[str, Variation] = {}
        self._paths: dict[Place | None, str] = {}

    def run(self, base: Any, other: Any) -> tuple[Difference | Variation, ...]:
        """Return the differences of two documents, in the order of the baseline's members."""
        with contextlib.suppress(EnoughError):
            self.value(None, base, other, 0)
        self._settle_moves()
        for kind, places in ((ShapeKind.MISSING, self._missing), (ShapeKind.EXTRA, self._extra)):
            for path, value in places.items():
                names = (type_name(value), ABSENT) if kind is ShapeKind.MISSING else (ABSENT, type_name(value))
                self._found.setdefault((kind, path), ShapeDifference(kind, path, *names))
        return tuple(self._found.values())[: self._rules.max_differences]

    def value(self, place: Place | None, base: Any, other: Any, depth: int) -> None:
        """Compare two values that stand at one place."""
        kind, other_kind = type(base), type(other)
        if kind is other_kind is dict and depth < self._rules.max_depth:
            self.members(place, base, other, depth)
        elif kind not in CONTAINERS or other_kind not in CONTAINERS:
            self._scalars(place, base, other)
        elif (kind is list) is not (other_kind is list):
            self._types(place, base, other)
        elif depth >= self._rules.max_depth:
            if compact(base) != compact(other):
                self._values(place, base, other)
        elif kind is not list:
            self.members(place, base, other, depth)
        elif len(base) == len(other) == 1:
            self.value((place, None), base[0], other[0], depth + 1)
        elif (base or other) and not are_equal(base, other):
            self.align(self, place, base, other, depth)

    def affords(self, effort: int) -> bool:
        """Spend some of what this pair may cost, in about microseconds; tell whether it was there."""
        self._effort -= effort
        return self._effort >= 0

    def whole(self, place: Place | None, base: list[Any], other: list[Any]) -> None:
        """Note two arrays that differ as one value each: to say where would cost more than a pair may."""
        self._values(place, base, other)

    def shape(self, kind: ShapeKind, place: Place | None, base: str, other: str) -> None:
        """Note a difference in shape."""
        path = self.path(place)
        key = (kind, path, base, other) if kind is ShapeKind.TYPE else (kind, path)
        self._note(key, ShapeDifference(kind, path, base, other))

    def path(self, place: Place | None) -> str:
        """Return the path of a place; the elements of an array come here with the same places again and again."""
        path = self._paths.get(place)
        if path is None:
            path = self._paths[place] = render(place)
        return path

    def members(self, place: Place | None, base: dict[str, Any], other: dict[str, Any], depth: int) -> None:
        """Compare two objects that stand at one place, at a depth that `value` has checked."""
        missing, get = 0, other.get
        for name, left in base.items():
            right = get(name, _ABSENT)
            kind = type(left)
            if kind is type(right) and kind not in CONTAINERS:
                if left != right:
                    self._values((place, name), left, right)
            elif right is _ABSENT:
                missing += 1
                self._alone(self._missing, (place, name), left)
            elif kind in CONTAINERS:
                self.value((place, name), left, right, depth + 1)
            else:
                self._scalars((place, name), left, right)
        if len(base) - missing != len(other):
            for name, right in other.items():
                if name not in base:
                    self._alone(self._extra, (place, name), right)
        if type(base) is not type(other) or type(base) is RepeatedMembers:
            self._repeated(place, base, other)

    def _scalars(self, place: Place | None, base: Any, other: Any) -> None:
        """Compare where at least one side is no container."""
        if type(base) is type(other) or _TYPES[type(base)] == _TYPES[type(other)] == "number":
            # 1 and 1.0 are the same number (RFC 8259, 6).
            if base != other:
                self._values(place, base, other)
        else:
            self._types(place, base, other)

    def _types(self, place: Place | None, base: Any, other: Any) -> None:
        self.shape(ShapeKind.TYPE, place, type_name(base), type_name(other))

    def _values(self, place: Place | None, base: Any, other: Any) -> None:
        known = self._varying.get(place)
        if known is None:
            path = self.path(place)
            known = self._varying_at.get(path)
            if known is None:
                made = self._varying[place] = self._varying_at[path] = Variation.of_value(path, base, other)
                self._note(("value", path), made)
                return
            self._varying[place] = known
            self._left -= _NEW_PLACE
        self._left -= 1
        if self._left <= 0:
            raise EnoughError
        pairs = known.pairs
        if len(pairs) < MOST_PAIRS:
            pairs.append((base, other))

    def _repeated(self, place: Place | None, base: dict[str, Any], other: dict[str, Any]) -> None:
        """Note names that stand more often on one side: readers of the two answers may see different values."""
        counts = base.repeated if isinstance(base, RepeatedMembers) else {}
        others = other.repeated if isinstance(other, RepeatedMembers) else {}
        for name in {**counts, **others}:
            count, other_count = counts.get(name, 1), others.get(name, 1)
            if count != other_count and name in base and name in other:
                kind = ShapeKind.EXTRA if other_count > count else ShapeKind.MISSING
                self.shape(kind, (place, name), f"{count} times", f"{other_count} times")

    def _alone(self, side: dict[str, Any], place: Place, value: Any) -> None:
        self._spend()
        side.setdefault(self.path(place), value)
        if len(side) > self._rules.max_differences:
            raise EnoughError

    def _note(self, key: tuple[str, ...], difference: Difference | Variation) -> None:
        self._spend()
        self._found.setdefault(key, difference)
        if len(self._found) >= self._rules.max_differences:
            raise EnoughError

    def _spend(self) -> None:
        self._left -= 1
        if self._left <= 0:
            raise EnoughError

    def _settle_moves(self) -> None:
        """Turn what is missing here and extra there into one difference."""
        if not self._missing or not self._extra:
            return
        moves = find_moves(self._missing, self._extra)
        for move in moves.pairs:
            self._found.setdefault(
                (ShapeKind.NESTING, move.old, move.new),
                ShapeDifference(ShapeKind.NESTING, move.old, move.old, move.new),
            )
        for path in moves.explained_missing:
            del self._missing[path]
        for path in moves.explained_extra:
            del self._extra[path]
