"""A store that keeps everything in memory: for tests, and for what needs no tomorrow."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from microstax.errors import StorageError
from microstax.store.port import (
    KEPT,
    KEPT_BYTES,
    Applied,
    CounterReading,
    DeltaRecord,
    ExamplePair,
    Grown,
    Merge,
    PairLimits,
    PairPage,
    PairRow,
    Results,
    Room,
    ServiceResult,
    TallyKey,
    evicted,
)
from microstax.store.state import Change, State, apply, outdated


@dataclass(slots=True)
class MemoryStore:
    """Implements Store. `failing` set makes every write raise StorageError with it, as a full disk does."""

    state: State = field(default_factory=State)
    failing: str | None = None
    _sequences: dict[str, int] = field(default_factory=dict)
    _aggregates: dict[tuple[str, int, str], bytes] = field(default_factory=dict)
    _tallies: Counter[TallyKey] = field(default_factory=Counter)
    _counters: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _pairs: dict[tuple[str, str], tuple[int, ExamplePair]] = field(default_factory=dict)
    _kept: set[tuple[str, str]] = field(default_factory=set)
    _refused: dict[tuple[str, int], str] = field(default_factory=dict)
    _secrets: dict[str, bytes] = field(default_factory=dict)
    _numbers: int = 0
    _rules: int = 0
    _last_ms: int = 0

    async def open(self) -> State:
        """Return what was committed."""
        return self.state

    async def close(self) -> None:
        """Keep everything; it can be opened again."""

    async def commit(self, *changes: Change) -> None:
        """Apply all changes."""
        self._writable()
        for change in changes:
            stale = outdated(self.state, change)
            self.state = apply(self.state, change)
            if stale is not None:
                self._drop_results(stale)

    async def next_rule_id(self) -> int:
        """Count up."""
        self._writable()
        self._rules += 1
        return self._rules

    async def apply_delta(self, delta: DeltaRecord, merge: Merge) -> Applied | None:
        """Apply a delta once."""
        self._writable()
        if delta.sequence <= self._sequences.get(delta.worker_id, 0):
            return None
        self._sequences[delta.worker_id] = delta.sequence
        self._last_ms = max(self._last_ms, delta.at_ms)
        for result in delta.results:
            if self._current(result.overlay, result.generation):
                self._add(result, merge)
        return Applied(tuple(grown for reading in delta.readings for grown in self._read(reading)))

    async def results(self, overlay: str, generation: int) -> Results:
        """Return what was added."""
        aggregates = {key[2]: body for key, body in self._aggregates.items() if key[:2] == (overlay, generation)}
        return Results(aggregates=aggregates, counts=await self.counts(overlay, generation))

    async def counts(self, overlay: str, generation: int) -> Mapping[tuple[str, str], int]:
        """Return what was counted."""
        mine = {key: n for key, n in self._tallies.items() if (key.overlay, key.generation) == (overlay, generation)}
        return {(key.service, key.name): n for key, n in mine.items()}

    async def last_delta_ms(self) -> int:
        """Return the newest delta's time."""
        return self._last_ms

    async def pair(self, overlay: str, pair_id: str) -> bytes | None:
        """Return one record."""
        found = self._pairs.get((overlay, pair_id))
        return found[1].record if found else None

    async def pairs(self, overlay: str, *, after: int = 0, limit: int = 100) -> PairPage:
        """Return records in the order in which they came."""
        mine = sorted(
            (number, pair.record) for number, pair in self._pairs.values() if pair.overlay == overlay and number > after
        )
        page = mine[:limit]
        return PairPage(tuple(record for _, record in page), page[-1][0] if len(mine) > limit else None)

    async def prune_pairs(self, overlay: str, limits: PairLimits, *, now_ms: int, referenced: Collection[str]) -> int:
        """Delete what the limits say."""
        self._writable()
        rows = [
            PairRow(pair.id, pair.at_ms, len(pair.record), (overlay, pair.id) in self._kept)
            for _, pair in self._pairs.values()
            if pair.overlay == overlay
        ]
        gone = evicted(rows, limits, now_ms=now_ms, referenced=referenced)
        for pair_id in gone:
            del self._pairs[overlay, pair_id]
            self._kept.discard((overlay, pair_id))
        return len(gone)

    async def note_refused(self, overlay: str, generation: int, body: str) -> None:
        """Keep the list of refused calls."""
        self._writable()
        if self._current(overlay, generation):
            self._refused[overlay, generation] = body

    async def refused(self, overlay: str, generation: int) -> str:
        """Return the list of refused calls."""
        return self._refused.get((overlay, generation), "")

    async def forget_node(self, node: str) -> None:
        """Drop a node's counters."""
        self._writable()
        self._counters = {key: value for key, value in self._counters.items() if key[0] != node}

    async def forget_mirrors(self, overlay: str) -> None:
        """Drop the counters of an overlay's mirrors."""
        self._writable()
        end = f"/{overlay}"
        self._counters = {key: value for key, value in self._counters.items() if not key[2].endswith(end)}

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """Return the first value that was given."""
        return self._secrets.setdefault(name, fresh)

    def _writable(self) -> None:
        if self.failing:
            raise StorageError(self.failing)

    def _current(self, overlay: str, generation: int) -> bool:
        shadow = self.state.shadows.get(overlay)
        return shadow is not None and shadow.generation == generation

    def _add(self, result: ServiceResult, merge: Merge) -> None:
        key = (result.overlay, result.generation, result.service)
        if result.aggregate:
            self._aggregates[key] = merge(self._aggregates.get(key), result.aggregate)
        for name, count in result.counts.items():
            self._tallies[TallyKey(*key, name)] += count
        for pair in result.examples:
            self._insert(pair)
        if result.kept:
            self._keep(result)

    def _keep(self, result: ServiceResult) -> None:
        count, size = (TallyKey(result.overlay, result.generation, result.service, one) for one in (KEPT, KEPT_BYTES))
        room = Room(most=result.keep, count=self._tallies[count], size=self._tallies[size])
        for pair in result.kept:
            if room.admits(pair.record) and self._insert(pair):
                room.take(pair.record)
                self._kept.add((pair.overlay, pair.id))
        self._tallies[count], self._tallies[size] = room.count, room.size

    def _insert(self, pair: ExamplePair) -> bool:
        if (pair.overlay, pair.id) in self._pairs:
            return False
        self._numbers += 1
        self._pairs[pair.overlay, pair.id] = (self._numbers, pair)
        return True

    def _read(self, reading: CounterReading) -> list[Grown]:
        key = (reading.node, reading.epoch, reading.name)
        self._counters = {
            one: value for one, value in self._counters.items() if one[0] != reading.node or one[1] == reading.epoch
        }
        last = self._counters.get(key, 0)
        grown = reading.value - last if reading.value >= last else reading.value
        self._counters[key] = reading.value
        current = [one for one in reading.tallies if self._current(one.overlay, one.generation)] if grown else []
        for tally in current:
            self._tallies[tally] += grown
        return [Grown(reading.node, tally, grown) for tally in current]

    def _drop_results(self, overlay: str) -> None:
        self._refused = {key: value for key, value in self._refused.items() if key[0] != overlay}
        self._pairs = {key: value for key, value in self._pairs.items() if key[0] != overlay}
        self._kept = {key for key in self._kept if key[0] != overlay}
        self._aggregates = {key: value for key, value in self._aggregates.items() if key[0] != overlay}
        self._tallies = Counter({key: value for key, value in self._tallies.items() if key.overlay != overlay})
