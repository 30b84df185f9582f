"""What the captured answers have: which places there are for a fault, in how many answers, and which of them vary."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from microstax.diff.formats import is_identifier
from microstax.diff.hashes import hash64
from microstax.diff.rules import DEFAULT_RULES
from microstax.model.exchange import Exchange, Response, Triple
from microstax.model.paths import Step
from microstax.selftest.answers import read
from microstax.selftest.catalogue import Fault
from microstax.selftest.spots import Spot, Target

_BUSY: Final = 0.8
"""A fault goes where at least this share of the most answers of any place is: traffic decides what can be found."""
_DEEPEST: Final = 8
_MOSTLY: Final = 0.9
_KEYS: Final = frozenset({"id", "uuid", "guid", "key", "sku", "code", "slug", "name"})
_LEFT_ALONE: Final = frozenset({"content-type", "location", "set-cookie"})
"""Headers of which more or less than the value is compared."""


@dataclass(slots=True)
class _Seen:
    """In how many answers a place is, which faults it fits in, and whether baseline and branch differ there."""

    answers: int = 0
    differing: int = 0
    fits: Counter[str] = field(default_factory=Counter)


class Survey:
    """Looks at every pair once; then says where a fault goes."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._members: defaultdict[Spot, _Seen] = defaultdict(_Seen)
        self._others: dict[Target, Counter[Spot]] = {target: Counter() for target in Target}
        self._unsteady: set[Spot] = set()
        self._faults = [fault for fault in faults if fault.target is Target.MEMBER]

    def add(self, endpoint: str, triple: Triple) -> None:
        """Look at one unchanged pair; both sides must have an answer."""
        before, after = triple.baseline.response, triple.branch.response
        if before is None or after is None or before.status != after.status:
            return
        service = triple.service
        self._others[Target.STATUS][Spot(service, endpoint, name=str(after.status))] += 1
        if _has_latency(triple.branch):
            self._others[Target.TIME][Spot(service, endpoint)] += 1
        self._headers(Spot(service, endpoint), before, after)
        ours = read(after)
        if ours is None:
            return
        self._others[Target.BODY][Spot(service, endpoint)] += 1
        theirs = dict(members_of(read(before)))
        for steps, value in members_of(ours):
            seen = self._members[Spot(service, endpoint, steps)]
            seen.answers += 1
            seen.differing += theirs.get(steps) != value
            seen.fits.update(fault.name for fault in self._faults if fault.fits(value))

    def place_for(self, fault: Fault) -> Spot | None:
        """Return where the fault goes: one of the places with the most answers; None where there is none."""
        counts = self._member_counts(fault) if fault.target is Target.MEMBER else self._others[fault.target]
        usable = {spot: count for spot, count in counts.items() if spot not in self._unsteady}
        if not usable:
            return None
        most = max(usable.values())
        busy = (spot for spot, count in usable.items() if count >= _BUSY * most)
        return min(busy, key=lambda spot: (hash64(f"{fault.name} {spot}".encode("utf-8", "replace")), spot.path))

    def _member_counts(self, fault: Fault) -> dict[Spot, int]:
        return {
            spot: seen.fits[fault.name]
            for spot, seen in self._members.items()
            if seen.fits[fault.name] and _is_wanted(seen, varying=fault.varying)
        }

    def _headers(self, at: Spot, before: Response, after: Response) -> None:
        ours, theirs = _values(after), _values(before)
        for name in ours.keys() | theirs.keys():
            if name in _LEFT_ALONE or name in DEFAULT_RULES.presence_headers or _is_volatile(name):
                continue
            spot = Spot(at.service, at.endpoint, name=name)
            self._others[Target.HEADER][spot] += 1
            if ours.get(name) != theirs.get(name):
                self._unsteady.add(spot)


def _is_wanted(seen: _Seen, *, varying: bool | None) -> bool:
    if varying is None:
        return True
    return seen.differing >= _MOSTLY * seen.answers if varying else not seen.differing


def _is_volatile(name: str) -> bool:
    return name in DEFAULT_RULES.volatile_headers or name.startswith(DEFAULT_RULES.volatile_prefixes)


def _values(response: Response) -> dict[str, str]:
    return dict(response.headers)


def _has_latency(exchange: Exchange) -> bool:
    return exchange.latency_us is not None


def members_of(document: Any) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Yield (steps, value) of members whose place a report names exactly, each place once.

    Left out are members with names like ids (a report folds them), what identifies the elements of an array (another
    one makes other pairs of elements), and elements that nothing identifies.
    """
    done: set[tuple[Step, ...]] = set()
    for steps, value in _walk((), document):
        if steps not in done:
            done.add(steps)
            yield steps, value


def _walk(steps: tuple[Step, ...], value: Any) -> Iterator[tuple[tuple[Step, ...], Any]]:
    if len(steps) >= _DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if not is_identifier(name):
                yield (*steps, name), inner
                yield from _walk((*steps, name), inner)
    elif isinstance(value, list) and _key_of(value):
        for item in value:
            yield from (
                found
                for found in _walk((*steps, None), item)
                if not (len(found[0]) == len(steps) + 2 and _is_key(found[0]))
            )


def _key_of(items: Iterable[Any]) -> bool:
    """Tell whether all elements are objects with a member that is a key by its name."""
    names = [set(item) if isinstance(item, dict) else set() for item in items]
    return bool(names) and bool(set.intersection(*names) & _KEYS)


def _is_key(steps: tuple[Step, ...]) -> bool:
    name = str(steps[-1]).lower()
    return name in _KEYS or name.endswith("id")
