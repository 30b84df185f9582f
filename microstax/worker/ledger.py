"""What a worker found and has not reported yet. No I/O and no clock.

Grows with what there is to tell (services, endpoints, discrepancies), not with traffic: however long the control
plane is away, results keep merging into the next delta.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from microstax.capture import Command, Lost, Paired
from microstax.diff.aggregate import ServiceAggregate
from microstax.generated.management.microstax.management.v1 import (
    Delta,
    NodeCounters,
    ServiceDelta,
    Watched,
)
from microstax.model.exchange import NotCompared, Triple
from microstax.model.record import StoredPair, encode_pair

MAX_EXAMPLES: Final = 200
"""Examples in one delta of one service; each discrepancy needs a single one."""
MAX_EXAMPLE_BYTES: Final = 8 * 1024 * 1024
"""Of one delta of one service, well below the management API's message limit."""
MAX_KEPT: Final = 500
"""Pairs kept whatever they show in one delta of one service; more come with the next."""
MAX_KEPT_BYTES: Final = 4 * 1024 * 1024

Place = tuple[str, str]
"""(overlay, service)"""
Generations = Mapping[str, Mapping[str, int]]
"""By node: the generations of its shadows, by overlay."""


@dataclass(slots=True)
class _Results:
    """One service's results since the last delta.

    They belong to a `generation` of the shadow, which began at `since_us` (Unix microseconds on the Envoy's machine).
    """

    aggregate: ServiceAggregate
    generation: int = 0
    since_us: int = 0
    paired: int = 0
    not_compared: dict[str, int] = field(default_factory=dict)
    examples: list[bytes] = field(default_factory=list)
    example_bytes: int = 0
    kept: list[bytes] = field(default_factory=list)
    kept_bytes: int = 0

    @property
    def has_news(self) -> bool:
        return self.paired > 0 or bool(self.not_compared)

    def rest(self) -> "_Results":
        """Return what the next delta begins with."""
        return _Results(self.aggregate.fresh(), self.generation, self.since_us)

    def next(self, generation: int, since_us: int) -> "_Results":
        """Return what another generation begins with: what was learned, and none of the examples that it had."""
        aggregate = self.aggregate.fresh()
        aggregate.forget_told()
        return _Results(aggregate, generation, since_us)


@dataclass(slots=True)
class Ledger:
    """Collects results and cuts them into deltas."""

    worker_id: str
    pairs: int = 0
    _sequence: int = 0
    _results: dict[Place, _Results] = field(default_factory=dict)
    _older: dict[Place, _Results] = field(default_factory=dict)
    _counters: dict[str, NodeCounters] = field(default_factory=dict)
    _pending: dict[Place, int] = field(default_factory=dict)
    _to_keep: dict[Place, int] = field(default_factory=dict)
    _watched: Generations = field(default_factory=dict)

    def seed(self, overlay: str, service: str, learned: bytes) -> None:
        """Begin with what earlier workers learned; what this worker learned already stays. Raises StorageError."""
        if learned and (overlay, service) not in self._results:
            self._results[overlay, service] = _Results(ServiceAggregate.from_bytes(learned).fresh())

    def begin(self, overlay: str, service: str, generation: int, *, now_us: int) -> None:
        """Count towards `generation` from now on; what was mirrored before `now_us` belongs to the one before."""
        before = self._at(overlay, service)
        if before.generation != generation:
            known = before.generation != 0
            self._results[overlay, service] = before.next(generation, now_us if known else 0)
            self._older[overlay, service] = before

    def keep(self, overlay: str, service: str, pairs: int) -> None:
        """Send the next `pairs` pairs as they are, whatever they show, beside those that findings show."""
        self._to_keep[overlay, service] = pairs

    def forget(self, keep: Iterable[Place]) -> None:
        """Drop what was learned of services that are no longer shadowed and have nothing left to report."""
        kept = set(keep)
        self._to_keep = {place: pairs for place, pairs in self._to_keep.items() if place in kept}
        self._results, self._older = (
            {place: results for place, results in held.items() if place in kept or results.has_news}
            for held in (self._results, self._older)
        )

    def take(self, command: Command, *, at_ms: int) -> None:
        """Compare what was paired, or count what was lost; `at_ms` is now, in Unix milliseconds."""
        match command:
            case Paired(triple):
                self._compare(triple, at_ms)
            case Lost(service, overlay, reason):
                _count(self._at(overlay, service), reason)

    def give_up(self, command: Command) -> None:
        """Count what `take` failed on, so that the sums still hold."""
        if isinstance(command, Paired):
            _count(self._at(command.triple.overlay, command.triple.service), NotCompared.UNDECODABLE)

    def count(self, node_id: str, *, epoch: str, counters: Mapping[str, int], at_ms: int = 0) -> None:
        """Keep the newest reading of an Envoy's counters, made at `at_ms`, for the next delta."""
        self._counters[node_id] = NodeCounters(node_id=node_id, epoch=epoch, counters=dict(counters), at_ms=at_ms)

    def cut(
        self,
        *,
        at_ms: int,
        lag_ms: int,
        pending: Mapping[Place, int],
        watched: Generations | None = None,
        force: bool = False,
    ) -> Delta | None:
        """Return what there is to report, and begin anew; None where there is no news (unless `force`).

        `pending` are the pairs that wait for their other half now, by (overlay, service); `watched` the Envoys whose
        taps are attached now, with the generations that are expected there.
        """
        told = [place for place in self._results if self._results[place].has_news]
        late = [place for place in self._older if self._older[place].has_news]
        changed = [place for place in {**pending, **self._pending} if pending.get(place) != self._pending.get(place)]
        if not (told or late or changed or self._counters or force or self.is_news(watched or {})):
            return None
        self._sequence += 1
        delta = Delta(
            worker_id=self.worker_id,
            sequence=self._sequence,
            at_ms=at_ms,
            services=[
                *(self._service(self._older, place, 0) for place in sorted(late)),
                *(self._service(self._results, place, pending.get(place, 0)) for place in sorted({*told, *changed})),
            ],
            counters=list(self._counters.values()),
            lag_ms=lag_ms,
            watched=[Watched(node_id=node, generations=dict(these)) for node, these in sorted((watched or {}).items())],
        )
        self._counters = {}
        self._pending = dict(pending)
        self._watched = dict(watched or {})
        return delta

    def is_news(self, watched: Generations) -> bool:
        """Tell whether other taps are attached, or for others, than the last delta said."""
        return watched != self._watched

    def _at(self, overlay: str, service: str) -> _Results:
        results = self._results.get((overlay, service))
        if results is None:
            results = self._results[overlay, service] = _Results(ServiceAggregate.empty())
        return results

    def _of(self, triple: Triple) -> _Results:
        """Return the results of the generation in which a request was mirrored."""
        results, started_us = self._at(triple.overlay, triple.service), triple.baseline.started_us
        if started_us is not None and started_us < results.since_us:
            return self._older.get((triple.overlay, triple.service), results)
        return results

    def _compare(self, triple: Triple, at_ms: int) -> None:
        results = self._of(triple)
        outcome = results.aggregate.add(triple)
        if outcome.paired:
            results.paired += 1
            self.pairs += 1
        else:
            _count(results, outcome.not_compared or NotCompared.UNDECODABLE)
        if outcome.keep_as_example and len(results.examples) < MAX_EXAMPLES:
            record = encode_pair(StoredPair(triple=triple, captured_ms=at_ms))
            if results.example_bytes + len(record) <= MAX_EXAMPLE_BYTES:
                results.examples.append(record)
                results.example_bytes += len(record)
        elif outcome.paired and self._to_keep and len(results.kept) < MAX_KEPT:
            self._keep(results, triple, at_ms)

    def _keep(self, results: _Results, triple: Triple, at_ms: int) -> None:
        """Take a pair along whatever it shows, if more are wanted of this generation and the delta has room."""
        place = (triple.overlay, triple.service)
        if not self._to_keep.get(place) or results is not self._results.get(place):
            return
        record = encode_pair(StoredPair(triple=triple, captured_ms=at_ms))
        if results.kept_bytes + len(record) <= MAX_KEPT_BYTES:
            results.kept.append(record)
            results.kept_bytes += len(record)
            self._to_keep[place] -= 1

    def _service(self, held: dict[Place, _Results], place: Place, pending: int) -> ServiceDelta:
        overlay, service = place
        results = held.get(place)
        if results is None or not results.has_news:
            generation = results.generation if results else 0
            return ServiceDelta(overlay=overlay, service=service, generation=generation, pending=pending)
        held[place] = results.rest()
        return ServiceDelta(
            overlay=overlay,
            service=service,
            generation=results.generation,
            aggregate=results.aggregate.to_bytes(),
            not_compared=results.not_compared,
            paired=results.paired,
            pending=pending,
            examples=results.examples,
            kept=results.kept,
        )


def _count(results: _Results, reason: NotCompared) -> None:
    results.not_compared[reason] = results.not_compared.get(reason, 0) + 1
