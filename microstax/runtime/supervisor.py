"""One wanted process: start or adopt it, probe it, start it again when it ends, stop it with all that is its own."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from microstax.errors import ServiceFailedError
from microstax.model.environment import HealthCheck, ServicePhase, ServiceStatus
from microstax.runtime.background import Background
from microstax.runtime.launch import RunningProcess, launch
from microstax.runtime.life import Life
from microstax.runtime.logs import tail_text
from microstax.runtime.port import ProcessSpec
from microstax.runtime.probe import REFUSED, describe_check, probe
from microstax.runtime.procfs import is_alive
from microstax.runtime.records import Leader, Records
from microstax.runtime.termination import members_of, terminate

_log: Final = logging.getLogger(__name__)


class Supervisor:
    """Keeps one process as its spec wants it. Belongs to one event loop; `changed` is told of every new status."""

    def __init__(
        self, spec: ProcessSpec, *, state: Path, log: Path, records: Records, changed: Callable[[ServiceStatus], None]
    ) -> None:
        self.spec = spec
        self.stopping = False
        self._state, self.log, self._records, self._changed = state, log, records, changed
        self._life = Life(_check(spec))
        self._process: RunningProcess | None = None
        self._watching = Background(f"the supervision of {spec.key}", failed=self._broke)
        self._news = asyncio.Event()
        self._last: ServiceStatus | None = None

    @property
    def status(self) -> ServiceStatus:
        """What is known of the process now."""
        return ServiceStatus(
            name=self.spec.key.name,
            phase=self._life.phase,
            address=self.spec.address,
            pid=self._process.pid if self._process else None,
            restarts=self._life.restarts,
            message=self._life.message,
        )

    async def start(self, leader: Leader | None = None) -> None:
        """Adopt the process of `leader` if it still runs, else start one. Raises ServiceFailedError."""
        if self.spec.command:
            self._process = _adopt(leader) if leader else None
            if self._process is None:
                await self._sweep(leader)
                self._launch()
        self._life.started(_now())
        self._publish()
        self._watching.start(self._supervise())

    async def wait_ready(self, timeout_s: float) -> ServiceStatus:
        """Wait until the process is ready. Raises ServiceFailedError."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._life.phase is not ServicePhase.READY:
                    self._raise_if_over()
                    await self._news.wait()
        except TimeoutError:
            raise ServiceFailedError(self._explain(f"did not become healthy within {timeout_s:g} s")) from None
        return self.status

    def watch_as(self, spec: ProcessSpec) -> None:
        """Go on with another health check: what runs is the same."""
        self.spec = spec
        self._life.health = _check(spec)

    async def stop(self) -> None:
        """Stop the process and everything it started. Can be called again after it was cancelled."""
        self.stopping = True
        await self._watching.cancel()
        if self.spec.command:
            await self._sweep(self._process.leader if self._process else None)
        if self._process is not None:
            if self._process.exited.is_set() or await _ends(self._process):
                self._process.reap()
            else:
                _log.error("%s cannot be ended: process %d does not react", self.spec.key, self._process.pid)
                self._process.abandon()
            self._process = None
        self._records.remove(self.spec.key)
        self._life.phase, self._life.message = ServicePhase.STOPPED, ""
        self._publish()

    async def detach(self) -> None:
        """Stop watching; the process runs on."""
        await self._watching.cancel()
        if self._process is not None:
            self._process.abandon()

    async def _supervise(self) -> None:
        while True:
            if self._process is not None:
                await self._watch(self._process)
                delay = await self._bury(self._process)
            elif self.spec.command:
                delay = self._start_again()
            else:
                await self._probe_forever()
            await asyncio.sleep(delay)

    def _broke(self) -> None:
        self._life.phase, self._life.message = ServicePhase.FAILED, "its supervision failed: see microstax's log"
        self._publish()

    async def _watch(self, process: RunningProcess) -> None:
        async with asyncio.TaskGroup() as group:
            probing = group.create_task(self._probe_forever())
            await process.exited.wait()
            probing.cancel()

    async def _probe_forever(self) -> None:
        while True:
            if self._life.health is not None:
                self._life.probed(_now(), await probe(self.spec))
                self._publish()
            await asyncio.sleep(self._life.probe_delay_s())

    async def _bury(self, process: RunningProcess) -> float:
        # Sweep before reaping: until then the kernel gives the pid, and so the session's id, to nobody else.
        await self._sweep(process.leader)
        self._process = None
        delay = self._life.exited(_now(), process.reap())
        _log.warning("%s: %s; it is started again in %.1f s", self.spec.key, self._life.message, delay)
        self._publish()
        return delay

    def _start_again(self) -> float:
        try:
            self._launch()
        except ServiceFailedError as error:
            delay = self._life.exited(_now(), error.message)
            self._publish()
            return delay
        self._life.started(_now())
        self._publish()
        return 0.0

    def _launch(self) -> None:
        self._process = launch(self.spec, state=self._state, log=self.log)
        try:
            self._records.write(self.spec.key, self._process.leader)
        except OSError as error:  # a full disk: the markers are enough to find it again
            _log.warning("%s: its record cannot be written: %s", self.spec.key, error)

    async def _sweep(self, leader: Leader | None) -> None:
        identity = leader.identity if leader else None
        left = await terminate(
            lambda: members_of(self.spec.key, identity, state=self._state), timeout_s=self.spec.stop_timeout_s
        )
        if left:
            _log.error("%s: processes %s cannot be ended", self.spec.key, [process.pid for process in left])

    def _publish(self) -> None:
        status = self.status
        if status == self._last:
            return
        self._last = status
        news, self._news = self._news, asyncio.Event()
        news.set()
        self._changed(replace(status))

    def _raise_if_over(self) -> None:
        if self._life.phase is ServicePhase.FAILED:
            raise ServiceFailedError(self._explain("does not stay up"))
        if self._life.phase is ServicePhase.STOPPED:
            raise ServiceFailedError(f"{self.spec.key} was stopped before it was ready.")

    def _explain(self, what: str) -> str:
        reason = self._life.message or f"no answer yet to {describe_check(self.spec)}"
        if not self.spec.command:
            return f"{self.spec.key} {what}: {reason}. Start the server, or correct its url."
        if self.spec.address is not None and reason.endswith(REFUSED):
            reason += f" (it has to listen on {self.spec.address.host} at $PORT)"
        last = tail_text(self.log)
        shown = f"The last lines of its log ({self.log}):\n{last}" if last else f"Its log is empty ({self.log})."
        return f"{self.spec.key} {what}: {reason}. {shown}"


def _check(spec: ProcessSpec) -> HealthCheck | None:
    if spec.health is None and (spec.health_socket is not None or not spec.command):
        return HealthCheck()
    return spec.health


def _adopt(leader: Leader) -> RunningProcess | None:
    try:
        process = RunningProcess(leader)
    except ProcessLookupError:
        return None
    if is_alive(leader.identity):  # asked again: now that its pidfd is open, the pid cannot change its owner
        return process
    process.abandon()
    return None


async def _ends(process: RunningProcess) -> bool:
    try:
        async with asyncio.timeout(1.0):
            await process.exited.wait()
    except TimeoutError:
        return False
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()
