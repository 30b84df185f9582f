"""The port of a runtime: processes with a key, desired by the control plane, kept alive by the runtime.

A runtime knows nothing of environments, shadows or Envoy. It starts what it is told, waits for health, restarts
what crashes with back-off, keeps logs, and finds its own processes again after the control plane was killed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from microstax.model.environment import EMPTY, Address, HealthCheck, ServiceStatus


class ProcessRole(StrEnum):
    """What a process is for."""

    SERVICE = "service"
    CONTROL = "control"
    ENVOY = "envoy"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, order=True)
class ProcessKey:
    """Names one process: `group` is the environment or overlay (or `microstax` for our own), `name` the service."""

    group: str
    name: str
    role: ProcessRole = ProcessRole.SERVICE

    def __str__(self) -> str:
        return (
            f"{self.group}/{self.name}" if self.role is ProcessRole.SERVICE else f"{self.group}/{self.name}.{self.role}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run. `environ` is added to the control plane's own; `health` None means: alive is healthy.

    The port of `address` is passed in `PORT`, and `$(NAME)` in the command is replaced by the variable's value.
    `command` empty and `address` set describes a server that runs already elsewhere (`url`): it is only watched.
    `health_socket` checks a unix socket (an Envoy's admin, GET /ready) instead of `address`. `denied_ports` are TCP
    ports that it and all that it starts cannot connect to, on any host, where the runtime `can_deny_ports`.
    """

    key: ProcessKey
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    workdir: str | None = None
    address: Address | None = None
    health: HealthCheck | None = None
    health_socket: Path | None = None
    stop_timeout_s: float = 5.0
    denied_ports: frozenset[int] = frozenset()


StatusListener = Callable[[ProcessKey, ServiceStatus], None]


class Runtime(Protocol):
    """Start, watch and stop processes. All methods are called from one event loop."""

    def can_deny_ports(self) -> bool:
        """Tell whether ProcessSpec.denied_ports are enforced here; where not, they are ignored."""

    async def open(self) -> tuple[ProcessKey, ...]:
        """Find the processes that an earlier control plane with the same state started; return their keys."""

    async def start(self, spec: ProcessSpec) -> None:
        """Make `spec` run. A running process with an equal spec is kept; with another one it is replaced.

        Raises ServiceFailedError if the command cannot be started at all, PortInUseError if its address is taken.
        """

    async def wait_ready(self, key: ProcessKey, *, timeout_s: float) -> ServiceStatus:
        """Wait for health. Raises ServiceFailedError with the last lines of the log when it does not come in time."""

    def status(self, key: ProcessKey) -> ServiceStatus | None:
        """Return what is known of a process now, or None if no such process is wanted."""

    def statuses(self, group: str | None = None) -> dict[ProcessKey, ServiceStatus]:
        """Return the status of all wanted processes (of one group)."""

    def memory(self, key: ProcessKey) -> int | None:
        """Return how many bytes a process holds now (resident), or None where that is not known here. Takes no time."""

    async def stop(self, key: ProcessKey) -> None:
        """Stop a process and everything it started: SIGTERM, then SIGKILL after its stop_timeout_s. Idempotent."""

    async def stop_group(self, group: str) -> None:
        """Stop all processes of a group, side by side."""

    async def stop_all(self) -> None:
        """Stop everything that was started with this state."""

    async def detach(self) -> None:
        """Stop watching, leave everything running (the control plane ends, production does not)."""

    def log_path(self, key: ProcessKey) -> Path:
        """Return where the output of a process goes (it may not exist yet)."""

    def free_port(self) -> int:
        """Return a loopback TCP port that nobody listens on and that was not handed out before."""

    def subscribe(self, listener: StatusListener) -> None:
        """Call `listener` on every change of a status."""
