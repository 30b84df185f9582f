"""Does memory grow? A rate that noise, steps and restarts do not fool."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median
from typing import Final

WARM_S: Final = 60.0
"""The first minute of a process is left out: it loads, fills its caches and its allocator's pools."""
WINDOW_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The resident bytes of the process `pid`, `at_s` after the measurement began."""

    at_s: float
    pid: int
    rss: int


def growth_per_s(readings: Iterable[Reading], *, warm_s: float = WARM_S) -> float | None:
    """Return the bytes a second by which memory grows as a rule; None where no process lived long enough to tell.

    It is the smaller of two medians, each over all lives. Of neighbouring windows: what a burst of traffic takes, an
    allocator keeps, and such a step is growth in few windows and none in most, while a leak grows in every one. Of all
    pairs of windows (Theil and Sen): what goes up and down by itself has no slope over longer times. A window's level
    is its median reading; a process that was started anew begins anew, with its own warm-up.
    """
    lives: dict[int, list[Reading]] = {}
    for reading in readings:
        lives.setdefault(reading.pid, []).append(reading)
    levels = [_levels(life, warm_s) for life in lives.values()]
    steps = [_rate(first, second) for life in levels for first, second in pairwise(life)]
    slopes = [_rate(first, second) for life in levels for first, second in combinations(life, 2)]
    return min(median(steps), median(slopes), key=abs) if steps else None


def longest_s(readings: Iterable[Reading], *, warm_s: float = WARM_S) -> float:
    """Return how long the longest life was seen after its warm-up: beyond that, no rate says anything."""
    first: dict[int, float] = {}
    longest = 0.0
    for reading in readings:
        longest = max(longest, reading.at_s - first.setdefault(reading.pid, reading.at_s) - warm_s)
    return longest


def _levels(life: Sequence[Reading], warm_s: float) -> list[tuple[int, float]]:
    """Return the windows of a life by number, each with its level in bytes."""
    windows: dict[int, list[Reading]] = {}
    for reading in life:
        age_s = reading.at_s - life[0].at_s - warm_s
        if age_s >= 0:
            windows.setdefault(int(age_s // WINDOW_S), []).append(reading)
    return [(number, median(one.rss for one in found)) for number, found in sorted(windows.items())]


def _rate(first: tuple[int, float], second: tuple[int, float]) -> float:
    return (second[1] - first[1]) / ((second[0] - first[0]) * WINDOW_S)
