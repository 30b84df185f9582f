"""Holds every service to its budget: readings of counters in, shares in force out.

A share that changes is shown to the Envoys at once and committed afterwards: where the disk is full it is in force all
the same.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from microstax.control import budget, layout, queries
from microstax.control.ahead import Held
from microstax.control.budget import Budget
from microstax.control.plane import Plane
from microstax.control.shares import limits_of, percent
from microstax.control.strain import Burden, Reading
from microstax.envoy import stats
from microstax.envoy.stats import MirrorCounters, MirrorKey
from microstax.generated.management.microstax.management.v1 import Delta, NodeCounters
from microstax.model.exchange import Side
from microstax.store.state import PutShadow, ShadowRecord, State

_log: Final = logging.getLogger(__name__)
_BEFORE: Final = "it was lowered when it began, or before microstax was started, and climbs"
RESUMED: Final = "mirroring began again after a pause, and climbs"


@dataclass(frozen=True, slots=True)
class _Counted:
    at_ms: int
    mirrors: Mapping[MirrorKey, MirrorCounters]

    @property
    def copies(self) -> int:
        return sum(_copies(one) for key, one in self.mirrors.items() if key.side is Side.BRANCH)


@dataclass(slots=True)
class _Worker:
    """What a worker said: `done` requests were disposed of since `since_ms`, when its counters were read last."""

    burden: Burden = field(default_factory=Burden)
    sequence: int = 0
    done: int | None = None
    done_rps: float | None = None
    since_ms: int = 0


class Regulator:
    """Decides shares with every delta. `worker_memory` is what a worker may hold, in bytes."""

    def __init__(self, plane: Plane, *, worker_memory: int = 0) -> None:
        self._plane: Final = plane
        self._worker_memory: Final = worker_memory
        self._counted: dict[str, _Counted] = {}
        self._memory: dict[str, int] = {}
        self._workers: dict[str, _Worker] = {}
        self._budgets: dict[tuple[str, int, str], Budget] = {}

    def take(self, delta: Delta) -> None:
        """Take in what a worker measured, whether or not the rest of its delta can be stored."""
        worker = self._workers.setdefault(delta.worker_id, _Worker())
        if delta.sequence > worker.sequence:
            worker.sequence = delta.sequence
            worker.done = (worker.done or 0) + sum(
                one.paired + sum(one.not_compared.values()) for one in delta.services
            )
        fresh = [one for one in (delta.measured or delta.counters) if self._is_newer(one, delta)]
        if not fresh:
            return
        arrived = 0
        for one in fresh:
            counted = _Counted(one.at_ms or delta.at_ms, stats.read_counters(one.counters).mirrors)
            before = self._counted.get(one.node_id)
            arrived += max(0, counted.copies - before.copies) if before else 0
            self._counted[one.node_id], self._memory[one.node_id] = counted, one.memory_bytes
        self._note_burden(worker, delta, arrived, max(self._counted[one.node_id].at_ms for one in fresh))
        nodes = {one.node_id for one in fresh}
        for shadow in queries.all_enabled(self._plane.state):
            if layout.tee_node(self._plane.state.overlays[shadow.overlay].spec.baseline) in nodes:
                self._hold(shadow, worker.burden)

    def memory_of(self, node_id: str) -> int | None:
        """Return how many bytes an Envoy said that it holds, None where it has not yet."""
        return self._memory.get(node_id) or None

    def forget(self, worker_id: str) -> None:
        """Forget a worker that is gone."""
        self._workers.pop(worker_id, None)

    async def settle(self) -> None:
        """Commit the shares that are held; raises StorageError, and then they go on being held."""
        ahead = self._plane.to_envoys
        for overlay, held in tuple(ahead.held.items()):
            await self._plane.journal.amend(lambda state, o=overlay, h=held: _with_shares(state, o, h))  # type: ignore[misc]
            if ahead.held.get(overlay) is held:
                ahead.release(overlay)

    def restart_low(self, overlay: str) -> None:
        """Let a shadow that was paused begin with small shares, which climb."""
        shadow = self._plane.state.shadows.get(overlay)
        if shadow is None:
            return
        for service in self._services(shadow):
            key = (overlay, shadow.generation, service)
            if key in self._budgets:
                self._budgets[key] = budget.restart_low(self._budgets[key], why=RESUMED)
        self._show(shadow)

    def adjusted(self, shadow: ShadowRecord) -> list[str]:
        """Return a sentence for every service that gets less than was asked for."""
        return [
            f"{service}: {percent(one.ppm)} of the {percent(shadow.settings.sample_ppm)} that were asked for: "
            f"{one.why}."
            for service, one in self._of(shadow)
            if one.ppm < shadow.settings.sample_ppm and one.why
        ]

    def _is_newer(self, counters: NodeCounters, delta: Delta) -> bool:
        before = self._counted.get(counters.node_id)
        return before is None or (counters.at_ms or delta.at_ms) > before.at_ms

    def _note_burden(self, worker: _Worker, delta: Delta, arrived: int, at_ms: int) -> None:
        elapsed_ms = at_ms - worker.since_ms
        seconds = max(elapsed_ms, budget.MIN_WINDOW_MS) / 1000
        if worker.done is not None:
            # Twice as slow an answer to one second as to the one before: a chunk of traces is compared at a time.
            now = worker.done / seconds
            worker.done_rps = now if worker.done_rps is None else (worker.done_rps + now) / 2
        worker.burden = Burden(
            lag_ms=delta.lag_ms,
            arriving_rps=arrived / seconds,
            done_rps=worker.done_rps if worker.done is not None else None,
            memory_bytes=delta.memory_bytes,
            memory_limit=self._worker_memory,
        )
        worker.done, worker.since_ms = None, at_ms

    def _hold(self, shadow: ShadowRecord, burden: Burden) -> None:
        current = {(one.overlay, one.generation) for one in self._plane.state.shadows.values()}
        self._budgets = {key: one for key, one in self._budgets.items() if key[:2] in current}
        settings = shadow.settings
        is_paused = shadow.overlay in self._plane.to_envoys.paused
        limits = limits_of(settings, [one.demand for _, one in self._of(shadow)])
        for service in self._services(shadow):
            key, reading = (shadow.overlay, shadow.generation, service), self._reading(shadow, service)
            if reading is None:
                continue
            last = self._budgets.get(key) or _begun(queries.current_ppm(shadow, service), settings.sample_ppm, reading)
            self._budgets[key] = (
                replace(last, since=reading)
                if is_paused
                else budget.step(last, reading, limits, burden, timeout_ms=settings.branch_timeout_ms)
            )
        self._show(shadow)

    def _show(self, shadow: ShadowRecord) -> None:
        """Show the Envoys shares that are not in force yet."""
        ahead = self._plane.to_envoys
        held = ahead.held.get(shadow.overlay)
        before = held.shares if held is not None and held.generation == shadow.generation else shadow.in_force
        sample = shadow.settings.sample_ppm
        changed = {
            service: one.ppm for service, one in self._of(shadow) if one.ppm != min(sample, before.get(service, sample))
        }
        if changed:
            why = " ".join(self.adjusted(shadow)) or "all that was asked for is mirrored."
            _log.info("%s: %s", shadow.overlay, why)
            ahead.hold(shadow.overlay, Held(shadow.generation, MappingProxyType({**before, **changed})))

    def _reading(self, shadow: ShadowRecord, service: str) -> Reading | None:
        node = layout.tee_node(self._plane.state.overlays[shadow.overlay].spec.baseline)
        counted = self._counted[node]
        one = counted.mirrors.get(MirrorKey(service, shadow.overlay, Side.BRANCH))
        if one is None:
            return None
        return Reading(
            at_ms=counted.at_ms,
            copies=_copies(one),
            refused=one.dropped + one.overflow,
            timeouts=one.timeouts,
            active=one.active,
        )

    def _of(self, shadow: ShadowRecord) -> Iterator[tuple[str, Budget]]:
        for service in self._services(shadow):
            found = self._budgets.get((shadow.overlay, shadow.generation, service))
            if found is not None:
                yield service, found

    def _services(self, shadow: ShadowRecord) -> list[str]:
        record = self._plane.state.overlays[shadow.overlay]
        return [spec.name for spec in queries.shadowed_services(record, shadow)]


def _begun(ppm: int, sample_ppm: int, reading: Reading) -> Budget:
    return budget.begin(ppm=ppm, reading=reading, why=_BEFORE if ppm < sample_ppm else "")


def _copies(one: MirrorCounters) -> int:
    """Return how many copies were to be made: one that was dropped never became one to Envoy."""
    return one.mirrored + one.dropped


def _with_shares(state: State, overlay: str, held: Held) -> tuple[PutShadow, ...]:
    """Return the change that commits shares; a whole share is what was asked for, and is not written down."""
    now = state.shadows.get(overlay)
    if now is None or now.generation != held.generation or not now.settings.enabled:
        return ()  # switched meanwhile: the next reading decides anew
    shares = {service: ppm for service, ppm in held.shares.items() if ppm < now.settings.sample_ppm}
    return (PutShadow(replace(now, in_force=MappingProxyType(shares))),) if shares != now.in_force else ()
