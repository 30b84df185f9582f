"""Does memory grow? A slope that noise, steps and restarts do not fool."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

WARM_S: Final = 60.0
"""The first minute of a process is left out: it loads, fills its caches and its allocator's pools."""
SHORTEST_S: Final = 20.0
"""Two readings that are closer than this say more about the moment than about a trend."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The resident bytes of the process `pid`, `at_s` after the measurement began."""

    at_s: float
    pid: int
    rss: int


def growth_per_s(readings: Iterable[Reading], *, warm_s: float = WARM_S) -> float | None:
    """Return the bytes a second by which memory grows: the median of all pairs' slopes (Theil-Sen), 0 for a step.

    Pairs are readings of one process: one that was started anew begins anew, with its own warm-up. None where no
    process lived long enough to tell.
    """
    lives: dict[int, list[Reading]] = {}
    for reading in readings:
        lives.setdefault(reading.pid, []).append(reading)
    slopes = [slope for life in lives.values() for slope in _slopes(life, warm_s)]
    return median(slopes) if slopes else None


def _slopes(life: Sequence[Reading], warm_s: float) -> Iterable[float]:
    warm = [one for one in life if one.at_s >= life[0].at_s + warm_s]
    for nth, first in enumerate(warm):
        for second in warm[nth + 1 :]:
            if second.at_s - first.at_s >= SHORTEST_S:
                yield (second.rss - first.rss) / (second.at_s - first.at_s)
