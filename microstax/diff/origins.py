"""Whether what differs comes from who answers: a process id, an uptime, a counter of requests served.

Such a value sets every process apart from every other, always in the same direction, whatever version it runs. The
control shows it: its values are always above the baseline's, or always below. Then that the branch's are above the
control's is no news either, nor that they have more digits.
"""

import math
from typing import Final
from zlib import crc32

from microstax.diff.evidence import log_evidence, log_mean
from microstax.diff.wire import Packed, count, items

_OFFSET: Final = math.log(5)
"""Evidence that the control leans to one side. Less than any finding needs (1/alpha, 20 by default): an offset of both
processes must be seen as one before it can pass for drift. Control and baseline that do not lean reach it, at any one
time, with a chance of less than 1/5, and with thousands of sightings of less than 1%."""
_FEW: Final = 4
"""Different values of the control: one for each of its processes."""
_MOST_HASH: Final = 2**32


class Origins:
    """How often the control was `above` and `below` the baseline; some values of the control, as hashes."""

    __slots__ = ("above", "below", "values")

    def __init__(self) -> None:
        self.above = self.below = 0
        self.values: set[int] = set()

    def add(self, direction: int) -> None:
        """Count a triple in which the control's value is larger (1) or smaller (-1) than the baseline's."""
        self.above += direction > 0
        self.below += direction < 0

    @property
    def are_few(self) -> bool:
        """Tell whether the control has had hardly any different values; while it is so, `note` them."""
        return len(self.values) <= _FEW

    def note(self, value: bytes) -> None:
        """Note a value of the control."""
        self.values.add(crc32(value))

    @property
    def is_offset(self) -> bool:
        """Tell whether the control leans to one side of the baseline."""
        up, down = log_evidence(self.above, self.below), log_evidence(self.below, self.above)
        return log_mean(up, down) >= _OFFSET

    def merge(self, other: "Origins") -> None:
        """Add another one's counts."""
        self.above += other.above
        self.below += other.below
        self.values = set(sorted(self.values | other.values)[: _FEW + 1])

    def pack(self) -> Packed:
        """Return all as plain values."""
        return [self.above, self.below, sorted(self.values)]

    @classmethod
    def unpack(cls, packed: Packed) -> "Origins":
        """Return what `pack` gave."""
        above, below, values = items(packed, 3)
        made = cls()
        made.above, made.below = count(above), count(below)
        made.values = set(map(count, items(values)))
        if len(made.values) > _FEW + 1 or any(value >= _MOST_HASH for value in made.values):
            raise ValueError("expected a few 32-bit hashes")
        return made
