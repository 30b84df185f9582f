"""What a worker found and has not reported yet. No I/O and no clock.

Grows with what there is to tell (services, endpoints, discrepancies), not with traffic: however long the control
plane is away, results keep merging into the next delta.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from microstax.capture import Command, Lost, Paired
from microstax.diff.aggregate import ServiceAggregate, Sides
from microstax.generated.management.microstax.management.v1 import (
    Accounted,
    Delta,
    NodeCounters,
    ServiceDelta,
    Watched,
)
from microstax.model.exchange import NotCompared, Triple
from microstax.worker.ages import Ages
from microstax.worker.results import Recheck, Results
from microstax.worker.sites import Place

Generations = Mapping[str, Mapping[str, int]]
"""By node: the generations of its shadows, by overlay."""


@dataclass(slots=True)
class Ledger:
    """Collects results and cuts them into deltas."""

    worker_id: str
    pairs: int = 0
    _sequence: int = 0
    _results: dict[Place, Results] = field(default_factory=dict)
    _older: dict[Place, Results] = field(default_factory=dict)
    _counters: dict[str, NodeCounters] = field(default_factory=dict)
    _ages: dict[str, Ages] = field(default_factory=dict)
    _pending: dict[Place, int] = field(default_factory=dict)
    _to_keep: dict[Place, int] = field(default_factory=dict)
    _watched: Generations = field(default_factory=dict)

    def seed(self, overlay: str, service: str, learned: bytes) -> None:
        """Begin with what earlier workers learned; what this worker learned already stays. Raises StorageError."""
        if learned and (overlay, service) not in self._results:
            self._results[overlay, service] = Results(ServiceAggregate.from_bytes(learned).fresh())

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

    def take(self, command: Command, *, at_ms: int, node_id: str = "") -> None:
        """Compare what was paired, or count what was lost, of an Envoy; `at_ms` is now, in Unix milliseconds."""
        match command:
            case Paired(triple):
                self.add(triple, None, at_ms=at_ms, node_id=node_id)
            case Lost():
                self._lose(command, node_id)

    def differences(self, triple: Triple) -> Sides | None:
        """Compare and count nothing; None where the triple is not a pair as a whole."""
        return self._of(triple.overlay, triple.service, triple.baseline.started_us).aggregate.differences(triple)

    def add(
        self, triple: Triple, sides: Sides | None, *, at_ms: int, recheck: Recheck | None = None, node_id: str = ""
    ) -> None:
        """Count a triple, with the differences `sides` where they are known already.

        `recheck` is what became of it if it was to be asked again.
        """
        place = (triple.overlay, triple.service)
        results = self._of(*place, triple.baseline.started_us)
        keep = self._to_keep.get(place, 0) if results is self._results[place] and recheck is not Recheck.VANISHED else 0
        added = results.add(triple, sides, at_ms=at_ms, keep=keep > 0)
        self.pairs += added.paired
        if added.kept:
            self._to_keep[place] -= 1
        if recheck is not None:
            results.note_recheck(recheck)
        self._age(node_id, place, results.generation, triple.baseline.started_us)

    def give_up(self, command: Command, *, node_id: str = "") -> None:
        """Count what `take` failed on, so that the sums still hold."""
        if isinstance(command, Paired):
            triple = command.triple
            results = self._of(triple.overlay, triple.service, triple.baseline.started_us)
            results.count(NotCompared.UNDECODABLE)
            self._age(node_id, (triple.overlay, triple.service), results.generation, triple.baseline.started_us)

    def count(
        self,
        node_id: str,
        *,
        epoch: str,
        counters: Mapping[str, int],
        at_ms: int = 0,
        traces: Mapping[str, int] | None = None,
    ) -> None:
        """Keep the newest reading of an Envoy's counters, made at `at_ms`, for the next delta.

        `traces` is what came of its tap since the last reading.
        """
        before = self._counters.get(node_id)
        since = Counter(before.traces if before is not None else {})
        since.update(traces or {})
        self._counters[node_id] = NodeCounters(
            node_id=node_id,
            epoch=epoch,
            counters=dict(counters),
            at_ms=at_ms,
            traces=dict(since),
        )
        self._ages.setdefault(node_id, Ages()).read(at_ms)

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
            accounted=list(self._accounted()),
            lag_ms=lag_ms,
            watched=[Watched(node_id=node, generations=dict(these)) for node, these in sorted((watched or {}).items())],
        )
        self._counters = {}
        self._pending = dict(pending)
        self._watched = dict(watched or {})
        return delta

    @property
    def newest_counters(self) -> list[NodeCounters]:
        """The counters that the next delta will tell."""
        return list(self._counters.values())

    def is_news(self, watched: Generations) -> bool:
        """Tell whether other taps are attached, or for others, than the last delta said."""
        return watched != self._watched

    def _at(self, overlay: str, service: str) -> Results:
        results = self._results.get((overlay, service))
        if results is None:
            results = self._results[overlay, service] = Results(ServiceAggregate.empty())
        return results

    def _of(self, overlay: str, service: str, started_us: int | None) -> Results:
        """Return the results of the generation in which a request was mirrored."""
        results = self._at(overlay, service)
        if started_us is not None and started_us < results.since_us:
            return self._older.get((overlay, service), results)
        return results

    def _lose(self, lost: Lost, node_id: str) -> None:
        results = self._of(lost.overlay, lost.service, lost.started_us)
        results.lose(lost)
        self._age(node_id, (lost.overlay, lost.service), results.generation, lost.started_us)

    def _age(self, node_id: str, place: Place, generation: int, started_us: int | None) -> None:
        self._ages.setdefault(node_id, Ages()).note((*place, generation), started_us)

    def _accounted(self) -> Iterator[Accounted]:
        for node_id, ages in sorted(self._ages.items()):
            for (overlay, service, generation), by_reading in ages.cut():
                yield Accounted(
                    node_id=node_id, overlay=overlay, service=service, generation=generation, by_reading=by_reading
                )

    def _service(self, held: dict[Place, Results], place: Place, pending: int) -> ServiceDelta:
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
            gaps=results.gaps,
            paired=results.paired,
            pending=pending,
            rechecks=results.rechecks,
            examples=results.examples,
            kept=results.kept,
        )
