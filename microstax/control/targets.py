"""Which Envoys each worker polls, for which shadows, and what it may never let out."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from microstax.capture.redaction import Redaction
from microstax.control import coverage, layout, queries
from microstax.control.envoys import admin_path
from microstax.generated.management.microstax.management.v1 import Target, TargetList, TargetShadow
from microstax.model.environment import ServiceSpec
from microstax.model.shadow import ControlMode
from microstax.store.state import OverlayRecord, ShadowRecord, State


class Targets:
    """Follows the state. A shadow that was switched off stays a target until its last answers have come in."""

    def __init__(self, folder: Path, *, redaction_key: bytes) -> None:
        self._folder: Final = folder
        self._redaction_key: Final = redaction_key
        self._state = State()
        self._workers: list[str] = []
        self._draining: dict[str, asyncio.TimerHandle] = {}
        self._news = asyncio.Event()

    def follow(self, state: State) -> None:
        """Take the newest state."""
        for name, shadow in self._state.shadows.items():
            now = state.shadows.get(name)
            if shadow.settings.enabled and now is not None and not now.settings.enabled:
                self._drain(now)
        self._state = state
        self._tell()

    async def watch(self, worker_id: str) -> AsyncIterator[TargetList]:
        """Yield a worker's targets, at once and on every change. What is yielded is the caller's to complete."""
        self._workers.append(worker_id)
        self._tell()
        try:
            last: TargetList | None = None
            while True:
                news = self._news
                targets = self.of_worker(worker_id)
                if targets != last:
                    last = targets
                    yield self.of_worker(worker_id)
                await news.wait()
        finally:
            self._workers.remove(worker_id)
            self._tell()

    def of_worker(self, worker_id: str) -> TargetList:
        """Return the targets of one worker now: every Envoy belongs to exactly one of the workers that watch."""
        return TargetList(
            targets=[target for target in self._all() if owner(target.node_id, self._workers) == worker_id]
        )

    def worker_of(self, node_id: str) -> str | None:
        """Return the worker that polls an Envoy, None where there is none."""
        return owner(node_id, self._workers)

    def _all(self) -> list[Target]:
        tees: dict[str, list[TargetShadow]] = {}
        bridges: list[Target] = []
        for name, shadow in sorted(self._state.shadows.items()):
            if not (shadow.settings.enabled or name in self._draining) or name not in self._state.overlays:
                continue
            record = self._state.overlays[name]
            tees.setdefault(record.spec.baseline, []).extend(_shadows(self._state, record, shadow))
            bridges.append(self._target(layout.bridge_node(name), record.spec.baseline, []))
        return [*(self._target(layout.tee_node(name), name, shadows) for name, shadows in tees.items()), *bridges]

    def _target(self, node_id: str, environment: str, shadows: list[TargetShadow]) -> Target:
        rules = self._state.environments[environment].spec.redaction
        return Target(
            node_id=node_id,
            role=layout.node_parts(node_id)[0],
            admin_address=f"unix:{admin_path(self._folder, node_id)}",
            shadows=shadows,
            redaction=Redaction.of(rules, key=self._redaction_key).to_bytes(),
        )

    def _drain(self, shadow: ShadowRecord) -> None:
        if (earlier := self._draining.get(shadow.overlay)) is not None:
            earlier.cancel()
        delay_s = (shadow.settings.branch_timeout_ms + coverage.DELIVERY_MS) / 1000
        loop = asyncio.get_running_loop()
        self._draining[shadow.overlay] = loop.call_later(delay_s, self._drained, shadow.overlay)

    def _drained(self, overlay: str) -> None:
        self._draining.pop(overlay, None)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def owner(node_id: str, workers: list[str]) -> str | None:
    """Return the worker that polls a node (rendezvous hashing): others keep theirs when one comes or goes."""
    return max(workers, key=lambda one: hashlib.sha256(f"{one}\0{node_id}".encode()).digest(), default=None)


def _shadows(state: State, record: OverlayRecord, shadow: ShadowRecord) -> list[TargetShadow]:
    return [_shadow(state, record, shadow, spec) for spec in queries.shadowed_services(record, shadow)]


def _shadow(state: State, record: OverlayRecord, shadow: ShadowRecord, own: ServiceSpec) -> TargetShadow:
    base = queries.base_service(state, record, own.name)
    told = TargetShadow(
        overlay=record.spec.name,
        service=own.name,
        control=queries.control_mode(base, shadow).value,
        max_body_bytes=shadow.settings.max_body_bytes,
        timeout_ms=shadow.settings.branch_timeout_ms,
        generation=shadow.generation,
        recheck_rps=shadow.settings.recheck_rps,
        keep_pairs=shadow.settings.keep_pairs,
    )
    if told.recheck_rps:
        # The processes and not the tee, which would mirror what is asked again, and count it.
        told.strip_headers = list(shadow.settings.strip_headers)
        told.baseline_address = str(queries.service_address(state, record.spec.baseline, base))
        told.branch_address = str(queries.service_address(state, record.spec.name, own))
        told.control_address = _control_address(state, record, told)
    return told


def _control_address(state: State, record: OverlayRecord, told: TargetShadow) -> str:
    """Return where the control listens: a copy, or the baseline itself; empty where there is none."""
    if told.control == ControlMode.SELF:
        return told.baseline_address
    copied = told.control == ControlMode.COPY
    return str(queries.port_address(state, layout.control_port(record.spec.name, told.service))) if copied else ""
