"""Takes in what the workers found: deltas into the store, counters into histories, measurements to the regulator."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from microstax.control import deltas, layout, plans
from microstax.control.accounts import Accounts
from microstax.control.plane import Plane
from microstax.control.regulator import Regulator
from microstax.control.watches import Watches
from microstax.errors import StorageError, UsageError
from microstax.generated.management.microstax.management.v1 import Delta, DeltaAck, NodeCounters
from microstax.store.port import Merge, PairLimits
from microstax.store.state import PutShadow

_log: Final = logging.getLogger(__name__)
PRUNE_EVERY_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """What was last heard of a worker. `refused` says why its last delta was not taken, empty where it was.

    `problems` are its own sentences about Envoys that it cannot look at. While it waits for an answer of ours
    (`is_answered` is False) it cannot be expected to say more.
    """

    worker_id: str
    pid: int = 0
    seen_ms: int = 0
    pairs: int = 0
    lag_ms: int = 0
    memory_bytes: int = 0
    refused: str = ""
    problems: tuple[str, ...] = ()
    is_answered: bool = True


class Intake:
    """Applies deltas. `merge` merges two aggregates of one service; `limits` bound the kept pairs of an overlay."""

    def __init__(
        self, plane: Plane, *, merge: Merge, regulator: Regulator | None = None, limits: PairLimits | None = None
    ) -> None:
        self._plane: Final = plane
        self.regulator: Final = regulator or Regulator(plane)
        self._merge: Final = merge
        self._limits: Final = limits or PairLimits()
        self.accounts: Final = Accounts()
        self.workers: dict[str, WorkerSeen] = {}
        self.watches: Final = Watches()
        self._streams: Counter[str] = Counter()
        self._counted_ms: dict[str, int] = {}

    async def submit(self, delta: Delta) -> DeltaAck:
        """Apply a delta, once; raises UsageError for one that makes no sense, StorageError where it cannot be kept."""
        try:
            deltas.check(delta)
            self._hear(delta)
            return await self._submit(delta)
        except UsageError as error:
            self._refuse(delta, error.message)
            raise
        finally:
            self._answer(delta.worker_id)

    async def _submit(self, delta: Delta) -> DeltaAck:
        # In a thread: many or large ones take a while, and the event loop has Envoys to serve.
        examples = await asyncio.to_thread(deltas.examples, delta)
        await self._plane.to_envoys.decided(lambda: self._is_early(delta))
        state = self._plane.state
        record = deltas.record(
            state,
            delta,
            examples,
            counted_ms=self._counted_ms,
            steady=lambda node: self.accounts.steady(node, state, since_ms=self._counted_ms.get(node, 0)),
            restarted=self.accounts.restarted(delta),
        )
        applied = await self._plane.journal.apply_delta(record, self._merge)
        if applied:
            self._see(delta)
            self.accounts.take(state, delta, applied, now_ms=self._plane.now_ms())
            self._counted_ms |= {one.node_id: one.at_ms for one in delta.counters if self._is_newer(one)}
        if applied and delta.counters:
            await self._look_at_counts()
            await self.regulator.settle()
        return DeltaAck(sequence=delta.sequence, duplicate=not applied)

    def hello(self, worker_id: str, pid: int) -> None:
        """Note that a worker asked for its targets."""
        self._streams[worker_id] += 1
        seen = self.workers.get(worker_id, WorkerSeen(worker_id=worker_id))
        self.workers[worker_id] = replace(seen, pid=pid, seen_ms=self._plane.now_ms())

    def farewell(self, worker_id: str) -> None:
        """Note that a worker's stream ended; one that has asked again meanwhile is still there."""
        self._streams[worker_id] -= 1
        if not self._streams[worker_id]:
            del self._streams[worker_id]
            self.workers.pop(worker_id, None)
            self.watches.forget(worker_id)
            self.regulator.forget(worker_id)

    async def look(self) -> None:
        """Read the counts as they were when the last control plane ended, so that what is old is known to be old."""
        then_ms = await self._plane.journal.store.last_delta_ms()
        self._counted_ms = dict.fromkeys(plans.envoy_nodes(self._plane.state), then_ms)
        for shadow in self._plane.state.shadows.values():
            counts = await self._plane.journal.store.counts(shadow.overlay, shadow.generation)
            self.accounts.begin(shadow, counts, then_ms=then_ms, now_ms=self._plane.now_ms())

    async def renew(self, readable: Callable[[bytes], object]) -> None:
        """Begin a new generation of results that this microstax cannot read: another version wrote them.

        `readable` raises StorageError for such an aggregate. Left alone, one of them would stop all comparing.
        """
        for shadow in self._plane.state.shadows.values():
            results = await self._plane.journal.store.results(shadow.overlay, shadow.generation)
            try:
                for body in results.aggregates.values():
                    readable(body)
            except StorageError as error:
                _log.warning("the results of %s begin anew: %s", shadow.overlay, error.message)
                fresh = replace(shadow, generation=shadow.generation + 1, since_ms=self._plane.now_ms())
                await self._plane.journal.commit(PutShadow(fresh))

    def _is_newer(self, counters: NodeCounters) -> bool:
        return counters.at_ms > self._counted_ms.get(counters.node_id, 0)

    def _is_early(self, delta: Delta) -> bool:
        """Tell whether a delta may be about a shadow that is in force and not committed yet."""
        ahead, nodes = self._plane.to_envoys, {one.node_id for one in delta.counters}
        return any(
            layout.tee_node(self._plane.state.overlays[overlay].spec.baseline) in nodes for overlay in ahead.overlays
        ) or any(
            (shadow := ahead.shown(one.overlay)) is not None and shadow.generation == one.generation
            for one in delta.services
        )

    async def _look_at_counts(self) -> None:
        now_ms, shadows = self._plane.now_ms(), tuple(self._plane.state.shadows.values())
        self.accounts.keep(shadows, now_ms=now_ms)
        for shadow in shadows:
            counts = await self._plane.journal.store.counts(shadow.overlay, shadow.generation)
            self.accounts.note(shadow, counts, now_ms=now_ms)

    async def prune(self, examples: Callable[[bytes], frozenset[str]]) -> None:
        """Delete the pairs over the limits; `examples` tells which pairs the findings of an aggregate show."""
        for shadow in self._plane.state.shadows.values():
            results = await self._plane.journal.store.results(shadow.overlay, shadow.generation)
            shown = [await asyncio.to_thread(examples, body) for body in results.aggregates.values()]
            await self._plane.journal.store.prune_pairs(
                shadow.overlay,
                replace(self._limits, spare_kept=shadow.settings.keep_pairs > 0),
                now_ms=self._plane.now_ms(),
                referenced=frozenset().union(*shown),
            )

    def _hear(self, delta: Delta) -> None:
        """Take in what a worker measured: it matters most when the rest cannot be stored."""
        seen = self.workers.get(delta.worker_id)
        if seen is not None:  # else it is gone, and this is the last that it said
            self.watches.note(delta.worker_id, delta.watched)
            self.workers[delta.worker_id] = replace(
                seen,
                seen_ms=self._plane.now_ms(),
                lag_ms=delta.lag_ms,
                memory_bytes=delta.memory_bytes,
                problems=tuple(delta.problems),
                is_answered=False,
            )
        self.regulator.take(delta)

    def _answer(self, worker_id: str) -> None:
        if worker_id in self.workers:
            self.workers[worker_id] = replace(self.workers[worker_id], is_answered=True)

    def _see(self, delta: Delta) -> None:
        seen = self.workers.get(delta.worker_id)
        if seen is not None:
            paired = sum(one.paired for one in delta.services)
            self.workers[delta.worker_id] = replace(
                seen, seen_ms=self._plane.now_ms(), pairs=seen.pairs + paired, refused=""
            )

    def _refuse(self, delta: Delta, why: str) -> None:
        seen = self.workers.get(delta.worker_id)
        if seen is not None:
            self.workers[delta.worker_id] = replace(seen, seen_ms=self._plane.now_ms(), refused=why)
