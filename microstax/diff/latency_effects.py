"""What the branch's latencies are, compared with those of its reference: quantiles and ratios, with intervals."""

import math
from typing import Final, NamedTuple

from microstax.diff.latency import RATIO_BIN, Measured
from microstax.diff.quantiles import Ranked, duration_bin, middle_ms, upper_ms

SHARES: Final = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
NAMES: Final = tuple(SHARES)
ENOUGH_CONTROLLED: Final = 1_000
"""So many pairs with a control are compared with it, however few of all they are: all quantiles can be called."""
_OF_RATIOS: Final = 1 / 4
_OF_QUANTILES: Final = 1 / 18
"""Shares of an endpoint's error: two ratios within pairs (to either reference), and three quantiles of three sides."""
_BEYOND: Final = 10
"""A tail is not called if it rests on fewer answers: p90 from 100 pairs on, p99 from 1,000."""


class Bounds(NamedTuple):
    """A figure, None where it is not known, with the ends of its interval: None where there is too little traffic.

    The upper end is inf (and the lower end of a ratio 0) where the timeouts hide it.
    """

    point: float | None = None
    low: float | None = None
    high: float | None = None


class Comparison:
    """The sides of some pairs. `alpha` is the error of all their intervals together; None: there are none.

    The branch is compared with the control where most pairs have one, or enough. A timeout is longer than everything
    measured. Where the reference took longer too than the branch was ever given, it says nothing of the branch: such
    requests are unknown on both sides, and in no ratio. A control that is missing may have run into the same timeout,
    so up to as many as the branch's are held possible at the upper ends of its intervals. `crowds` are slow answers of
    the branch and of its reference that came with others, and speak only once (see Moments).
    """

    __slots__ = ("_alpha", "_ratios", "baseline", "branch", "by_control", "control", "has_control")

    def __init__(self, measured: Measured, alpha: float | None, *, crowds: tuple[int, int] = (0, 0)) -> None:
        self._alpha = alpha
        pairs, controlled = measured.pairs, measured.to_control.total
        share = controlled / pairs if 0 < controlled <= pairs else 0.0
        self.has_control = controlled > 0
        self.by_control = share > 0 and (2 * controlled > pairs or controlled >= ENOUGH_CONTROLLED)
        waited = _waited(measured)
        both = _unanswered_by_both(measured, waited)
        missing = min(max(pairs - controlled, 0), measured.timeouts)
        crowd, reference_crowd = crowds
        self.baseline = Ranked(measured.baseline.histogram, crowd=reference_crowd)
        self.branch = Ranked(measured.branch.histogram, beyond=measured.timeouts, at_least=waited, crowd=crowd)
        self.control = Ranked(
            measured.control.histogram,
            beyond=round(both * share),
            doubtful=round(missing * share),
            at_least=waited,
            crowd=reference_crowd,
        )
        ratios, part = (measured.to_control, share) if self.by_control else (measured.to_baseline, 1 - share)
        self._ratios = Ranked(ratios, beyond=round(max(measured.timeouts - both, 0) * part))

    @property
    def reference(self) -> Ranked:
        """What the branch is compared with."""
        return self.control if self.by_control else self.baseline

    def ranges(self, side: Ranked) -> dict[str, Bounds]:
        """Return the quantiles of a side in milliseconds."""
        return {name: self._quantile(side, share) for name, share in SHARES.items()}

    def effects(self) -> dict[str, Bounds]:
        """Return branch over reference: the median ratio within pairs, and the ratios of two quantiles."""
        return {"p50": self._median_ratio(), "p90": self._quantile_ratio("p90"), "p99": self._quantile_ratio("p99")}

    def change_ms(self, name: str, effect: Bounds) -> Bounds:
        """Return by how many milliseconds an effect changes a quantile; a ratio does so from the reference's own."""
        before = self._quantile(self.reference, SHARES[name])
        return Bounds(
            low=_times(effect.low, before.low, before.high),
            high=_times(effect.high, before.high, before.low),
        )

    def _quantile(self, side: Ranked, share: float) -> Bounds:
        point = side.quantile(share)
        middle = None if point is None else middle_ms(point)
        ends = None if self._alpha is None else side.interval(share, self._alpha * _OF_QUANTILES)
        if ends is None:
            return Bounds(middle)
        low, high = ends
        return Bounds(middle, upper_ms(low - 1), math.inf if high is None else upper_ms(high))

    def _median_ratio(self) -> Bounds:
        point = self._ratios.quantile(SHARES["p50"])
        middle = None if point is None else math.exp(point * RATIO_BIN)
        ends = None if self._alpha is None else self._ratios.interval(SHARES["p50"], self._alpha * _OF_RATIOS)
        if ends is None:
            return Bounds(middle)
        low, high = ends
        top = math.inf if high is None else math.exp((high + 0.5) * RATIO_BIN)
        return Bounds(middle, math.exp((low - 0.5) * RATIO_BIN), top)

    def _quantile_ratio(self, name: str) -> Bounds:
        """Return the ratio of two quantiles; its interval is from the ends of their own."""
        share = SHARES[name]
        if min(self.branch.total, self.reference.total) * (1 - share) < _BEYOND - 1e-6:
            return Bounds()
        after, before = self._quantile(self.branch, share), self._quantile(self.reference, share)
        return Bounds(_over(after.point, before.point), _over(after.low, before.high), _over(after.high, before.low))


def _waited(measured: Measured) -> int | None:
    """Return the bin of the longest that a copy was waited for, as far as it is known; None where nothing is."""
    waited = [bin_ for side in (measured.branch, measured.control) for bin_ in side.histogram.bins]
    if measured.waited_us:
        waited.append(duration_bin(measured.waited_us))
    return max(waited, default=None)


def _unanswered_by_both(measured: Measured, waited: int | None) -> int:
    """Return how many timeouts had a reference that took longer than any copy was waited for."""
    longest = -1 if waited is None else waited
    return sum(number for bin_, number in measured.unanswered.histogram.bins.items() if bin_ > longest)


def _over(value: float | None, by: float | None) -> float | None:
    return None if value is None or by is None else value / by


def _times(ratio: float | None, if_more: float | None, if_less: float | None) -> float | None:
    """Return the change from `if_more` where the ratio is above 1, from `if_less` where it is below."""
    before = if_more if ratio is not None and ratio > 1 else if_less
    return None if ratio is None or before is None else (ratio - 1) * before
