"""A Runtime without processes: what a test wants to happen, happens; what was asked for is kept."""

import asyncio
from pathlib import Path

from microstax.errors import NotFoundError, ServiceFailedError
from microstax.model.environment import ServicePhase, ServiceStatus
from microstax.runtime.port import ProcessKey, ProcessSpec, StatusListener

_FIRST_PORT = 20_000


class FakeRuntime:
    """Keeps the specs it is told to run. They are ready at once, unless a test says otherwise.

    `found` are the processes of an earlier control plane; `refused` maps a key to the error that `start` raises;
    `unhealthy` maps a key to the message of a process that never gets ready; `resident` says how many bytes a process
    holds. `calls` has every change in order, as
    (`start` | `stop` | `detach`, key as text).
    """

    def __init__(self, *, folder: Path = Path("/nonexistent"), found: tuple[ProcessKey, ...] = ()) -> None:
        self.specs: dict[ProcessKey, ProcessSpec] = {}
        self.refused: dict[ProcessKey, Exception] = {}
        self.unhealthy: dict[ProcessKey, str] = {}
        self.resident: dict[ProcessKey, int] = {}
        self.calls: list[tuple[str, str]] = []
        self.found = set(found)
        self.fences = True
        self._folder = folder
        self._statuses: dict[ProcessKey, ServiceStatus] = {}
        self._listeners: list[StatusListener] = []
        self._next_port = _FIRST_PORT
        self._next_pid = 1000
        self._news = asyncio.Event()

    def can_deny_ports(self) -> bool:
        """Return what a test says, in `fences`."""
        return self.fences

    async def open(self) -> tuple[ProcessKey, ...]:
        """Return `found`."""
        return tuple(sorted(self.found))

    async def start(self, spec: ProcessSpec) -> None:
        """Keep the spec, and be ready; an equal one that runs is kept."""
        if self.specs.get(spec.key) == spec:
            return
        self.calls.append(("start", str(spec.key)))
        if spec.key in self.refused:
            raise self.refused[spec.key]
        self.specs[spec.key] = spec
        self.found.discard(spec.key)
        self._next_pid += 1
        problem = self.unhealthy.get(spec.key)
        self.set_phase(spec.key, ServicePhase.STARTING if problem else ServicePhase.READY, problem or "")

    def set_phase(self, key: ProcessKey, phase: ServicePhase, message: str = "") -> None:
        """Make a process be in `phase` and tell the listeners."""
        spec = self.specs[key]
        before = self._statuses.get(key)
        restarted = before is not None and phase is ServicePhase.RESTARTING
        self._statuses[key] = ServiceStatus(
            name=key.name,
            phase=phase,
            address=spec.address,
            pid=before.pid if before else self._next_pid,
            restarts=(before.restarts if before else 0) + restarted,
            message=message,
        )
        news, self._news = self._news, asyncio.Event()
        news.set()
        for listener in list(self._listeners):
            listener(key, self._statuses[key])

    async def wait_ready(self, key: ProcessKey, *, timeout_s: float) -> ServiceStatus:
        """Wait until a test makes the process ready; one of `unhealthy` fails at once."""
        if key not in self.specs:
            raise NotFoundError(f"{key} was not started.")
        if key in self.unhealthy:
            raise ServiceFailedError(f"{key} did not become healthy within {timeout_s:g} s: {self.unhealthy[key]}")
        async with asyncio.timeout(timeout_s):
            while self._statuses[key].phase is not ServicePhase.READY:
                await self._news.wait()
        return self._statuses[key]

    def status(self, key: ProcessKey) -> ServiceStatus | None:
        """Return the status of a process, or None."""
        return self._statuses.get(key)

    def statuses(self, group: str | None = None) -> dict[ProcessKey, ServiceStatus]:
        """Return all statuses (of one group)."""
        return {key: status for key, status in sorted(self._statuses.items()) if group in (None, key.group)}

    def memory(self, key: ProcessKey) -> int | None:
        """Return what a test says that a process holds."""
        return self.resident.get(key)

    async def stop(self, key: ProcessKey) -> None:
        """Forget a process."""
        if key in self.specs or key in self.found:
            self.calls.append(("stop", str(key)))
        if key in self.specs:
            self.set_phase(key, ServicePhase.STOPPED)
        self.found.discard(key)
        self.specs.pop(key, None)
        self._statuses.pop(key, None)

    async def stop_group(self, group: str) -> None:
        """Forget the processes of a group."""
        for key in sorted({*self.specs, *self.found}):
            if key.group == group:
                await self.stop(key)

    async def stop_all(self) -> None:
        """Forget all processes."""
        for key in sorted({*self.specs, *self.found}):
            await self.stop(key)

    async def detach(self) -> None:
        """Note that the runtime was left; `specs` stays."""
        self.calls.append(("detach", ""))

    def log_path(self, key: ProcessKey) -> Path:
        """Return a path in `folder`."""
        return self._folder / "logs" / key.group / f"{key.name}.{key.role}.log"

    def free_port(self) -> int:
        """Return 20000, 20001, ..."""
        self._next_port += 1
        return self._next_port - 1

    def subscribe(self, listener: StatusListener) -> None:
        """Tell `listener` of every change."""
        self._listeners.append(listener)
