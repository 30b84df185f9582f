"""One Envoy as a worker sees it: the tap's traces become results, its statistics become counters."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from microstax.capture import (
    Chunk,
    Collector,
    Command,
    Inbox,
    Pairer,
    PollFailed,
    Redaction,
    Redactor,
    TapPoller,
)
from microstax.envoy import tap_request
from microstax.envoy.memory import MEMORY_PATH, read_memory
from microstax.envoy.stats import MirrorKey, read_counters
from microstax.errors import UsageError
from microstax.generated.management.microstax.management.v1 import Target
from microstax.model.exchange import Side
from microstax.worker.admin import AdminError, epoch_of, get, statistics
from microstax.worker.ledger import Ledger
from microstax.worker.notices import Notices
from microstax.worker.poll_size import TraceSizes, traces_per_poll
from microstax.worker.reading import Growth, read_so_far
from microstax.worker.rechecker import Rechecker
from microstax.worker.sites import Place, expected, max_body, sites

POLL_MS: Final = 500
TICK_S: Final = 0.25
COUNT_S: Final = 1.0
TELL_S: Final = 2.0
"""How long an Envoy may be out of sight before that is told: it may be about to start."""
BRIDGE: Final = "bridge"


@dataclass(slots=True)
class Node:
    """Watches one Envoy until `stop`. `target` may be replaced by `update` while it runs."""

    target: Target
    ledger: Ledger
    notices: Notices
    inbox: Inbox = field(default_factory=Inbox)
    memory_bytes: int = 0
    collector: Collector = field(init=False)
    rechecker: Rechecker = field(init=False)
    _poller: TapPoller = field(init=False)
    _dropped: dict[MirrorKey, int] = field(default_factory=dict)
    _traces: Growth = field(default_factory=Growth)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _unattached: int = 0
    _sizes: TraceSizes = field(default_factory=TraceSizes)
    _problem: str = ""
    _problem_s: float = 0.0
    _reported_drops: int = 0
    _reported_undecodable: int = 0

    def __post_init__(self) -> None:
        """Prepare what `run` runs."""
        self.collector = Collector(Pairer(), Redactor(Redaction.with_fresh_key()))
        node_id = self.target.node_id
        self.rechecker = Rechecker(self.ledger, self.collector.read_answer, self.notices, node_id)
        self._poller = self._new_poller()
        self.update(self.target)

    def update(self, target: Target) -> None:
        """Take in what is mirrored now, and by which rules it is redacted."""
        before, self.target = self.target, target
        redaction = self._redaction(target.redaction)
        if redaction is None:
            # Without the rules nothing may be looked at: a value that should be hashed would get out.
            self._wanted.clear()
            self._poller.stop()
            return
        if before is target or before.redaction != target.redaction:
            self.collector.redactor = Redactor(redaction)
        self.collector.pairer.expect(expected(target))
        self.rechecker.aim(sites(target))
        if target.shadows and target.role != BRIDGE:
            self._wanted.set()
        else:
            self._wanted.clear()
            self._poller.stop()

    async def run(self) -> None:
        """Poll, read and count until `stop`; what was captured by then has been taken in when this returns."""
        self.rechecker.begin()
        try:
            async with asyncio.TaskGroup() as group:
                others = [group.create_task(task) for task in (self._read(), self._tick(), self._count())]
                await self._poll()
                for task in others:
                    task.cancel()
        finally:
            self.rechecker.end()
        await self.rechecker.ended()
        while (chunk := self.inbox.take()) is not None:
            self._feed(chunk)
        self._take(self.collector.flush(_monotonic_us()))
        with suppress(AdminError):
            await self.count()

    def stop(self) -> None:
        """Ask for no more traces; `run` ends when the poll under way is over."""
        self._stopping.set()
        self._wanted.set()
        self._poller.stop()

    @property
    def polls(self) -> int:
        """How many polls the Envoy has accepted."""
        return self._poller.answers

    @property
    def is_attached(self) -> bool:
        """Tell whether Envoy has accepted a poll since the last one that failed, and is asked for more."""
        return self._wanted.is_set() and not self._stopping.is_set() and self._poller.answers > self._unattached

    @property
    def problem(self) -> str:
        """A sentence that says why the Envoy has not been looked at for a while; empty where it is."""
        if self.is_attached or not self._wanted.is_set() or time.monotonic() - self._problem_s < TELL_S:
            return ""
        return self._problem

    @property
    def pending(self) -> dict[Place, int]:
        """How many requests wait for their other half, by (overlay, service)."""
        pending = self.rechecker.pending
        for (service, overlay), count in self.collector.pairer.pending.items():
            pending[overlay, service] = pending.get((overlay, service), 0) + count
        return pending

    def lag_us(self, now_us: int) -> int:
        """Return the age of the oldest trace that was not read yet, in microseconds; 0 if there is none."""
        oldest = self.inbox.oldest_us()
        return max(0, now_us - oldest) if oldest is not None else 0

    async def _poll(self) -> None:
        """Poll while anything is mirrored."""
        while not self._stopping.is_set():
            await self._wanted.wait()
            if self._stopping.is_set():
                return
            self._poller = self._new_poller(self._poller.answers)
            self._unattached, self._problem = self._poller.answers, ""
            await self._poller.run()

    def _new_poller(self, answers: int = 0) -> TapPoller:
        return TapPoller(
            self.target.admin_address,
            request=self._request,
            on_chunk=self._on_chunk,
            on_failure=self._on_failure,
            poll_ms=POLL_MS,
            answers=answers,
        )

    def _request(self) -> bytes:
        collector = self.collector
        mean = self._sizes.note(traces=collector.traces, size=collector.trace_bytes)
        body = max_body(self.target)
        return tap_request(traces_per_poll(max_body=body, mean_bytes=mean), POLL_MS, body)

    def _on_chunk(self, chunk: Chunk) -> None:
        self.inbox.put(chunk)
        self.notices.resolved(f"poll {self.target.node_id}", f"{self.target.node_id}: its traces arrive again")

    def _on_failure(self, failed: PollFailed) -> None:
        if self._poller.answers > self._unattached or not self._problem:
            self._problem_s = time.monotonic()
        self._unattached = self._poller.answers
        self._problem = f"{self.target.node_id} cannot be looked at: {failed}."
        self.notices.problem(f"poll {self.target.node_id}", f"{self.target.node_id}: {failed}", kind=failed.problem)

    async def _read(self) -> None:
        while True:
            chunk = await self.inbox.get()
            await asyncio.sleep(0)
            await self._poller.between.wait()
            self._feed(chunk)

    def _feed(self, chunk: Chunk) -> None:
        try:
            self._take(self.collector.feed(chunk, now_us=_monotonic_us()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next chunk is another one
            self.notices.failure(f"{self.target.node_id}: traces cannot be read", error)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._take(self.collector.tick(_monotonic_us()))
            self.rechecker.tick()
            self._report()

    def _take(self, commands: Iterable[Command]) -> None:
        """Compare; a pair that shows a mistake of ours is counted and costs no other pair."""
        at_ms, node_id = time.time_ns() // 1_000_000, self.target.node_id
        for command in commands:
            try:
                if not self.rechecker.take(command, at_ms=at_ms):
                    self.ledger.take(command, at_ms=at_ms, node_id=node_id)
            except Exception as error:  # noqa: BLE001 - whatever it is, the traffic goes on
                self.notices.failure(f"{self.target.node_id}: a pair cannot be compared", error)
                self.ledger.give_up(command, node_id=node_id)

    def _report(self) -> None:
        """Log what could not be read, with counts and without a word of its content."""
        name, collector = self.target.node_id, self.collector
        if (dropped := self.inbox.dropped_bytes) != self._reported_drops:
            self._reported_drops = dropped
            self.notices.problem(f"drops {name}", f"{name}: traces come faster than they can be compared")
        if collector.undecodable != self._reported_undecodable:
            self._reported_undecodable = collector.undecodable
            self.notices.problem(f"undecodable {name}", f"{name}: a trace cannot be used ({collector.problem})")

    async def _count(self) -> None:
        while True:
            with suppress(AdminError):  # the poller tells of an Envoy that does not answer
                await self.count()
            await asyncio.sleep(COUNT_S)

    async def count(self) -> None:
        """Read the counters once; raises AdminError."""
        address = self.target.admin_address
        epoch, at_ms = epoch_of(address), time.time_ns() // 1_000_000
        values = await statistics(address)
        traces = self._traces.since(read_so_far(self.collector))
        self.ledger.count(self.target.node_id, epoch=epoch, counters=values, at_ms=at_ms, traces=traces)
        for key, mirror in read_counters(values).mirrors.items():
            if key.side is Side.BRANCH:
                self._note_drops(key, mirror.dropped)
        self.memory_bytes = read_memory(await get(address, MEMORY_PATH))

    def _note_drops(self, key: MirrorKey, dropped: int) -> None:
        before = self._dropped.get(key)
        self._dropped[key] = dropped
        if before is not None and dropped != before:
            grown = dropped - before if dropped > before else dropped
            self.collector.pairer.copies_dropped(key.service, key.overlay, grown)

    def _redaction(self, data: bytes) -> Redaction | None:
        try:
            return Redaction.from_bytes(data)
        except UsageError as error:
            self.notices.problem(f"redaction {self.target.node_id}", f"{self.target.node_id}: {error.message}")
            return None


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
