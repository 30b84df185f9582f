"""Whether the excess of a discrepancy over its noise is surely below what matters."""

import math
from collections.abc import Callable
from typing import Final

from microstax.diff.betting import (
    MOST_PAIRS,
    clean_triples,
    excess_below,
    finest_stake,
    log_evidence_below,
    times_until_below,
)
from microstax.diff.confidence import rate_bounds
from microstax.diff.counts import Counts, Policy

_HALVINGS: Final = 5


class Smallness:
    """What the counts of one discrepancy, in at least one triple, say about how large its excess can be."""

    __slots__ = (
        "_alpha",
        "_branch",
        "_control",
        "_directions",
        "_finest",
        "_pairs",
        "_sampled",
        "_tolerance",
        "_triples",
    )

    def __init__(self, counts: Counts, policy: Policy) -> None:
        b, c, both = (max(count, 0) for count in (counts.branch_only, counts.control_only, counts.both))
        self._alpha = policy.error
        self._tolerance = policy.excess(two_sided=counts.two_sided)
        self._finest = finest_stake(self._tolerance)
        self._sampled = counts.is_sampled
        self._directions = [(b, c), (c, b)] if counts.two_sided else [(b, c)]
        # After endpoints were brought together a place may have been counted twice for one pair.
        self._triples = max(counts.triples, b + c)
        self._pairs = max(counts.pairs, self._triples)
        self._branch = min(b + both + max(counts.alone, 0), self._pairs)
        self._control = min(c + both, self._triples)

    def holds(self) -> bool:
        """Tell whether "the excess is at least the tolerance" is rejected; with two directions, for both of them."""
        if self._sampled:
            return self._sampled_high(1) <= self._tolerance
        return all(
            log_evidence_below(self._tolerance, b=b, c=c, triples=self._triples, finest=self._finest)
            >= -math.log(self._alpha)
            for b, c in self._directions
        )

    def excess(self) -> float:
        """Return the excess rate, -1..1."""
        if self._sampled:
            return self._branch / self._pairs - self._control / self._triples
        return max((b - c) / self._triples for b, c in self._directions)

    def excess_high(self) -> float:
        """Return the upper end of the anytime-valid interval of the excess rate."""
        if self._sampled:
            return self._sampled_high(1)
        return max(
            excess_below(b=b, c=c, triples=self._triples, finest=self._finest, alpha=self._alpha)
            for b, c in self._directions
        )

    def times(self) -> float:
        """Return about how many times the traffic of today make it hold, inf if it never does."""
        if self._sampled:
            return least_factor(lambda factor: self._sampled_high(factor) <= self._tolerance, MOST_PAIRS / self._pairs)
        if not any(self._directions[0]):
            return clean_triples(self._tolerance, finest=self._finest, alpha=self._alpha) / self._triples
        return max(
            times_until_below(self._tolerance, b=b, c=c, triples=self._triples, finest=self._finest, alpha=self._alpha)
            for b, c in self._directions
        )

    def _sampled_high(self, factor: float) -> float:
        """Return the upper end where few pairs have a control: the branch's rate at most, the control's at least.

        Each of them errs with half of alpha, which is one side of an interval of alpha.
        """
        _, high = rate_bounds(round(self._branch * factor), round(self._pairs * factor), self._alpha)
        low, _ = rate_bounds(round(self._control * factor), round(self._triples * factor), self._alpha)
        return high - low


def least_factor(holds: Callable[[float], bool], most: float) -> float:
    """Return about the least factor of (1, most) from which on something holds, inf if there is none."""
    if most <= 1 or not holds(most):
        return math.inf
    low = high = 1.0
    while high < most and not holds(high):
        low, high = high, 2 * high
    high = min(high, most)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
