"""Bring findings of one endpoint together that have one cause, and say on which requests they appear.

Discrepancies that always occur together are one group: their samples of pairs agree. Each is compared with the
weightiest of its group, never with another member, so that a chain of small deviations does not make one of two causes.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from math import floor
from typing import Final

from microstax.diff.conditions import Condition, condition
from microstax.diff.discrepancy import HEADER, SHAPE, STATUS, VALUE, Discrepancy, plain
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.samples import SEEN_PAIRS
from microstax.diff.signatures import MAGNITUDE, SHIFT, SIGN
from microstax.diff.tally import Tally
from microstax.model.difference import ShapeKind
from microstax.model.ignore import SIGNATURE_KINDS

TOGETHER: Final = 0.95
"""How far two samples of pairs must agree (Jaccard), and two counts."""
_FIRST: Final = 1 + floor((1 - TOGETHER) * SEEN_PAIRS / TOGETHER)
"""Samples that agree differ in fewer pairs than this, so they share one of the first that each holds."""
_FAMILIES: Final = (STATUS, SHAPE, VALUE, HEADER)
_KINDS: Final = tuple(ShapeKind)


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """Discrepancies that come together, the most telling first; `count` pairs show it."""

    members: tuple[Discrepancy, ...]
    condition: Condition | None
    count: int


def group_findings(endpoint: EndpointAggregate, shown: Iterable[Discrepancy]) -> list[FoundGroup]:
    """Return the discrepancies of an endpoint as groups, the weightiest first; each is in exactly one.

    `shown` are those that are findings; what the endpoint does not know is left out.
    """
    found = [discrepancy for discrepancy in dict.fromkeys(shown) if discrepancy in endpoint.tallies]
    ordered = sorted(found, key=lambda discrepancy: (-failures(endpoint.tallies[discrepancy]), discrepancy))
    groups: list[list[Discrepancy]] = []
    holding: dict[int, list[int]] = {}
    for discrepancy in ordered:
        tally = endpoint.tallies[discrepancy]
        near = {number for pair in tally.seen.hashes[:_FIRST] for number in holding.get(pair, ())}
        for number in sorted(near):
            if are_together(endpoint.tallies[groups[number][0]], tally):
                groups[number].append(discrepancy)
                break
        else:
            for pair in tally.seen.hashes:
                holding.setdefault(pair, []).append(len(groups))
            groups.append([discrepancy])
    return [_found(endpoint, group) for group in groups]


def failures(tally: Tally) -> int:
    """Return in how many pairs the branch alone was seen to differ."""
    return tally.branch_only + tally.alone


def sightings(discrepancy: Discrepancy, tally: Tally) -> int:
    """Return in how many pairs the branch shows it; of a shift's two directions, the one that is seen more often."""
    return max(tally.branch, tally.control_only) if discrepancy.kind == SHIFT else tally.branch


def noise_of(discrepancy: Discrepancy, tally: Tally) -> int:
    """Return in how many triples noise shows it: the control, or the other direction of a shift."""
    return min(tally.branch, tally.control_only) if discrepancy.kind == SHIFT else tally.control


def are_together(first: Tally, second: Tally) -> bool:
    """Tell whether two discrepancies of one endpoint occur in the same pairs, as far as samples and counts tell."""
    counts = sorted((failures(first), failures(second)))
    limit = min(first.seen.limit, second.seen.limit)
    one, other = set(first.seen.up_to(limit)), set(second.seen.up_to(limit))
    together = len(one & other)
    return 0 < together >= TOGETHER * len(one | other) and counts[0] >= TOGETHER * counts[1]


def subsumed(discrepancy: Discrepancy, others: Container[Discrepancy]) -> bool:
    """Tell whether a finding says nothing that one of the `others` does not say.

    That is a value's signature beside the value, and a shift beside another sign or order of magnitude.

    What is inside of something that is missing or of another type is told: the comparison looks no further there, so it
    was seen in other answers and has a cause of its own.
    """
    if discrepancy.kind not in SIGNATURE_KINDS:
        return False
    larger = (discrepancy._replace(kind=kind) for kind in (SIGN, MAGNITUDE) if discrepancy.kind == SHIFT)
    return plain(discrepancy) in others or any(one in others for one in larger)


def _found(endpoint: EndpointAggregate, group: Sequence[Discrepancy]) -> FoundGroup:
    tallies = [endpoint.tallies[discrepancy] for discrepancy in group]
    members = sorted(group, key=_importance)
    count = max(map(sightings, group, tallies))
    return FoundGroup(tuple(members), _condition(endpoint, tallies), count)


def _importance(discrepancy: Discrepancy) -> tuple[int, int, Discrepancy]:
    """Return what sorts the most telling first: a status before a shape, something missing before something extra."""
    family, kind, _, _ = discrepancy
    return _place_in(_FAMILIES, family), _place_in(_KINDS, kind), discrepancy


def _place_in(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _condition(endpoint: EndpointAggregate, tallies: Sequence[Tally]) -> Condition | None:
    """Return the condition that separates; a pair passes if no member of the group holds it and could have.

    All samples are cut where the first is no longer complete: beyond, a pair that is not in it may have failed.
    """
    limit = min(tally.seen.limit for tally in tallies)
    failed = {pair for tally in tallies for pair in tally.seen.hashes}
    failing = endpoint.requests.of(tallies[0].seen.hashes)
    passing = endpoint.requests.of(pair for pair in endpoint.sample.up_to(limit) if pair not in failed)
    return condition(failing, passing)
