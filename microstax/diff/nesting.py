"""Recognise members that moved: a name that is missing at one place and extra at another."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from microstax.diff.json_text import compact
from microstax.diff.places import general_step
from microstax.model.paths import ANY_NAME, ELEMENT, step_into

_SEARCHED: Final = 2_000
"""Members that are looked at inside missing and extra containers, per side."""
_DEEPEST: Final = 16
"""So many levels below their tops: each level has to be written down once more."""
_TRIED: Final = 16
"""Of several members with one name and one value."""


@dataclass(frozen=True, slots=True)
class Move:
    """A member that stands at `old` in the baseline and at `new` in the branch."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Moves:
    """The moves, and the missing and extra places that they explain wholly."""

    pairs: tuple[Move, ...]
    explained_missing: frozenset[str]
    explained_extra: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A member inside a missing or extra subtree whose root is the place `top`."""

    path: str
    step: str
    value: Any
    top: str

    @property
    def is_top(self) -> bool:
        return self.path == self.top


def find_moves(missing: Mapping[str, Any], extra: Mapping[str, Any]) -> Moves:
    """Pair missing and extra members of one name. `missing` and `extra` map places to (example) values.

    At least one of a pair must be missing or extra itself, else a renamed container would be a move of all its members.
    Of several of one name those with equal values belong together; with other values only one of each kind does, of one
    type.
    """
    gone, come = _by_step(missing), _by_step(extra)
    pairs: list[tuple[_Candidate, _Candidate]] = []
    for step in gone.keys() & come.keys():
        pairs += _pairs(gone[step], come[step])
    pairs.sort(key=lambda pair: (pair[0].path, pair[1].path))
    return Moves(
        tuple(Move(old.path, new.path) for old, new in pairs),
        _explained(missing, [old for old, _ in pairs]),
        _explained(extra, [new for _, new in pairs]),
    )


def _by_step(places: Mapping[str, Any]) -> dict[str, list[_Candidate]]:
    found: defaultdict[str, list[_Candidate]] = defaultdict(list)
    left = _SEARCHED
    for path, value in places.items():
        step = _last_step(path)
        if step is not None:
            found[step].append(_Candidate(path, step, value, path))
        for candidate in _inside(path, value, left):
            found[candidate.step].append(candidate)
            left -= 1
    return found


def _inside(top: str, value: Any, limit: int) -> Iterator[_Candidate]:
    stack = [(top, value, 1)]
    while stack:
        path, container, level = stack.pop()
        for step, item in _children(container):
            if limit <= 0:
                return
            limit -= 1
            inner = step_into(path, step)
            if step not in (ELEMENT, ANY_NAME):
                yield _Candidate(inner, step, item, top)
            if level < _DEEPEST:
                stack.append((inner, item, level + 1))


def _children(container: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(container, dict):
        yield from ((general_step(name), item) for name, item in container.items())
    elif isinstance(container, list) and container:
        yield ELEMENT, container[0]


def _last_step(path: str) -> str | None:
    """Return the last step of a place that ends in a member with a name of its own."""
    if path.endswith('"]'):
        return path[path.rfind('["') :]
    if path.endswith((ELEMENT, ANY_NAME, "*")):
        return None
    return path[path.rfind(".") :]


def _pairs(gone: list[_Candidate], come: list[_Candidate]) -> list[tuple[_Candidate, _Candidate]]:
    pairs, used = [], set()
    equal: defaultdict[bytes, list[_Candidate]] = defaultdict(list)
    # Those first that may pair with all: in a thousand of one value, the first few decide.
    for new in sorted(come, key=lambda one: not one.is_top):
        equal[compact(new.value)].append(new)
    for old in gone:
        alike = equal.get(compact(old.value), [])
        for at, new in enumerate(alike[:_TRIED]):
            if new.path not in used and _may_pair(old, new):
                used.add(new.path)
                pairs.append((old, alike.pop(at)))
                break
    if not pairs and len(gone) == len(come) == 1 and _may_pair(gone[0], come[0]):
        old, new = gone[0], come[0]
        if type(old.value) is type(new.value):
            pairs.append((old, new))
    return pairs


def _may_pair(old: _Candidate, new: _Candidate) -> bool:
    return (old.is_top or new.is_top) and old.path != new.path


def _explained(places: Mapping[str, Any], moved: list[_Candidate]) -> frozenset[str]:
    """Return the places of which nothing is left when what moved is taken out."""
    leaves: defaultdict[str, int] = defaultdict(int)
    for candidate in moved:
        leaves[candidate.top] += _leaves(candidate.value)
    return frozenset(top for top, count in leaves.items() if count >= _leaves(places[top]))


def _leaves(value: Any) -> int:
    """Count the values in a subtree that are no containers (an empty container is one), up to the search limit."""
    count, stack = 0, [value]
    while stack and count <= _SEARCHED:
        children = [item for _, item in _children(stack.pop())]
        stack += children
        count += not children
    return count
