"""The port of the store: the desired state, the results of comparing, and secrets.

One process writes: the control plane. Every method is one transaction; when it returns, what it wrote survives
kill -9 of any process and a power failure. All raise StorageError with a sentence when the disk does not do its part.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from microstax.store.state import Change, State

Merge = Callable[[bytes | None, bytes], bytes]
"""Returns the merged aggregate of what is stored (None: nothing yet) and what arrived."""
KEPT: Final = "kept"
KEPT_BYTES: Final = "kept_bytes"
"""Counts that the store itself makes: the pairs of ServiceResult.kept that it took in, and their bytes."""
MOST_KEPT_BYTES: Final = 256 * 1024 * 1024
"""What the kept pairs of one service may take; then no more of them are taken in."""


@dataclass(frozen=True, slots=True, order=True)
class TallyKey:
    """Names one count of one service of one shadow generation; the writer of a name gives it its meaning."""

    overlay: str
    generation: int
    service: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterReading:
    """An absolute counter of one Envoy, 0 at the start of its `epoch`; what it grew by is added to all `tallies`.

    A value below the last one means that the counter began again at 0 within its epoch: it grew by all of the value.
    """

    node: str
    epoch: str
    name: str
    value: int
    tallies: tuple[TallyKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplePair:
    """A pair worth keeping; `record` is opaque."""

    overlay: str
    service: str
    id: str
    at_ms: int
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResult:
    """What a delta says of one service: an aggregate and counts, of this delta alone, and pairs to keep.

    `examples` are what findings show. `kept` are taken in, whatever they show, until the generation has `keep` of them
    or MOST_KEPT_BYTES; pruning leaves them alone while it is told to.
    """

    overlay: str
    generation: int
    service: str
    aggregate: bytes = b""
    counts: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[ExamplePair, ...] = ()
    kept: tuple[ExamplePair, ...] = ()
    keep: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRecord:
    """One delta of a worker, applied exactly once per (worker_id, sequence)."""

    worker_id: str
    sequence: int
    at_ms: int
    results: tuple[ServiceResult, ...] = ()
    readings: tuple[CounterReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Grown:
    """By how much a counter of an Envoy made a tally grow."""

    node: str
    tally: TallyKey
    count: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What a delta changed, as far as it cannot be read off the delta itself."""

    grown: tuple[Grown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was found in one generation of a shadow: an aggregate a service, and counts by (service, name)."""

    aggregates: Mapping[str, bytes] = field(default_factory=dict)
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLimits:
    """How much of an overlay's example pairs is kept; with `spare_kept` beside those of ServiceResult.kept."""

    max_age_ms: int = 7 * 24 * 3600 * 1000
    max_count: int = 5_000
    max_bytes: int = 128 * 1024 * 1024
    spare_kept: bool = False


@dataclass(frozen=True, slots=True)
class PairRow:
    """A stored pair without its record, for deciding what goes: `size` in bytes; `kept` as in ServiceResult."""

    id: str
    at_ms: int
    size: int
    kept: bool = False


@dataclass(slots=True, kw_only=True)
class Room:
    """What is left for the kept pairs of one service in one generation. `count` and `size` are what it has."""

    most: int
    count: int = 0
    size: int = 0
    max_bytes: int = MOST_KEPT_BYTES

    def admits(self, record: bytes) -> bool:
        """Tell whether there is room for one more."""
        return self.count < self.most and self.size + len(record) <= self.max_bytes

    def take(self, record: bytes) -> None:
        """Count one more."""
        self.count += 1
        self.size += len(record)


@dataclass(frozen=True, slots=True)
class PairPage:
    """Some stored pairs in the order in which they came; `after` continues where the page ends, None at the end."""

    records: tuple[bytes, ...]
    after: int | None


def evicted(rows: Collection[PairRow], limits: PairLimits, *, now_ms: int, referenced: Collection[str]) -> list[str]:
    """Return the ids to delete: too old first, then the oldest beyond count and bytes; `referenced` pairs go last.

    A finding without its example cannot be shown, so a referenced pair outlives its age and goes only for space.
    Kept pairs had a limit of their own when they came.
    """
    rows = [row for row in rows if not (row.kept and limits.spare_kept)]
    kept = [row for row in rows if row.id in referenced or row.at_ms >= now_ms - limits.max_age_ms]
    gone = {row.id for row in rows} - {row.id for row in kept}
    count, size = len(kept), sum(row.size for row in kept)
    for row in sorted(kept, key=lambda row: (row.id in referenced, row.at_ms, row.id)):
        if count <= limits.max_count and size <= limits.max_bytes:
            break
        gone.add(row.id)
        count, size = count - 1, size - row.size
    return sorted(gone)


class Store(Protocol):
    """Keeps state and results. All methods are called from one event loop."""

    async def open(self) -> State:
        """Make the store ready and return the state that it holds."""

    async def close(self) -> None:
        """Finish what is under way and let go of the file. Idempotent."""

    async def commit(self, *changes: Change) -> None:
        """Write all changes, or none of them."""

    async def next_rule_id(self) -> int:
        """Return an id that no ignore rule has had yet."""

    async def apply_delta(self, delta: DeltaRecord, merge: Merge) -> Applied | None:
        """Merge a delta into the results; None (and nothing done) where it was applied before.

        Results for an overlay or a generation that is not there any more are dropped.
        """

    async def results(self, overlay: str, generation: int) -> Results:
        """Return what was found in a generation; empty where nothing was."""

    async def counts(self, overlay: str, generation: int) -> Mapping[tuple[str, str], int]:
        """Return the counts alone, by (service, name)."""

    async def last_delta_ms(self) -> int:
        """Return when the newest delta was made (Unix milliseconds), 0 where none came yet."""

    async def pair(self, overlay: str, pair_id: str) -> bytes | None:
        """Return the record of a kept pair."""

    async def pairs(self, overlay: str, *, after: int = 0, limit: int = 100) -> PairPage:
        """Return the next page of an overlay's kept pairs."""

    async def prune_pairs(self, overlay: str, limits: PairLimits, *, now_ms: int, referenced: Collection[str]) -> int:
        """Delete what `evicted` names; return how many pairs went."""

    async def note_refused(self, overlay: str, generation: int, body: str) -> None:
        """Remember which calls of an overlay were refused, in place of what was remembered before.

        Nothing is done where the overlay or the generation is not there any more.
        """

    async def refused(self, overlay: str, generation: int) -> str:
        """Return what `note_refused` was given last for this generation, empty where it was given nothing."""

    async def forget_node(self, node: str) -> None:
        """Forget the counters of an Envoy that is gone for good."""

    async def forget_mirrors(self, overlay: str) -> None:
        """Forget what Envoys had counted of an overlay's mirrors: those are gone, and new ones count from 0.

        Their counters have names that end with `/` and the overlay's.
        """

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """Return the secret of that name; store `fresh` as it where there is none."""
