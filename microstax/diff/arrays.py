"""Decide which elements of two arrays belong together.

By a key if the elements are objects and have a member that tells them apart and finds partners; else equal elements
belong together wherever they stand (a multiset), and what is left by its place among these. A changed order is a
difference of its own, so that an array in random order costs one discrepancy and not one for each member.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from microstax.diff.array_keys import ArrayKeys
from microstax.diff.hashes import short_hash
from microstax.diff.json_text import compact, shown
from microstax.diff.places import Place
from microstax.diff.walk import Walk
from microstax.model.difference import ShapeKind

_PREFERRED: Final = ("id", "uuid", "guid", "key", "sku", "code", "slug", "name")
_CANDIDATES: Final = 8
_LOOKED_AT: Final = 256
"""Members of an element, for the candidates among them."""
_HASHED: Final = 2**60
_FEW: Final = 512
_BYTES_A_US: Final = 256
_AN_ARRAY: Final = 10
"""What it costs to align an array beside what its elements do, as `Walk.affords` counts."""
_OBJECTS: Final = {dict}
_LABELS: Final = frozenset({str, int})
_ORDER_SHOWN: Final = 12
_TEXT_SHOWN: Final = 160

_Labels = tuple[list[Any], list[Any]]
"""What the elements of the two sides are known by."""


class Aligner:
    """Aligns arrays of one endpoint; learns which members are keys."""

    __slots__ = ("_endpoint", "_keys")

    def __init__(self, keys: ArrayKeys | None = None, endpoint: str = "") -> None:
        self._keys = keys
        self._endpoint = endpoint

    def __call__(self, walk: Walk, place: Place | None, base: list[Any], other: list[Any], depth: int) -> None:
        """Compare two arrays at `place`, of which at least one has elements."""
        inner: Place = (place, None)
        if len(base) != len(other):
            walk.shape(ShapeKind.LENGTH, place, str(len(base)), str(len(other)))
        if not base or not other:
            return
        size = len(base) + len(other)
        if not walk.affords(size + _AN_ARRAY):
            walk.whole(place, base, other)
            return
        keyed = self._by_key(walk, place, base, other)
        labels = keyed or _contents(base, other, walk)
        if labels is None:
            walk.whole(place, base, other)
            return
        if labels[0] == labels[1]:
            if keyed is not None:
                for left, right in zip(base, other, strict=True):
                    walk.value(inner, left, right, depth + 1)
            return
        _match(walk, place, (base, other), labels, depth=depth, equal=keyed is None)

    def _by_key(self, walk: Walk, place: Place | None, base: list[Any], other: list[Any]) -> _Labels | None:
        """Return the labels of all elements by the member that is their key, None where they have none."""
        if set(map(type, base)) != _OBJECTS or set(map(type, other)) != _OBJECTS:
            return None
        if self._keys is None:
            return self._infer("", base, other)
        where = f"{self._endpoint} {walk.path(place)}"
        known = self._keys.best(where)
        labels = None if known is None else _labels(known, base, other)
        return (
            labels if labels is not None and _tells(_partners(labels), base, other) else self._infer(where, base, other)
        )

    def _infer(self, where: str, base: list[Any], other: list[Any]) -> _Labels | None:
        """Return the labels by the member that finds the most partners; learn which members find them."""
        best, most = None, 0
        looks = {}
        for name in _names(base[0]):
            labels = _labels(name, base, other)
            partners = looks[name] = 0 if labels is None else _partners(labels)
            if partners > most:
                best, most = labels, partners
                if most == min(len(base), len(other)):
                    break
        if self._keys is not None and most:
            for name, partners in looks.items():
                self._keys.note(where, name, unique=_tells(partners, base, other))
        return best


def _names(element: dict[str, Any]) -> list[str]:
    names = [name for name, value in islice(element.items(), _LOOKED_AT) if type(value) in (str, int)]
    names.sort(key=_rank)
    return names[:_CANDIDATES]


def _rank(name: str) -> int:
    """Order the likely keys first; the sort is stable, so the rest stays as the elements have it."""
    lower = name.lower()
    if lower in _PREFERRED:
        return _PREFERRED.index(lower)
    return len(_PREFERRED) + (not lower.endswith(("_id", "-id")) and not name.endswith("Id"))


def _labels(name: str, base: list[Any], other: list[Any]) -> _Labels | None:
    """Return what the member `name` says in all elements, None where it does not tell them apart on either side.

    Where one side has an element twice, its label gets a number from the second on.
    """
    sides = [[item.get(name) for item in elements] for elements in (base, other)]
    if not all(_LABELS.issuperset(map(type, labels)) for labels in sides):
        return None
    sides = list(_scattered(sides))
    repeats = [len(set(labels)) != len(labels) for labels in sides]
    if any(repeats):
        if all(repeats):
            return None
        sides = [_numbered(labels) if repeated else labels for labels, repeated in zip(sides, repeats, strict=True)]
    return sides[0], sides[1]


def _numbered(labels: list[Any]) -> list[Any]:
    seen: Counter[Any] = Counter()
    numbered = []
    for label in labels:
        numbered.append((label, seen[label]) if seen[label] else label)
        seen[label] += 1
    return numbered


def _tells(partners: int, base: list[Any], other: list[Any]) -> bool:
    """Tell whether a member says which elements belong together: unique random numbers meet by chance only."""
    return 2 * partners >= min(len(base), len(other))


def _partners(labels: _Labels) -> int:
    return len(labels[0]) if labels[0] == labels[1] else len(set(labels[0]).intersection(labels[1]))


def _contents(base: list[Any], other: list[Any], walk: Walk) -> _Labels | None:
    """Return what tells the values of the elements apart: texts and integers do so themselves. None: it costs more."""
    if _LABELS.issuperset(map(type, base)) and _LABELS.issuperset(map(type, other)):
        return _scattered([base, other])
    if not walk.affords(2 * (len(base) + len(other))):
        return None
    labels = [compact(item) for item in base], [compact(item) for item in other]
    walk.affords(sum(sum(map(len, side)) for side in labels) // _BYTES_A_US)
    return labels


def _scattered(sides: list[list[Any]]) -> _Labels:
    """Return labels that hash apart: of integers, Python's hash is the rest of dividing by 2^61-1."""
    if len(sides[0]) + len(sides[1]) > _FEW and any(
        type(label) is int and abs(label) >= _HASHED for side in sides for label in side
    ):
        sides = [[b"%d" % label if type(label) is int else label for label in side] for side in sides]
    return sides[0], sides[1]


def _match(
    walk: Walk,
    place: Place | None,
    sides: tuple[list[Any], list[Any]],
    labels: _Labels,
    *,
    depth: int,
    equal: bool,
) -> None:
    """Compare elements of one label, then the rest by place. `equal`: elements of one label need no comparison."""
    inner: Place = (place, None)
    common = Counter(labels[0]) & Counter(labels[1])
    base_in, base_rest = _split(labels[0], common)
    other_in, other_rest = _split(labels[1], common)
    base_order, other_order = [labels[0][at] for at in base_in], [labels[1][at] for at in other_in]
    if base_order != other_order:
        walk.shape(ShapeKind.ORDER, place, _shown_order(base_order), _shown_order(other_order))
    if not equal:
        partners = {labels[1][at]: at for at in other_in}
        for at in base_in:
            walk.value(inner, sides[0][at], sides[1][partners[labels[0][at]]], depth + 1)
    for left, right in _leftovers(base_rest, other_rest):
        walk.value(inner, sides[0][left], sides[1][right], depth + 1)


def _leftovers(base: list[int], other: list[int]) -> Iterator[tuple[int, int]]:
    """Pair the indices of elements without partner: those first that as many elements with one stand before.

    So an element that is gone does not shift those behind it; what is left then is paired in its order.
    """
    gaps: dict[int, deque[int]] = {}
    for skipped, at in enumerate(other):
        gaps.setdefault(at - skipped, deque()).append(at)
    lonely = []
    for skipped, at in enumerate(base):
        there = gaps.get(at - skipped)
        if there:
            yield at, there.popleft()
        else:
            lonely.append(at)
    yield from zip(lonely, (at for there in gaps.values() for at in there), strict=False)


def _split(labels: list[Any], common: Counter[Any]) -> tuple[list[int], list[int]]:
    """Return the indices of elements that have a partner, and of those that have none."""
    left = dict(common)
    inside, rest = [], []
    for at, label in enumerate(labels):
        if left.get(label, 0):
            left[label] -= 1
            inside.append(at)
        else:
            rest.append(at)
    return inside, rest


def _shown_order(order: Sequence[Any]) -> str:
    first = [
        label.decode("utf-8", "replace") if isinstance(label, bytes) else shown(label) for label in order[:_ORDER_SHOWN]
    ]
    text = f"[{','.join([*first, '...'] if len(order) > _ORDER_SHOWN else first)}]"
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}...~{short_hash(text.encode())}"
