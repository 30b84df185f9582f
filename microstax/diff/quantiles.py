"""Distributions in bounded memory that merge: histograms with bins of a fixed relative width.

`Histogram` counts in integer bins. Over logarithmic bins it is a DDSketch (Masson, Rim and Lee 2019, arXiv
1908.10693): with gamma = (1 + a) / (1 - a) and the bin of x being ceil(log_gamma x), every quantile is within the
relative accuracy a of a value that was seen. Counts of bins add up, so merging is exact, associative and commutative.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from microstax.diff.confidence import rank_bounds
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
        self.add_log(log_us(duration_us))

    def add_log(self, log_duration: float) -> None:
        """Count one duration, given as its logarithm (see log_us)."""
        bin_ = math.ceil(log_duration / _LOG_GAMMA)
        self.histogram.add(min(bin_, _MAX_BIN))

    def merge(self, other: "Durations") -> None:
        """Add another one's counts."""
        self.histogram.merge(other.histogram)

    def pack(self) -> Packed:
        """Return the counts as plain values."""
        return self.histogram.pack()

    @classmethod
    def unpack(cls, packed: Packed) -> "Durations":
        """Return what `pack` gave."""
        return cls(Histogram.unpack(packed, lowest=0, highest=_MAX_BIN))


class Ranked:
    """A histogram in ascending order, to ask for quantiles; they are returned as bins.

    `beyond` values more are known to be larger than all of it (censored), and up to `doubtful` more may be; they are
    not below the bin `at_least`, where that is known. The largest `crowd` of it are no evidence of a large quantile:
    the lower ends of intervals are those without them.
    """

    __slots__ = ("_bins", "_crowd", "_doubtful", "_least_beyond", "_upto", "total")

    def __init__(
        self, histogram: Histogram, *, beyond: int = 0, doubtful: int = 0, at_least: int | None = None, crowd: int = 0
    ) -> None:
        self._bins = sorted(histogram.bins)
        self._upto = list(accumulate(histogram.bins[bin_] for bin_ in self._bins))
        self._doubtful = doubtful
        self._crowd = crowd
        self._least_beyond = max([*self._bins[-1:], *(() if at_least is None else (at_least,))], default=None)
        self.total = histogram.total + beyond

    def quantile(self, share: float) -> int | None:
        """Return the bin of a quantile; None where it lies beyond all that was measured, or nothing was."""
        return self._at(int(share * (self.total - 1)))

    def interval(self, share: float, alpha: float) -> tuple[int, int | None] | None:
        """Return the bins of the ends of a quantile's interval, which holds at all times with confidence 1 - `alpha`.

        Where the lower end lies beyond all that was measured, it is the least bin that can be; an upper end is None.
        There is no interval where there are too few values.
        """
        least, most = rank_bounds(self.total, share, alpha), rank_bounds(self.total + self._doubtful, share, alpha)
        if least is None or most is None:
            return None
        if self._crowd:
            least = rank_bounds(max(self.total - self._crowd, 0), share, alpha) or (0, 0)
        low = self._at(least[0])
        low = self._least_beyond if low is None else low
        return None if low is None else (low, self._at(most[1]))

    def _at(self, rank: int) -> int | None:
        """Return the bin of the value that has a 0-based rank, None if there is none."""
        at = bisect_right(self._upto, rank)
        return self._bins[at] if at < len(self._bins) else None


def log_us(duration_us: int) -> float:
    """Return the natural logarithm of a duration in microseconds; less than 1 us, which no clock tells, counts as 1."""
    return math.log(duration_us) if duration_us > 1 else 0.0


def duration_bin(duration_us: int) -> int:
    """Return the bin of a duration in microseconds."""
    return min(math.ceil(log_us(duration_us) / _LOG_GAMMA), _MAX_BIN)


def middle_ms(bin_: int) -> float:
    """Return the duration in milliseconds that is within ACCURACY of all durations of a bin."""
    return float(2 * _GAMMA**bin_ / (_GAMMA + 1)) / 1000


def upper_ms(bin_: int) -> float:
    """Return the upper edge of a bin of durations in milliseconds; the lower one is that of the bin before."""
    return float(_GAMMA**bin_) / 1000


def coarse(histograms: Sequence[Histogram], most: int) -> tuple[list[int], list[list[int]]]:
    """Return at most `most` edges, as bins after which they lie, and the counts of each histogram between them.

    Edges have the same distance and reach over all histograms, so every count falls into one coarser bin, exactly.
    Both are empty where nothing was counted.
    """
    used = [bin_ for histogram in histograms for bin_ in histogram.bins]
    if not used:
        return [], [[] for _ in histograms]
    first, last = min(used), max(used)
    width = -(-(last - first + 1) // (most - 1))
    edges = list(range(first - 1, last + width, width))
    counts = [[0] * (len(edges) - 1) for _ in histograms]
    for histogram, numbers in zip(histograms, counts, strict=True):
        for bin_, number in histogram.bins.items():
            numbers[(bin_ - first) // width] += number
    return edges, counts
