"""One service's results since the last delta, and the pairs that are worth sending. No I/O and no clock."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

from microstax.capture import Lost
from microstax.diff.aggregate import ServiceAggregate, Sides
from microstax.model.exchange import Exchange, Gap, NotCompared, Side, Triple
from microstax.model.record import StoredPair, encode_pair

MAX_EXAMPLES: Final = 200
"""Examples in one delta of one service; each discrepancy needs a single one."""
MAX_EXAMPLE_BYTES: Final = 8 * 1024 * 1024
"""Of one delta of one service, well below the management API's message limit."""
MAX_KEPT: Final = 500
"""Pairs kept whatever they show in one delta of one service; more come with the next."""
MAX_KEPT_BYTES: Final = 4 * 1024 * 1024
_ASKED: Final = "asked"


class Recheck(StrEnum):
    """What became of a mismatch that was to be asked again; all but those over the budget were asked."""

    VANISHED = "vanished"
    PERSISTED = "persisted"
    FAILED = "failed"
    OVER_BUDGET = "over_budget"


class Added(NamedTuple):
    """Whether a triple was a pair, and whether it was kept whatever it shows."""

    paired: bool
    kept: bool


@dataclass(slots=True)
class Results:
    """See the module.

    They belong to a `generation` of the shadow, which began at `since_us` (Unix microseconds on the Envoy's machine).
    """

    aggregate: ServiceAggregate
    generation: int = 0
    since_us: int = 0
    paired: int = 0
    not_compared: dict[str, int] = field(default_factory=dict)
    gaps: dict[str, int] = field(default_factory=dict)
    rechecks: dict[str, int] = field(default_factory=dict)
    examples: list[bytes] = field(default_factory=list)
    example_bytes: int = 0
    kept: list[bytes] = field(default_factory=list)
    kept_bytes: int = 0

    @property
    def has_news(self) -> bool:
        """Tell whether there is something to report."""
        return self.paired > 0 or bool(self.not_compared)

    def rest(self) -> "Results":
        """Return what the next delta begins with."""
        return Results(self.aggregate.fresh(), self.generation, self.since_us)

    def next(self, generation: int, since_us: int) -> "Results":
        """Return what another generation begins with: what was learned, and nothing that was told or is warm."""
        aggregate = self.aggregate.fresh()
        aggregate.forget_told()
        return Results(aggregate, generation, since_us)

    def add(self, triple: Triple, sides: Sides | None, *, at_ms: int, keep: bool) -> Added:
        """Count a triple; with `keep`, take the pair along whatever it shows, if the delta has room for it."""
        outcome = self.aggregate.add(triple, sides=sides)
        if outcome.paired:
            self.paired += 1
        else:
            self.count(outcome.not_compared or NotCompared.UNDECODABLE)
        kept = False
        if outcome.keep_as_example and len(self.examples) < MAX_EXAMPLES:
            self._show(encode_pair(StoredPair(triple=triple, captured_ms=at_ms)))
        elif keep and outcome.paired and len(self.kept) < MAX_KEPT:
            kept = self._keep(encode_pair(StoredPair(triple=triple, captured_ms=at_ms)))
        return Added(outcome.paired, kept)

    def lose(self, lost: Lost) -> None:
        """Count a request of which a side is missing."""
        self.count(lost.reason)
        if lost.reason is NotCompared.CAPTURE_GAP:
            _count(self.gaps, lost.gap or Gap.UNSEEN)
        if lost.reason is NotCompared.BRANCH_TIMEOUT and lost.baseline is not None:
            # The branch answered in part, and its time was over: to the latencies that is a timeout like others.
            self.aggregate.add(_unanswered(lost, lost.baseline))

    def count(self, reason: NotCompared) -> None:
        """Count a request that is no pair."""
        _count(self.not_compared, reason)

    def note_recheck(self, recheck: Recheck) -> None:
        """Count what became of a mismatch that was to be asked again."""
        _count(self.rechecks, recheck)
        if recheck is not Recheck.OVER_BUDGET:
            _count(self.rechecks, _ASKED)

    def _show(self, record: bytes) -> None:
        if self.example_bytes + len(record) <= MAX_EXAMPLE_BYTES:
            self.examples.append(record)
            self.example_bytes += len(record)

    def _keep(self, record: bytes) -> bool:
        fits = self.kept_bytes + len(record) <= MAX_KEPT_BYTES
        if fits:
            self.kept.append(record)
            self.kept_bytes += len(record)
        return fits


def _unanswered(lost: Lost, baseline: Exchange) -> Triple:
    branch = replace(baseline, side=Side.BRANCH, overlay=lost.overlay, response=None, latency_us=None)
    return Triple(id=baseline.id, service=lost.service, overlay=lost.overlay, baseline=baseline, branch=branch)


def _count(counts: dict[str, int], name: str) -> None:
    counts[str(name)] = counts.get(name, 0) + 1
