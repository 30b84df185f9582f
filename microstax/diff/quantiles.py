"""Distributions in bounded memory that merge: histograms with bins of a fixed relative width.

`Histogram` counts in integer bins. Over logarithmic bins it is a DDSketch (Masson, Rim and Lee 2019, arXiv
1908.10693): with gamma = (1 + a) / (1 - a) and the bin of x being ceil(log_gamma x), every quantile is within the
relative accuracy a of a value that was seen. Counts of bins add up, so merging is exact, associative and commutative.
"""

import math
from typing import Final

from microstax.diff.wire import Packed, count, mapping

ACCURACY: Final = 0.01
_GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA: Final = math.log(_GAMMA)
_MAX_BIN: Final = math.ceil(math.log(1e10) / _LOG_GAMMA)
"""1e10 microseconds are nearly three hours: no more than 1,152 bins can exist."""


class Histogram:
    """Counts in integer bins, in at most as many bins as the caller's values can fall into."""

    __slots__ = ("bins", "total")

    def __init__(self) -> None:
        self.bins: dict[int, int] = {}
        self.total = 0

    def add(self, bin_: int) -> None:
        """Count one value."""
        self.bins[bin_] = self.bins.get(bin_, 0) + 1
        self.total += 1

    def merge(self, other: "Histogram") -> None:
        """Add another one's counts."""
        for bin_, number in other.bins.items():
            self.bins[bin_] = self.bins.get(bin_, 0) + number
        self.total += other.total

    def at_rank(self, rank: int) -> int:
        """Return the bin of the value that has the 0-based `rank` among all, in ascending order; needs a value."""
        rank = min(max(rank, 0), self.total - 1)
        seen = 0
        for bin_ in sorted(self.bins):
            seen += self.bins[bin_]
            if seen > rank:
                return bin_
        raise ValueError("an empty histogram has no ranks")

    def pack(self) -> Packed:
        """Return the counts as plain values."""
        return {str(bin_): number for bin_, number in sorted(self.bins.items())}

    @classmethod
    def unpack(cls, packed: Packed, *, lowest: int, highest: int) -> "Histogram":
        """Return what `pack` gave; bins outside of the limits are refused."""
        made = cls()
        for name, number in mapping(packed).items():
            bin_ = int(name)
            if not lowest <= bin_ <= highest:
                raise ValueError("a histogram's bin is out of range")
            made.bins[bin_] = made.bins.get(bin_, 0) + count(number)
        made.total = sum(made.bins.values())
        return made


class Durations:
    """A DDSketch of durations in microseconds, 1 us and longer."""

    __slots__ = ("histogram",)

    def __init__(self, histogram: Histogram | None = None) -> None:
        self.histogram = histogram if histogram is not None else Histogram()

    def add(self, duration_us: int) -> None:
        """Count one duration."""
        bin_ = math.ceil(math.log(duration_us) / _LOG_GAMMA) if duration_us > 1 else 0
        self.histogram.add(min(bin_, _MAX_BIN))

    def merge(self, other: "Durations") -> None:
        """Add another one's counts."""
        self.histogram.merge(other.histogram)

    def at_rank(self, rank: int) -> float:
        """Return the duration of a 0-based rank, within ACCURACY; needs a value."""
        return float(2 * _GAMMA ** self.histogram.at_rank(rank) / (_GAMMA + 1))

    def quantile_ms(self, share: float) -> float | None:
        """Return a quantile in milliseconds, None where nothing was counted."""
        if not self.histogram.total:
            return None
        return self.at_rank(int(share * (self.histogram.total - 1))) / 1000

    def pack(self) -> Packed:
        """Return the counts as plain values."""
        return self.histogram.pack()

    @classmethod
    def unpack(cls, packed: Packed) -> "Durations":
        """Return what `pack` gave."""
        return cls(Histogram.unpack(packed, lowest=0, highest=_MAX_BIN))


def rank_interval(total: int, share: float, z: float) -> tuple[int, int]:
    """Return the 0-based ranks between which the quantile `share` lies, with the confidence that `z` stands for.

    The number of values below a quantile is Binomial(total, share); this is its normal approximation, good from about
    total * share * (1 - share) = 5 (Conover 1999, Practical Nonparametric Statistics, 3.2; for the median: the sign
    test's interval). A fixed-sample interval: it makes no promise for somebody who looks again and again until it fits.
    """
    spread = z * math.sqrt(total * share * (1 - share))
    middle = share * total
    return max(0, math.floor(middle - spread) - 1), min(total - 1, math.ceil(middle + spread))
