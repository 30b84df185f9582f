"""Looks after every shadow four times a second, and pauses those that cost too much. See `guard` for when.

It reads Envoy's memory itself, where the runtime knows it: a worker that hangs is one of the reasons to stop. A pause
reaches the Envoys without the store.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from microstax.control import guard, layout, queries
from microstax.control.ahead import Pause, Pauser
from microstax.control.guard import Limits, Vitals, Watch
from microstax.control.intake import Intake
from microstax.control.plane import Plane
from microstax.store.state import ShadowRecord, State

_log: Final = logging.getLogger(__name__)
LOOK_S: Final = 0.25
ASLEEP_MS: Final = 1_000
"""Two looks that are further apart tell that this process did not run, and could not hear anything."""


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Guarding:
    """Pauses and resumes. `worker_of` returns the worker that polls an Envoy; `clock` is monotonic milliseconds."""

    def __init__(
        self,
        plane: Plane,
        intake: Intake,
        *,
        worker_of: Callable[[str], str | None],
        limits: Limits,
        clock: Callable[[], int] = _monotonic_ms,
    ) -> None:
        self._plane: Final = plane
        self._intake: Final = intake
        self._worker_of: Final = worker_of
        self._clock: Final = clock
        self.limits: Final = limits
        self._watches: dict[tuple[str, int], Watch] = {}
        self._heard: dict[str, tuple[int, int]] = {}
        self._absent_ms: dict[str, int] = {}
        self._looked_ms: int | None = None
        self._before: dict[str, tuple[int, int | None]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                self.look()
            except Exception:  # noqa: BLE001  # a mistake of ours in one look must not end all looking
                _log.exception("looking after the shadows failed; the next look is in %.2f s", LOOK_S)
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Look once at every shadow that is on."""
        now_ms = self._clock()
        if self._looked_ms is not None and now_ms - self._looked_ms > ASLEEP_MS:
            _log.warning("microstax did not run for %.1f s; nothing is held against others", self._asleep_s(now_ms))
            self._heard.clear()
            self._absent_ms.clear()
        self._looked_ms = now_ms
        self._listen(now_ms)
        shadows = {(one.overlay, one.generation): one for one in queries.all_enabled(self._plane.state)}
        for key in self._watches.keys() - shadows.keys():
            del self._watches[key]
        for key, shadow in shadows.items():
            self._look_at(key, shadow, now_ms)
        # What an Envoy holds before it is mirrored from: once it is, the first quarter of a second may be too late.
        nodes = map(layout.tee_node, self._plane.state.environments)
        self._before = {node: self._envoy(node) for node in nodes}

    def follow(self, state: State) -> None:
        """Take the newest state: a shadow that was switched off, or begins anew, is not paused for what was before."""
        for overlay in self._plane.to_envoys.paused_by(Pauser.GUARD):
            shadow = state.shadows.get(overlay)
            if shadow is None or not shadow.settings.enabled or (overlay, shadow.generation) not in self._watches:
                self._plane.to_envoys.resume(overlay, by=Pauser.GUARD)

    def envoy_limit(self, node_id: str) -> int:
        """Return above how many bytes an Envoy stops being mirrored from; 0 where no shadow of it is on."""
        found = (
            watch.envoy_limit(self.limits)
            for (overlay, _), watch in self._watches.items()
            if overlay in self._plane.state.overlays and self._node_of(overlay) == node_id
        )
        return min((limit for limit in found if limit), default=0)

    def _look_at(self, key: tuple[str, int], shadow: ShadowRecord, now_ms: int) -> None:
        vitals = self._vitals(self._node_of(shadow.overlay), now_ms)
        before = self._watches.get(key)
        if before is None:
            pid, held = self._before.get(vitals.envoy, (0, None))
            before = guard.begin(replace(vitals, envoy_bytes=held) if pid == vitals.envoy_pid else vitals)
        watch = self._watches[key] = guard.look(before, vitals, self.limits)
        if watch.is_paused and not before.is_paused:
            why = guard.sentence(shadow.overlay, watch)
            self._plane.to_envoys.pause(shadow.overlay, Pause(why, self._plane.now_ms()), by=Pauser.GUARD)
            _log.warning("%s: %s", shadow.overlay, why)
        elif before.is_paused and not watch.is_paused:
            self._intake.regulator.restart_low(shadow.overlay)
            self._plane.to_envoys.resume(shadow.overlay, by=Pauser.GUARD)
            _log.info("%s: mirroring goes on, with small shares that climb", shadow.overlay)

    def _vitals(self, node: str, now_ms: int) -> Vitals:
        pid, held = self._envoy(node)
        worker = self._intake.workers.get(self._worker_of(node) or "")
        if worker is None:
            since_ms = self._absent_ms.setdefault(node, now_ms)
        else:
            since_ms = now_ms
            self._absent_ms.pop(node, None)
        return Vitals(
            now_ms=now_ms,
            envoy=node,
            envoy_pid=pid,
            envoy_bytes=held,
            worker=worker.worker_id if worker else "",
            worker_bytes=worker.memory_bytes or None if worker else None,
            lag_ms=worker.lag_ms if worker else 0,
            silent_ms=now_ms - self._heard[worker.worker_id][1] if worker else 0,
            absent_ms=now_ms - since_ms,
        )

    def _envoy(self, node: str) -> tuple[int, int | None]:
        """Return an Envoy's pid, and how many bytes it holds."""
        key = layout.envoy_key(node)
        status, resident = self._plane.fleet.runtime.status(key), self._plane.fleet.runtime.memory(key)
        held = resident if resident is not None else self._intake.regulator.memory_of(node)
        return (status.pid or 0) if status else 0, held

    def _listen(self, now_ms: int) -> None:
        """Note which workers have said something since the last look, or wait for an answer of ours."""
        heard: dict[str, tuple[int, int]] = {}
        for name, worker in self._intake.workers.items():
            before = self._heard.get(name)
            is_news = before is None or before[0] != worker.seen_ms or not worker.is_answered
            heard[name] = (worker.seen_ms, now_ms) if is_news or before is None else before
        self._heard = heard

    def _node_of(self, overlay: str) -> str:
        return layout.tee_node(self._plane.state.overlays[overlay].spec.baseline)

    def _asleep_s(self, now_ms: int) -> float:
        return (now_ms - (self._looked_ms or now_ms)) / 1000
