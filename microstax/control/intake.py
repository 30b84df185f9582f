"""Takes in what the workers found: deltas into the store, counters into budgets and histories."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from microstax.control import budget, coverage, deltas, layout, plans, queries
from microstax.control.coverage import MirrorHistory
from microstax.control.plane import Plane
from microstax.control.watches import Watches
from microstax.errors import StorageError, UsageError
from microstax.generated.management.microstax.management.v1 import Delta, DeltaAck, NodeCounters
from microstax.store.port import Merge, PairLimits
from microstax.store.state import PutShadow, ShadowRecord, State

_log: Final = logging.getLogger(__name__)
PRUNE_EVERY_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """What was last heard of a worker. `refused` says why its last delta was not taken, empty where it was."""

    worker_id: str
    pid: int = 0
    seen_ms: int = 0
    pairs: int = 0
    lag_ms: int = 0
    refused: str = ""


class Intake:
    """Applies deltas. `merge` merges two aggregates of one service; `limits` bound the kept pairs of an overlay."""

    def __init__(self, plane: Plane, *, merge: Merge, limits: PairLimits | None = None) -> None:
        self._plane: Final = plane
        self._merge: Final = merge
        self._limits: Final = limits or PairLimits()
        self._histories: dict[tuple[str, int, str], MirrorHistory] = {}
        self._budgets: dict[tuple[str, int, str], budget.Budget] = {}
        self.workers: dict[str, WorkerSeen] = {}
        self.watches: Final = Watches()
        self._streams: Counter[str] = Counter()
        self._counted_ms: dict[str, int] = {}

    async def submit(self, delta: Delta) -> DeltaAck:
        """Apply a delta, once; raises UsageError for one that makes no sense, StorageError where it cannot be kept."""
        try:
            return await self._submit(delta)
        except UsageError as error:
            self._refuse(delta, error.message)
            raise

    async def _submit(self, delta: Delta) -> DeltaAck:
        deltas.check(delta)
        # In a thread: many or large ones take a while, and the event loop has Envoys to serve.
        examples = await asyncio.to_thread(deltas.examples, delta)
        if delta.worker_id in self.workers:
            self.watches.note(delta.worker_id, delta.watched)
        await self._plane.to_envoys.decided(lambda: self._is_early(delta))
        record = deltas.record(self._plane.state, delta, examples, counted_ms=self._counted_ms)
        applied = await self._plane.journal.apply_delta(record, self._merge)
        if applied:
            self._see(delta)
            self._counted_ms |= {one.node_id: one.at_ms for one in delta.counters if self._is_newer(one)}
        if applied and delta.counters:
            await self._look_at_counts(delta.at_ms)
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

    async def look(self) -> None:
        """Read the counts as they were when the last control plane ended, so that what is old is known to be old."""
        then_ms = await self._plane.journal.store.last_delta_ms()
        self._counted_ms = dict.fromkeys(plans.envoy_nodes(self._plane.state), then_ms)
        for shadow in self._plane.state.shadows.values():
            self._note_history(shadow, await self._mirrored(shadow), then_ms)

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

    def settled(self, shadow: ShadowRecord, service: str) -> int:
        """Return how many of a service's copies are so old that they should be accounted for."""
        history = self._histories.get((shadow.overlay, shadow.generation, service))
        return history.before(self._plane.now_ms() - _patience_ms(shadow)) if history else 0

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

    async def _look_at_counts(self, at_ms: int) -> None:
        """Take in counters that were read about `at_ms`, by the worker's clock.

        Rates go by that clock: after a pause of ours, deltas of some seconds arrive at once.
        """
        now_ms, state = self._plane.now_ms(), self._plane.state
        current = {(shadow.overlay, shadow.generation) for shadow in state.shadows.values()}
        self._histories = {key: one for key, one in self._histories.items() if key[:2] in current}
        self._budgets = {key: one for key, one in self._budgets.items() if key[:2] in current}
        for shadow in state.shadows.values():
            mirrored = await self._mirrored(shadow)
            self._note_history(shadow, mirrored, now_ms)
            if shadow.settings.enabled:
                await self._hold_budget(shadow, mirrored, at_ms)

    async def _mirrored(self, shadow: ShadowRecord) -> dict[str, int]:
        counts = await self._plane.journal.store.counts(shadow.overlay, shadow.generation)
        return {service: n for (service, name), n in counts.items() if name == coverage.MIRRORED}

    def _note_history(self, shadow: ShadowRecord, mirrored: Mapping[str, int], at_ms: int) -> None:
        for service, n in mirrored.items():
            history = self._histories.setdefault((shadow.overlay, shadow.generation, service), MirrorHistory())
            history.note(at_ms, n, window_ms=_patience_ms(shadow))

    async def _hold_budget(self, shadow: ShadowRecord, mirrored: Mapping[str, int], at_ms: int) -> None:
        shares: dict[str, int] = {}
        for service, n in mirrored.items():
            key = (shadow.overlay, shadow.generation, service)
            now = queries.current_ppm(shadow, service)
            last = self._budgets.get(key, budget.begin(ppm=now, now_ms=at_ms, mirrored=n))
            self._budgets[key] = budget.step(
                last, now_ms=at_ms, mirrored=n, max_rps=shadow.settings.max_rps, sample_ppm=shadow.settings.sample_ppm
            )
            if self._budgets[key].ppm != now:
                shares[service] = self._budgets[key].ppm
        if shares:
            _log.info("the budget of %s sets its shares (parts per million) to %s", shadow.overlay, shares)
            await self._plane.journal.amend(lambda state: _with_shares(state, shadow, shares))

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

    def _see(self, delta: Delta) -> None:
        seen = self.workers.get(delta.worker_id)
        if seen is not None:  # else it is gone, and this is the last that it said
            paired = sum(one.paired for one in delta.services)
            self.workers[delta.worker_id] = replace(
                seen, seen_ms=self._plane.now_ms(), pairs=seen.pairs + paired, lag_ms=delta.lag_ms, refused=""
            )

    def _refuse(self, delta: Delta, why: str) -> None:
        seen = self.workers.get(delta.worker_id)
        if seen is not None:
            self.workers[delta.worker_id] = replace(seen, seen_ms=self._plane.now_ms(), refused=why)


def _patience_ms(shadow: ShadowRecord) -> int:
    return shadow.settings.branch_timeout_ms + coverage.DELIVERY_MS


def _with_shares(state: State, shadow: ShadowRecord, shares: Mapping[str, int]) -> tuple[PutShadow, ...]:
    now = state.shadows.get(shadow.overlay)
    if now is None or now.generation != shadow.generation or now.settings != shadow.settings:
        return ()  # switched meanwhile: the next reading decides anew
    return (PutShadow(replace(now, in_force=MappingProxyType({**now.in_force, **shares}))),)
