"""When the copies were made of which something was told: by the readings of Envoy's counters. No I/O and no clock.

A reading says how many copies were made up to then. So those that were made between two readings and of which nothing
was ever told can be counted as soon as they are old enough, also while traffic goes on (microstax.control.overdue).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

LONG_AGO: Final = 0
"""Stands for a reading that is not remembered any more, or for a copy of which nobody knows when it was made."""
_READINGS: Final = 128
_GRAIN_MS: Final = 10
_MOST_YOUNG: Final = 10_000

Group = tuple[str, str, int]
"""(overlay, service, generation)"""


@dataclass(slots=True)
class Ages:
    """Counts one Envoy's copies by the first reading after they were made; times in Unix milliseconds."""

    _readings: list[int] = field(default_factory=list)
    _told: dict[Group, Counter[int]] = field(default_factory=dict)
    _young: dict[Group, Counter[int]] = field(default_factory=dict)

    def note(self, group: Group, started_us: int | None) -> None:
        """Count a copy that was made at `started_us` (Unix microseconds; None: nobody knows)."""
        if started_us is None:
            self._tell(group, LONG_AGO, 1)
            return
        at_ms = started_us // 1000
        if not self._readings or at_ms > self._readings[-1]:
            young = self._young.setdefault(group, Counter())
            young[at_ms // _GRAIN_MS * _GRAIN_MS] += 1
            if len(young) > _MOST_YOUNG:  # no reading for minutes
                self._tell(group, LONG_AGO, self._young.pop(group).total())
        else:
            is_old = at_ms <= self._readings[0] and len(self._readings) >= _READINGS
            self._tell(group, LONG_AGO if is_old else self._readings[bisect_left(self._readings, at_ms)], 1)

    def read(self, at_ms: int) -> None:
        """Note that the counters were read; a clock that went back is waited for."""
        if self._readings and at_ms <= self._readings[-1]:
            return
        self._readings = [*self._readings[1 - _READINGS :], at_ms]
        for group, young in self._young.items():
            made = [at for at in young if at <= at_ms]
            if made:
                self._tell(group, at_ms, sum(young.pop(at) for at in made))

    def cut(self) -> Iterator[tuple[Group, dict[int, int]]]:
        """Yield what was counted since the last cut, by reading, sorted by group; what no reading covers yet stays."""
        told, self._told = self._told, {}
        yield from ((group, dict(counts)) for group, counts in sorted(told.items()))

    def _tell(self, group: Group, reading_ms: int, count: int) -> None:
        self._told.setdefault(group, Counter())[reading_ms] += count
