"""How much one poll of a tap may bring. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

_ENVOY_BYTES: Final = 64 * 1024 * 1024
"""What one poll may make an Envoy hold."""
_ANSWER_BYTES: Final = 512 * 1024
"""What an answer should have: above 1 MiB, Envoy does not look at the next poll before we have read most of it."""
_FEWEST_TRACES: Final = 16
"""Of large traces; opening a poll is work for Envoy's main thread."""
_HEADER_BYTES: Final = 4 * 1024
_REMEMBERED: Final = 8
"""Polls. A service that answers large and small by turns is taken for a large one."""


def traces_per_poll(*, max_body: int, mean_bytes: float | None) -> int:
    """Return how many traces one poll may wait for.

    `mean_bytes` is the mean size of the traces of late, None before the first; `max_body` what the tap keeps of a body,
    and a trace has two: the request's and the answer's. Were all traces suddenly as large as they can be, an Envoy
    would still hold no more than 64 MiB of them.
    """
    largest = 2 * (max_body + _HEADER_BYTES)
    wanted = _ANSWER_BYTES / max(mean_bytes or _HEADER_BYTES, 1.0)
    return int(max(1, min(max(wanted, _FEWEST_TRACES), _ENVOY_BYTES / largest)))


@dataclass(slots=True)
class TraceSizes:
    """Follows how large traces are: the largest mean of the last few polls, so that growth shows with the next poll."""

    _traces: int = 0
    _bytes: int = 0
    _means: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def note(self, *, traces: int, size: int) -> float | None:
        """Take in how many traces of how many bytes were read in all so far; return the mean to reckon with."""
        if traces > self._traces:
            self._means.append((size - self._bytes) / (traces - self._traces))
            self._traces, self._bytes = traces, size
        return max(self._means, default=None)
