"""`microstax status`: is everything as it should be, and if not, what is wrong."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from microstax import __version__
from microstax.control import coverage, crosschecks, layout, past, plans, queries
from microstax.control.ahead import Pause
from microstax.control.guarding import Guarding
from microstax.control.intake import Intake
from microstax.control.plane import Plane
from microstax.errors import StorageError
from microstax.generated.management.microstax.management.v1 import (
    EnvoyInfo,
    EnvoyType,
    GetStatusResponse,
    ShadowInfo,
    ShadowService,
    WorkerInfo,
)
from microstax.model.environment import ServicePhase, ServiceStatus
from microstax.model.report import CrossCheck
from microstax.report.account import sentence
from microstax.runtime.port import ProcessKey
from microstax.store.port import KEPT, MOST_KEPT_BYTES
from microstax.store.state import ShadowRecord
from microstax.xds import NodeStatus

SILENT_MS: Final = 12_000
"""A worker says something every second while anything is mirrored, and every five seconds otherwise."""
_TROUBLED: Final = {ServicePhase.UNHEALTHY, ServicePhase.RESTARTING, ServicePhase.FAILED}


class StatusReport:
    """Puts the parts' own knowledge together. `nodes` returns the xDS server's view of its clients."""

    def __init__(
        self,
        plane: Plane,
        intake: Intake,
        guarding: Guarding,
        *,
        folder: Path,
        nodes: Callable[[], tuple[NodeStatus, ...]],
    ) -> None:
        self._plane: Final = plane
        self._intake: Final = intake
        self._guarding: Final = guarding
        self._folder: Final = folder
        self._nodes: Final = nodes
        self._started_ms: Final = plane.now_ms()

    async def get(self) -> GetStatusResponse:
        """Return the status now."""
        nodes = {status.node_id: status for status in self._nodes()}
        envoys = [self._envoy(node_id, nodes.get(node_id)) for node_id in plans.envoy_nodes(self._plane.state)]
        found: list[str] = []
        shadows = [await self._shadow(shadow, nodes, found) for _, shadow in sorted(self._plane.state.shadows.items())]
        return GetStatusResponse(
            version=__version__,
            pid=os.getpid(),
            started_ms=self._started_ms,
            state_dir=str(self._folder),
            envoys=envoys,
            shadows=shadows,
            workers=self._workers(),
            problems=[*self._problems(envoys), *found],
        )

    def _envoy(self, node_id: str, status: NodeStatus | None) -> EnvoyInfo:
        process = self._plane.fleet.runtime.status(layout.envoy_key(node_id))
        return EnvoyInfo(
            node_id=node_id,
            role=layout.node_parts(node_id)[0],
            connected=status is not None and status.connected,
            applied=status is not None and status.applied,
            types=[
                EnvoyType(
                    type_url=one.type_url,
                    sent_version=one.version_sent,
                    acked_version=one.version_acked,
                    nack_version=one.nack.version if one.nack else "",
                    nack_error=one.nack.error if one.nack else "",
                )
                for one in (status.types if status else ())
            ],
            version=status.user_agent.rpartition(" ")[2] if status else "",
            pid=(process.pid or 0) if process else 0,
            phase=process.phase.value if process else ServicePhase.STOPPED.value,
            memory_bytes=self._memory(node_id),
            memory_limit_bytes=self._guarding.envoy_limit(node_id),
        )

    def _memory(self, node_id: str) -> int:
        resident = self._plane.fleet.runtime.memory(layout.envoy_key(node_id))
        return resident or self._intake.regulator.memory_of(node_id) or 0

    async def _shadow(self, shadow: ShadowRecord, nodes: Mapping[str, NodeStatus], found: list[str]) -> ShadowInfo:
        """Return a shadow; `found` is given a sentence for all that is wrong with its counts."""
        state = self._plane.state
        record = state.overlays[shadow.overlay]
        try:
            counts = await self._plane.journal.store.counts(shadow.overlay, shadow.generation)
        except StorageError as error:
            # A status that fails tells nobody what is wrong.
            counts, self._plane.journal.trouble = {}, error.message
        found += _full(shadow, counts)
        account = self._intake.accounts.coverage(shadow, counts, now_ms=self._plane.now_ms())
        found += _unexplained(shadow, account.get("cross_checks", []))
        node = nodes.get(layout.tee_node(record.spec.baseline))
        is_on, pause = shadow.settings.enabled, self._plane.to_envoys.paused.get(shadow.overlay)
        shown = self._plane.to_envoys.in_force(shadow)
        return ShadowInfo(
            overlay=shadow.overlay,
            baseline=record.spec.baseline,
            enabled=shadow.settings.enabled,
            control=queries.control_words(state, record, shadow),
            since_ms=shadow.since_ms,
            recheck_rps=shadow.settings.recheck_rps,
            keep_pairs=shadow.settings.keep_pairs,
            expires_ms=shadow.expires_ms,
            strip_headers=list(shadow.settings.strip_headers),
            max_total_rps=shadow.settings.max_total_rps,
            paused=pause.why if pause and is_on else "",
            paused_ms=pause.since_ms if pause and is_on else 0,
            adjusted=self._intake.regulator.adjusted(shadow) if is_on and not pause else [],
            fence=past.warning(record.spec, can_deny=self._plane.fleet.runtime.can_deny_ports()),
            services=[
                ShadowService(
                    service=spec.name,
                    sample_ppm=shadow.settings.sample_ppm,
                    current_ppm=queries.current_ppm(shown, spec.name),
                    mirrored=counts.get((spec.name, coverage.MIRRORED), 0),
                    paired=counts.get((spec.name, coverage.PAIRED), 0),
                    state=_state(shadow, node, pause),
                    kept=counts.get((spec.name, KEPT), 0),
                )
                for spec in queries.shadowed_services(record, shadow)
            ],
        )

    def _workers(self) -> list[WorkerInfo]:
        return [
            WorkerInfo(
                worker_id=one.worker_id,
                pid=one.pid,
                last_seen_ms=one.seen_ms,
                pairs=one.pairs,
                lag_ms=one.lag_ms,
                memory_bytes=one.memory_bytes,
            )
            for _, one in sorted(self._intake.workers.items())
        ]

    def _problems(self, envoys: list[EnvoyInfo]) -> list[str]:
        found = [self._plane.journal.trouble] if self._plane.journal.trouble else []
        found += [sentence for _, sentence in sorted(self._plane.publisher.problems.items())]
        for envoy in envoys:
            found += [
                f"{envoy.node_id} refused its {one.type_url.rpartition('.')[2]} configuration: {one.nack_error}"
                for one in envoy.types
                if one.nack_error and one.nack_version
            ]
            if not envoy.connected and envoy.phase == ServicePhase.READY.value:
                found.append(f"{envoy.node_id} runs but is not connected; it serves on with its last configuration.")
        statuses = sorted(self._plane.fleet.runtime.statuses().items())
        found += [_trouble(key, status) for key, status in statuses if status.phase in _TROUBLED]
        runtime = self._plane.fleet.runtime
        found += [text for key, text in self._plane.fleet.problems.items() if runtime.status(key) is None]
        on = {one.overlay for one in queries.all_enabled(self._plane.state)}
        found += [
            f"{overlay}: {pause.why}"
            for overlay, pause in sorted(self._plane.to_envoys.paused.items())
            if overlay in on
        ]
        if on:
            found += self._silence()
        return found

    def _silence(self) -> list[str]:
        """Return what keeps traffic from being compared: no worker, or one that says nothing."""
        workers = self._intake.workers
        if not workers:
            return ["No worker is connected, so nothing is compared at the moment."]
        now_ms = self._plane.now_ms()
        refused = [
            f"What the worker {one.worker_id} finds is lost: {one.refused} If microstax was upgraded since it was "
            "started: 'microstax down', then 'microstax up'."
            for _, one in sorted(workers.items())
            if one.refused
        ]
        blind = [problem for _, one in sorted(workers.items()) for problem in one.problems]
        silent = [
            f"The worker {one.worker_id} has said nothing for {(now_ms - one.seen_ms) // 1000} s, so what it looks at "
            f"is not compared at the moment; should it hang, 'kill -9 {one.pid}' has it started again."
            for _, one in sorted(workers.items())
            if now_ms - one.seen_ms > SILENT_MS
        ]
        return refused + blind + silent


def _trouble(key: ProcessKey, status: ServiceStatus) -> str:
    why = f": {status.message}" if status.message else ""
    return f"{key} is {status.phase.value}, {status.restarts} restarts so far{why}"


def _unexplained(shadow: ShadowRecord, checks: Sequence[CrossCheck]) -> list[str]:
    """Return where so much does not add up that an account cannot be trusted."""
    return [f"The counts of {shadow.overlay} do not add up. {sentence(one)}." for one in crosschecks.large(checks)]


def _full(shadow: ShadowRecord, counts: Mapping[tuple[str, str], int]) -> list[str]:
    return [
        f"{shadow.overlay} keeps {kept} of {shadow.settings.keep_pairs} pairs of {service} and no more: they take "
        f"{MOST_KEPT_BYTES >> 20} MiB, which is the most."
        for (service, name), kept in sorted(counts.items())
        if name == KEPT and kept < shadow.settings.keep_pairs and coverage.is_full(counts, service)
    ]


def _state(shadow: ShadowRecord, node: NodeStatus | None, pause: Pause | None) -> str:
    if not shadow.settings.enabled:
        return "off"
    if pause is not None:
        return "paused"
    if node is not None and node.nack is not None:
        return f"refused by Envoy: {node.nack.error}"
    return "mirroring" if node is not None and node.applied else "waiting for Envoy"
