"""Latencies of the sides of a pair: distributions, the ratio within pairs, and spikes.

The reference is the control where one answered (it takes the same way through Envoy as the branch, so what the copy
costs cancels), else the baseline. What is measured while processes and connections are cold is kept apart.
"""

import math
from collections.abc import Callable
from typing import Final

from microstax.diff.quantiles import Durations, Histogram, log_us
from microstax.diff.rules import Rules
from microstax.diff.tally import Tally
from microstax.diff.wire import Packed, count, items
from microstax.model.exchange import Exchange

RATIO_BIN: Final = 0.01
"""Width of a bin of ln(branch / reference): one percent. Bin k reaches from k - 1/2 to k + 1/2 of it."""
SPIKES_SHOWN: Final = 3
"""Examples of spikes."""
_RATIO_BINS: Final = 1_000
"""Ratios beyond e^10 (22,026) are in the outermost bins."""

IsFirst = Callable[[int | None], bool]
"""(when the slow answer came, Unix microseconds): whether it is the first of its moment (see Moments)."""


class Measured:
    """Latencies of some pairs, in sketches.

    Each pair is in one of the two ratios: `to_control` where it has a control, else `to_baseline`. `timeouts` are
    requests that the branch never finished: what their baseline took is in `baseline`, and what their reference took in
    `unanswered`; `waited_us` is how long at most was surely waited for one of them, in microseconds.
    """

    __slots__ = ("baseline", "branch", "control", "timeouts", "to_baseline", "to_control", "unanswered", "waited_us")

    def __init__(self) -> None:
        self.baseline, self.branch, self.control, self.unanswered = (Durations() for _ in range(4))
        self.to_baseline, self.to_control = Histogram(), Histogram()
        self.timeouts = self.waited_us = 0

    @property
    def pairs(self) -> int:
        """How many pairs were measured, without the timeouts."""
        return self.branch.histogram.total

    def add(self, before: int, after: int, control: int | None) -> None:
        """Count a pair's latencies in microseconds."""
        log_before, log_after = log_us(before), log_us(after)
        self.baseline.add_log(log_before)
        self.branch.add_log(log_after)
        if control is None:
            self.to_baseline.add(_ratio_bin(log_after - log_before))
        else:
            log_control = log_us(control)
            self.control.add_log(log_control)
            self.to_control.add(_ratio_bin(log_after - log_control))

    def add_timeout(self, before: int | None, control: int | None, *, waited: int | None = None) -> None:
        """Count a request that the branch did not finish within `waited` microseconds, None if these are not known."""
        self.timeouts += 1
        self.waited_us = max(self.waited_us, waited or 0)
        if before is not None:
            self.baseline.add(before)
        if control is not None:
            self.control.add(control)
        reference = before if control is None else control
        if reference is not None:
            self.unanswered.add(reference)

    def merge(self, other: "Measured") -> None:
        """Add another one's counts."""
        for mine, theirs in zip(self.durations(), other.durations(), strict=True):
            mine.merge(theirs)
        self.to_baseline.merge(other.to_baseline)
        self.to_control.merge(other.to_control)
        self.timeouts += other.timeouts
        self.waited_us = max(self.waited_us, other.waited_us)

    def pack(self) -> Packed:
        """Return all as plain values."""
        durations = [one.pack() for one in self.durations()]
        return [durations, self.to_baseline.pack(), self.to_control.pack(), [self.timeouts, self.waited_us]]

    @classmethod
    def unpack(cls, packed: Packed) -> "Measured":
        """Return what `pack` gave."""
        durations, to_baseline, to_control, timeouts = items(packed, 4)
        made = cls()
        made.baseline, made.branch, made.control, made.unanswered = map(Durations.unpack, items(durations, 4))
        made.to_baseline = Histogram.unpack(to_baseline, lowest=-_RATIO_BINS, highest=_RATIO_BINS)
        made.to_control = Histogram.unpack(to_control, lowest=-_RATIO_BINS, highest=_RATIO_BINS)
        made.timeouts, made.waited_us = map(count, items(timeouts, 2))
        return made

    def durations(self) -> tuple[Durations, ...]:
        """Return all sketches of durations, in the order in which they are packed."""
        return self.baseline, self.branch, self.control, self.unanswered


class Latencies:
    """What is known about the latencies of one endpoint.

    `warm` is what counts; `cold` are the first pairs of each worker (see WarmUp). Spikes are looked for among the warm;
    `crowd` and `reference_crowd` are those of the branch and of the reference that were not the first of their moment.
    """

    __slots__ = ("cold", "crowd", "reference_crowd", "spikes", "warm")

    def __init__(self) -> None:
        self.warm, self.cold = Measured(), Measured()
        self.spikes = Tally(SPIKES_SHOWN)
        self.crowd = self.reference_crowd = 0

    def add(
        self,
        baseline: Exchange,
        branch: Exchange,
        control: Exchange | None,
        *,
        rules: Rules,
        pair: str,
        context: int,
        cold: bool = False,
        is_first: IsFirst = lambda _: True,
    ) -> bool:
        """Count a pair; tell whether it is the example of a spike. Pairs without clocks are left out on all sides."""
        before, after = baseline.latency_us, branch.latency_us
        if before is None or after is None:
            return False
        reference = control.latency_us if control is not None else None
        if cold:
            self.cold.add(before, after, reference)
            return False
        self.warm.add(before, after, reference)
        if reference is None:
            reference = before
        if not (_is_spike(after, reference, rules) or _is_spike(reference, after, rules)):
            return False
        started = baseline.started_us
        first = is_first(None if started is None else started + max(after, reference))
        return self._add_spike(after, reference, pair=pair, at=context, first=first)

    def add_timeout(
        self, baseline: Exchange, branch: Exchange, control: Exchange | None, *, cold: bool = False
    ) -> None:
        """Count a request whose branch did not answer in time: longer than everything that was measured.

        Where Envoy answered in its place, the time until then is what was waited.
        """
        control_us = control.latency_us if control is not None else None
        measured = self.cold if cold else self.warm
        measured.add_timeout(baseline.latency_us, control_us, waited=branch.latency_us)

    def everything(self) -> Measured:
        """Return what was measured, cold or warm."""
        made = Measured()
        made.merge(self.warm)
        made.merge(self.cold)
        return made

    def merge(self, other: "Latencies") -> None:
        """Add another one's counts."""
        self.warm.merge(other.warm)
        self.cold.merge(other.cold)
        self.spikes.merge(other.spikes)
        self.crowd += other.crowd
        self.reference_crowd += other.reference_crowd

    def pack(self) -> Packed:
        """Return all as plain values."""
        return [self.warm.pack(), self.cold.pack(), self.spikes.pack(), [self.crowd, self.reference_crowd]]

    @classmethod
    def unpack(cls, packed: Packed) -> "Latencies":
        """Return what `pack` gave."""
        warm, cold, spikes, crowds = items(packed, 4)
        made = cls()
        made.warm, made.cold, made.spikes = Measured.unpack(warm), Measured.unpack(cold), Tally.unpack(spikes)
        made.crowd, made.reference_crowd = map(count, items(crowds, 2))
        return made

    def _add_spike(self, after: int, reference: int, *, pair: str, at: int, first: bool) -> bool:
        """Count who of the two was slow alone; under equal behaviour it is either with the same chance."""
        if after < reference:
            self.spikes.add_control(at)
            self.reference_crowd += not first
            return False
        self.spikes.add_branch(at)
        self.crowd += not first
        if not self.spikes.wants(0):
            return False
        self.spikes.show(0, pair, (f"{reference / 1000:.1f} ms", f"{after / 1000:.1f} ms"))
        return True


def _ratio_bin(log_ratio: float) -> int:
    return max(-_RATIO_BINS, min(_RATIO_BINS, math.floor(log_ratio / RATIO_BIN + 0.5)))


def _is_spike(slow: int, fast: int, rules: Rules) -> bool:
    return slow - fast >= rules.spike_floor_us and slow >= rules.spike_ratio * fast
