"""The worker's life: targets in, deltas out, whatever happens to the control plane or the Envoys."""

import asyncio
import logging
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from microstax.api.client import AsyncClient
from microstax.api.methods import SUBMIT_DELTA, WATCH_TARGETS
from microstax.errors import EXIT_USAGE, MicrostaxError
from microstax.generated.management.microstax.management.v1 import (
    Delta,
    Target,
    TargetList,
    WatchTargetsRequest,
)
from microstax.runtime.procfs import resident_bytes
from microstax.worker.admin import AdminError
from microstax.worker.ledger import Generations, Ledger
from microstax.worker.node import BRIDGE, Node
from microstax.worker.notices import Notices
from microstax.worker.sites import Place

FLUSH_S: Final = 0.5
GLANCE_S: Final = 0.03
"""How often to look whether a tap was attached: somebody waits for that."""
HEARTBEAT_S: Final = 5.0
BUSY_HEARTBEAT_S: Final = 1.0
"""While an Envoy is watched: a worker that says nothing for some seconds stops the mirroring."""
LAST_POLLS_S: Final = 2.5
LAST_WORD_S: Final = 1.5
"""Both together stay below the five seconds after which a runtime kills."""
_FIRST_PAUSE_S: Final = 0.1
_MOST_PAUSE_S: Final = 1.0
_LAST_PAUSE_S: Final = 2.0
_log: Final = logging.getLogger("microstax.worker")
_CONTROL: Final = "control plane"


@dataclass(slots=True)
class _Running:
    node: Node
    task: asyncio.Task[None]


@dataclass(slots=True)
class Worker:
    """Works for the control plane at `address` until `stop`."""

    address: str
    worker_id: str
    notices: Notices = field(default_factory=Notices)
    ledger: Ledger = field(init=False)
    _client: AsyncClient = field(init=False)
    _nodes: dict[str, _Running] = field(default_factory=dict)
    _unsent: Delta | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Open the channel to the control plane; it connects when it is used."""
        self.ledger = Ledger(self.worker_id)
        self._client = AsyncClient(self.address)

    def stop(self) -> None:
        """Ask for the end: take in what is captured, report it, and return from `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`."""
        _log.info("worker %s reports to %s", self.worker_id, self.address)
        try:
            async with asyncio.TaskGroup() as group:
                others = [group.create_task(task) for task in (self._watch(group), self._flush())]
                await self._stopping.wait()
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
                await self._end_nodes(list(self._nodes))
                await self._last_word()
        finally:
            await self._client.close()
        _log.info("worker %s ends after %d pairs", self.worker_id, self.ledger.pairs)

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        """Follow the list of targets; without a control plane the last list stays in force."""
        pause = _FIRST_PAUSE_S
        request = WatchTargetsRequest(worker_id=self.worker_id, pid=os.getpid())
        while True:
            try:
                async for targets in self._client.stream(WATCH_TARGETS, request):
                    self.notices.resolved(_CONTROL, "the control plane is reached again")
                    pause = _FIRST_PAUSE_S
                    await self._aim(targets, group)
            except MicrostaxError as error:
                self.notices.problem(_CONTROL, error.message, kind=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE_S)

    async def _aim(self, targets: TargetList, group: asyncio.TaskGroup) -> None:
        """Watch exactly the targets of the list."""
        wanted = {target.node_id: target for target in targets.targets}
        gone = [
            name
            for name, running in self._nodes.items()
            if name not in wanted or wanted[name].admin_address != running.node.target.admin_address
        ]
        await self._end_nodes(gone)
        places = {(shadow.overlay, shadow.service) for target in targets.targets for shadow in target.shadows}
        self.ledger.forget(places)
        for target in targets.targets:
            self._seed(target)
            await self._begin(target)
            if target.node_id in self._nodes:
                self._nodes[target.node_id].node.update(target)
            else:
                node = Node(target, self.ledger, self.notices)
                task = group.create_task(self._guard(node), name=f"node {target.node_id}")
                self._nodes[target.node_id] = _Running(node, task)
                _log.info("watching %s at %s", target.node_id, target.admin_address)

    def _seed(self, target: Target) -> None:
        for shadow in target.shadows:
            try:
                self.ledger.seed(shadow.overlay, shadow.service, shadow.learned)
            except MicrostaxError as error:  # what was learned before is a help and not a need
                self.notices.problem(f"learned {shadow.overlay}/{shadow.service}", error.message)

    async def _begin(self, target: Target) -> None:
        """Count towards the generations of a target; what was mirrored before is counted before."""
        running = self._nodes.get(target.node_id)
        if running is not None and _generations(running.node.target) != _generations(target):
            with suppress(AdminError):  # the next reading tells as much, of both generations together
                await running.node.count()
        for shadow in target.shadows:
            self.ledger.begin(shadow.overlay, shadow.service, shadow.generation, now_us=time.time_ns() // 1000)
            self.ledger.keep(shadow.overlay, shadow.service, shadow.keep_pairs)

    async def _guard(self, node: Node) -> None:
        """Run a node; a mistake of ours costs what it was holding, and no other node."""
        while True:
            try:
                await node.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other nodes go on
                self.notices.failure(f"{node.target.node_id}: watching failed", _first(error))
                await asyncio.sleep(_LAST_PAUSE_S)
            else:
                return

    async def _end_nodes(self, names: list[str]) -> None:
        ending = [self._nodes.pop(name) for name in names]
        for running in ending:
            running.node.stop()
        if ending:
            await asyncio.wait([running.task for running in ending], timeout=LAST_POLLS_S)
        for running in ending:
            running.task.cancel()
            _log.info("no longer watching %s", running.node.target.node_id)

    async def _flush(self) -> None:
        """Report every half second what is new, every few seconds that we are alive, and at once a tap's attachment."""
        beat = time.monotonic()
        while True:
            await self._pause()
            rest_s = time.monotonic() - beat
            self._cut(force=rest_s >= (BUSY_HEARTBEAT_S if self._nodes else HEARTBEAT_S))
            if self._unsent is not None:
                await self._submit()
                beat = time.monotonic()

    async def _pause(self) -> None:
        """Wait until it is time for a delta."""
        end = time.monotonic() + FLUSH_S
        while time.monotonic() < end and not self.ledger.is_news(self._watched()):  # noqa: ASYNC110
            await asyncio.sleep(GLANCE_S)

    def _watched(self) -> Generations:
        return {
            name: _generations(running.node.target)
            for name, running in self._nodes.items()
            if running.node.target.role != BRIDGE and running.node.is_attached
        }

    def _cut(self, *, force: bool = False) -> None:
        """Make the next delta, unless one is on its way: then results keep merging into the one after it."""
        if self._unsent is None:
            self._unsent = self.ledger.cut(
                at_ms=time.time_ns() // 1_000_000,
                lag_ms=self._lag_ms(),
                pending=self._pending(),
                watched=self._watched(),
                force=force,
            )
            if self._unsent is not None:
                self._measure(self._unsent)

    def _measure(self, delta: Delta, *, again: bool = False) -> None:
        """Say in a delta how this process and the Envoys are now.

        Also in one that is sent `again`: what cannot be stored for want of room is still what shares and limits go by.
        """
        delta.lag_ms, delta.memory_bytes = self._lag_ms(), resident_bytes(os.getpid()) or 0
        problems = (running.node.problem for _, running in sorted(self._nodes.items()))
        delta.problems = [problem for problem in problems if problem]
        if again:
            delta.measured = self.ledger.newest_counters
        for one in (*delta.counters, *delta.measured):
            running = self._nodes.get(one.node_id)
            one.memory_bytes = running.node.memory_bytes if running is not None else 0

    def _lag_ms(self) -> int:
        now_us = time.time_ns() // 1000
        return max((running.node.lag_us(now_us) for running in self._nodes.values()), default=0) // 1000

    def _pending(self) -> dict[Place, int]:
        pending: Counter[Place] = Counter()
        for running in self._nodes.values():
            pending.update(running.node.pending)
        return dict(pending)

    async def _submit(self) -> None:
        """Send the delta until the control plane has it. It applies a delta once, however often it is sent."""
        pause = _FIRST_PAUSE_S
        while self._unsent is not None:
            try:
                await self._client.call(SUBMIT_DELTA, self._unsent, timeout_s=10.0)
            except MicrostaxError as error:
                if error.exit_code == EXIT_USAGE:
                    # The control plane will never take it; kept, it would hold back all that come after.
                    self.notices.problem("delta", f"a delta was refused and is lost: {error.message}")
                    self._unsent = None
                    return
                self.notices.problem(_CONTROL, error.message, kind=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _MOST_PAUSE_S if self._nodes else _LAST_PAUSE_S)
                self._measure(self._unsent, again=True)
            else:
                self._unsent = None
                self.notices.resolved(_CONTROL, "the control plane is reached again")

    async def _last_word(self) -> None:
        """Report what is left, if the control plane takes it soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_S):
                await self._submit()
                self._cut()
                await self._submit()


def _generations(target: Target) -> dict[str, int]:
    return {shadow.overlay: shadow.generation for shadow in target.shadows}


def _first(error: Exception) -> Exception:
    """Return the error that a task group wrapped."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
