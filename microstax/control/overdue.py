"""How many copies are overdue: made so long ago that something should have been told of them by now. Pure.

Copies are counted by Envoy, what became of them is told by workers. A reading of an Envoy's counters ends a span: so
many copies were made since the reading before, and workers say of how many that were made in it something is told
(NodeCounters.at_ms names the reading). Once a span is old enough, what is missing in it is overdue. So copies that
vanish are found while traffic goes on: the requests of now do not hide those of then.
"""

from bisect import bisect_left
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Span:
    """What was made up to a reading, at `until_ms` by the worker's clock; we know of it since `known_ms` by our own."""

    until_ms: int
    known_ms: int
    missing: int = 0


@dataclass(slots=True)
class Overdue:
    """Of one service of one shadow, on all its Envoys. Times in Unix milliseconds.

    Both kinds of news may come late and in any order. The sum over all spans, closed or not, is always what was made
    less what was told.
    """

    _spans: dict[str, list[_Span]] = field(default_factory=dict)
    _closed_ms: dict[str, int] = field(default_factory=dict)
    _begun_ms: int = 0
    _overdue: int = 0

    def begin(self, copies: int, *, at_ms: int, now_ms: int) -> None:
        """Begin with copies of which nothing was told when the last delta came: at `at_ms` by the worker's clock."""
        self._begun_ms = at_ms
        if copies:
            self._spans[""] = [_Span(at_ms, now_ms, copies)]

    def made(self, node: str, copies: int, *, reading_ms: int, now_ms: int) -> None:
        """Take in that `copies` more were made up to a reading."""
        self._add(node, reading_ms, now_ms, copies)

    def told(self, node: str, copies: int, *, reading_ms: int, now_ms: int) -> None:
        """Take in that something was told of `copies` that were made up to a reading, and not before the one before."""
        self._add(node, reading_ms, now_ms, -copies)

    def count(self, now_ms: int, *, patience_ms: int) -> int:
        """Return how many are overdue; below 0 where more was told of than was made. `now_ms` never goes back much."""
        for node, spans in self._spans.items():
            while spans and spans[0].known_ms <= now_ms - patience_ms:
                over = spans.pop(0)
                self._overdue += over.missing
                self._closed_ms[node] = max(over.until_ms, self._closed_ms.get(node, 0))
        return self._overdue

    def _add(self, node: str, reading_ms: int, now_ms: int, copies: int) -> None:
        if reading_ms <= self._closed_ms.get(node, self._begun_ms):
            self._overdue += copies
            return
        spans = self._spans.setdefault(node, [])
        at = bisect_left(spans, reading_ms, key=lambda span: span.until_ms)
        if at == len(spans):
            spans.append(_Span(reading_ms, now_ms))
        spans[at].missing += copies
