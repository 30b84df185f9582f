"""Latencies of the two sides of a pair: distributions, the ratio within pairs, and spikes.

The reference is the control where one answered (it takes the same way through Envoy as the branch, so what the copy
costs cancels), else the baseline.
"""

import math
from typing import Final

from microstax.diff.quantiles import Durations, Histogram
from microstax.diff.rules import Rules
from microstax.diff.tally import Tally
from microstax.diff.wire import Packed, count, items
from microstax.model.exchange import Exchange, Side

RATIO_BIN: Final = 0.01
"""Width of a bin of ln(branch / reference): one percent."""
SPIKES_SHOWN: Final = 3
"""Examples of spikes."""
_RATIO_BINS: Final = 1_000
"""Ratios beyond e^10 (22,026) are in the outermost bins; a timeout is in the last."""


class Latencies:
    """What is known about the latencies of one endpoint. `timeouts` are pairs that the branch never finished."""

    __slots__ = ("controlled", "ratios", "sides", "spikes", "timeouts")

    def __init__(self) -> None:
        self.sides = {side: Durations() for side in Side}
        self.ratios = Histogram()
        self.spikes = Tally(SPIKES_SHOWN)
        self.timeouts = 0
        self.controlled = 0

    def add(
        self, baseline: Exchange, branch: Exchange, control: Exchange | None, *, rules: Rules, pair: str, context: int
    ) -> bool:
        """Count a pair; tell whether it is the example of a spike. Pairs without clocks are left out on all sides."""
        before, after = baseline.latency_us, branch.latency_us
        if before is None or after is None:
            return False
        self.sides[Side.BASELINE].add(before)
        self.sides[Side.BRANCH].add(after)
        reference = control.latency_us if control is not None else None
        if reference is not None:
            self.sides[Side.CONTROL].add(reference)
            self.controlled += 1
        else:
            reference = before
        self.ratios.add(_ratio_bin(after, reference))
        return self._add_spike(after, reference, rules=rules, pair=pair, context=context)

    def add_timeout(self) -> None:
        """Count a pair whose branch did not answer in time: longer than everything that was measured, never dropped."""
        self.timeouts += 1
        self.ratios.add(_RATIO_BINS)

    def merge(self, other: "Latencies") -> None:
        """Add another one's counts."""
        for side, durations in other.sides.items():
            self.sides[side].merge(durations)
        self.ratios.merge(other.ratios)
        self.spikes.merge(other.spikes)
        self.timeouts += other.timeouts
        self.controlled += other.controlled

    def pack(self) -> Packed:
        """Return all as plain values."""
        sides = [self.sides[side].pack() for side in Side]
        return [sides, self.ratios.pack(), self.spikes.pack(), self.timeouts, self.controlled]

    @classmethod
    def unpack(cls, packed: Packed) -> "Latencies":
        """Return what `pack` gave."""
        sides, ratios, spikes, timeouts, controlled = items(packed, 5)
        made = cls()
        made.sides = {side: Durations.unpack(one) for side, one in zip(Side, items(sides, len(Side)), strict=True)}
        made.ratios = Histogram.unpack(ratios, lowest=-_RATIO_BINS, highest=_RATIO_BINS)
        made.spikes = Tally.unpack(spikes)
        made.timeouts, made.controlled = count(timeouts), count(controlled)
        return made

    def _add_spike(self, after: int, reference: int, *, rules: Rules, pair: str, context: int) -> bool:
        """Count who of the two was slow alone; under equal behaviour it is either with the same chance."""
        if _is_spike(after, reference, rules):
            self.spikes.add_branch(context)
            if self.spikes.wants(0):
                self.spikes.show(0, pair, (f"{reference / 1000:.1f} ms", f"{after / 1000:.1f} ms"))
                return True
        elif _is_spike(reference, after, rules):
            self.spikes.add_control(context)
        return False


def _ratio_bin(after: int, reference: int) -> int:
    ratio = math.log(max(after, 1) / max(reference, 1))
    return max(-_RATIO_BINS, min(_RATIO_BINS, round(ratio / RATIO_BIN)))


def _is_spike(slow: int, fast: int, rules: Rules) -> bool:
    return slow >= rules.spike_ratio * fast and slow - fast >= rules.spike_floor_us
