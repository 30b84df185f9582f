"""The local runtime: services, Envoys and workers as processes of this machine and this user.

Everything lives in the state folder: `logs/GROUP/NAME.log` and a record of each process. Processes outlive the
control plane; the next one with the same state folder finds and adopts them.
"""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Final

from microstax.errors import NotFoundError, ServiceFailedError
from microstax.model.environment import ServiceStatus
from microstax.runtime import fenced, logs, ports
from microstax.runtime.background import Background
from microstax.runtime.marker import check_key, marked_processes, spec_digest
from microstax.runtime.port import ProcessKey, ProcessRole, ProcessSpec, StatusListener
from microstax.runtime.procfs import is_alive, resident_bytes
from microstax.runtime.records import Leader, Records
from microstax.runtime.supervisor import Supervisor
from microstax.runtime.termination import all_members, members_of, terminate

_log: Final = logging.getLogger(__name__)
_ROTATE_EVERY_S: Final = 5.0
_STRAY_TIMEOUT_S: Final = 5.0


class LocalRuntime:
    """A Runtime of real processes; see `port.Runtime`. Use within one event loop."""

    def __init__(self, state: Path) -> None:
        """Use the state folder `state`; the runtime is the only one that does (`state.StateLock`)."""
        self._state = state.resolve()
        self._records = Records(self._state / "processes")
        self._wanted: dict[ProcessKey, Supervisor] = {}
        self._found: dict[ProcessKey, Leader | None] = {}
        self._locks: dict[ProcessKey, asyncio.Lock] = {}
        self._listeners: list[StatusListener] = []
        self._ports: set[int] = set()
        self._can_deny_ports: Final = fenced.can_deny_ports()
        self._rotation = Background("the rotation of logs")

    def can_deny_ports(self) -> bool:
        """Tell whether this kernel keeps a process from connecting to ports."""
        return self._can_deny_ports

    async def open(self) -> tuple[ProcessKey, ...]:
        """Find the processes that an earlier control plane with the same state started; return their keys."""
        self._found = await asyncio.to_thread(self._find)
        self._rotation.start(self._rotate_forever())
        return tuple(sorted(self._found))

    async def start(self, spec: ProcessSpec) -> None:
        """Make `spec` run; see `port.Runtime.start`."""
        check_key(spec.key)
        async with self._lock(spec.key):
            running = self._wanted.get(spec.key)
            if running and not running.stopping and spec_digest(running.spec) == spec_digest(spec):
                running.watch_as(spec)
                return
            if running:
                await self._stop(spec.key)
            await self._start(spec)

    async def _start(self, spec: ProcessSpec) -> None:
        leader = self._found.get(spec.key)
        keep = leader is not None and leader.digest == spec_digest(spec) and is_alive(leader.identity)
        if spec.key in self._found and not keep:
            await self._stop_stray(spec.key)
        if spec.command and not keep and spec.address is not None:
            ports.check_free(spec.address, wanted_by=str(spec.key))
        supervisor = Supervisor(
            spec,
            state=self._state,
            log=self.log_path(spec.key),
            records=self._records,
            changed=lambda status: self._tell(spec.key, status),
        )
        await supervisor.start(leader if keep else None)
        self._found.pop(spec.key, None)
        self._wanted[spec.key] = supervisor

    async def wait_ready(self, key: ProcessKey, *, timeout_s: float) -> ServiceStatus:
        """Wait for health; see `port.Runtime.wait_ready`. Raises NotFoundError for a key that was not started."""
        supervisor = self._wanted.get(key)
        if supervisor is None:
            raise NotFoundError(f"{key} was not started.")
        return await supervisor.wait_ready(timeout_s)

    def status(self, key: ProcessKey) -> ServiceStatus | None:
        """Return what is known of a process now, or None if no such process is wanted."""
        supervisor = self._wanted.get(key)
        return supervisor.status if supervisor else None

    def statuses(self, group: str | None = None) -> dict[ProcessKey, ServiceStatus]:
        """Return the status of all wanted processes (of one group)."""
        return {key: one.status for key, one in sorted(self._wanted.items()) if group in (None, key.group)}

    def memory(self, key: ProcessKey) -> int | None:
        """Return how many bytes a process holds now, or None if it does not run."""
        supervisor = self._wanted.get(key)
        pid = supervisor.status.pid if supervisor else None
        return resident_bytes(pid) if pid else None

    async def stop(self, key: ProcessKey) -> None:
        """Stop a process and everything it started. Idempotent."""
        async with self._lock(key):
            await self._stop(key)

    async def stop_group(self, group: str) -> None:
        """Stop all processes of a group, side by side."""
        await self._stop_many([key for key in {*self._wanted, *self._found} if key.group == group])

    async def stop_all(self) -> None:
        """Stop everything that was started with this state."""
        await self._stop_many([*{*self._wanted, *self._found}])
        left = await terminate(lambda: all_members(self._state), timeout_s=_STRAY_TIMEOUT_S)
        if left:
            raise ServiceFailedError(f"These processes cannot be ended: {[process.pid for process in left]}.")

    async def detach(self) -> None:
        """Stop watching, leave everything running."""
        await self._rotation.cancel()
        for supervisor in self._wanted.values():
            await supervisor.detach()
        self._wanted.clear()
        self._listeners.clear()

    def log_path(self, key: ProcessKey) -> Path:
        """Return where the output of a process goes (it may not exist yet)."""
        check_key(key)
        role = "" if key.role is ProcessRole.SERVICE else f".{key.role}"
        return self._state / "logs" / key.group / f"{key.name}{role}.log"

    def free_port(self) -> int:
        """Return a loopback TCP port that nobody listens on and that was not handed out before."""
        port = ports.free_port(self._ports)
        self._ports.add(port)
        return port

    def subscribe(self, listener: StatusListener) -> None:
        """Call `listener` on every change of a status."""
        self._listeners.append(listener)

    def _find(self) -> dict[ProcessKey, Leader | None]:
        recorded = self._records.read()
        found = {key: leader for key, leader in recorded.items() if leader}
        strays: dict[ProcessKey, Leader | None] = {}
        for one in marked_processes(self._state):
            if one.key in found:
                continue
            strays.setdefault(one.key, None)
            if one.key not in recorded and one.info.session == one.info.identity.pid:
                # Killed between starting a process and recording it: the oldest session of a key is the leader's.
                found[one.key] = Leader(one.info.identity, one.digest)
        return strays | found

    async def _stop_many(self, keys: list[ProcessKey]) -> None:
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(self.stop(key))

    async def _stop(self, key: ProcessKey) -> None:
        supervisor = self._wanted.get(key)
        if supervisor is not None:
            await supervisor.stop()  # if this is cancelled, the key stays, and the next stop or start goes on with it
            self._wanted.pop(key)
        elif key in self._found:
            await self._stop_stray(key)
        else:
            self._records.remove(key)

    async def _stop_stray(self, key: ProcessKey) -> None:
        leader = self._found.pop(key)
        identity = leader.identity if leader else None
        left = await terminate(lambda: members_of(key, identity, state=self._state), timeout_s=_STRAY_TIMEOUT_S)
        if left:
            _log.error("%s: processes %s cannot be ended", key, [process.pid for process in left])
        self._records.remove(key)

    async def _rotate_forever(self) -> None:
        while True:
            for key in list(self._wanted):
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(logs.rotate, self.log_path(key))
            await asyncio.sleep(_ROTATE_EVERY_S)

    def _lock(self, key: ProcessKey) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _tell(self, key: ProcessKey, status: ServiceStatus) -> None:
        for listener in list(self._listeners):
            listener(key, status)
