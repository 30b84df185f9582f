"""The life of one process as a state machine without I/O: what happened goes in with its time, a phase comes out.

Back-off doubles with every exit and is forgotten once the process was ready for a while; a process that exits again
and again without ever being ready is FAILED (and is still tried again, at the slowest pace).
"""

from dataclasses import dataclass, field
from typing import Final

from microstax.model.environment import HealthCheck, ServicePhase

FIRST_DELAY_S: Final = 0.1
MAX_DELAY_S: Final = 30.0
STABLE_S: Final = 10.0
"""A process that was ready for this long starts with a fresh back-off when it exits."""
HOPELESS_EXITS: Final = 5
"""This many exits without having been ready once make a process FAILED."""
FAILED_PROBES: Final = 3
"""This many failed probes in a row make a ready process UNHEALTHY."""
READY_INTERVAL_S: Final = 1.0
"""A ready process is probed at most this often."""


@dataclass(slots=True)
class Life:
    """Phase, restarts and message of one process. Times are seconds of one monotonic clock."""

    health: HealthCheck | None
    phase: ServicePhase = ServicePhase.STARTING
    restarts: int = 0
    message: str = ""
    _started_at: float = 0.0
    _ready_at: float | None = None
    _was_ready: bool = field(default=False)
    _exits: int = 0
    _failed_probes: int = 0

    def started(self, at: float) -> None:
        """Take in that the process runs now, again maybe. Without a health check, running is being ready."""
        self._started_at, self._ready_at, self._failed_probes = at, None, 0
        if self.health is None:
            self._ready(at)
        elif self.phase is not ServicePhase.FAILED:
            self.phase = ServicePhase.STARTING

    def probed(self, at: float, problem: str | None) -> None:
        """Take in a probe: `problem` is None if the process is healthy, else a clause that says what was wrong."""
        if problem is None:
            self._ready(at)
            return
        self._failed_probes += 1
        if self._ready_at is not None:
            if self._failed_probes >= FAILED_PROBES:
                self._ready_at, self.phase, self.message = None, ServicePhase.UNHEALTHY, problem
            return
        self.message = problem
        late = self.health is not None and at - self._started_at > self.health.start_period_s
        if self.phase is ServicePhase.STARTING and late:
            self.phase = ServicePhase.UNHEALTHY

    def exited(self, at: float, how: str) -> float:
        """Take in that the process ended, with what `how` says; return after how many seconds to start it again."""
        if self._ready_at is not None and at - self._ready_at >= STABLE_S:
            self._exits = 0
        self._exits += 1
        self.restarts += 1
        self._ready_at = None
        self.message = how
        hopeless = not self._was_ready and self._exits >= HOPELESS_EXITS
        self.phase = ServicePhase.FAILED if hopeless else ServicePhase.RESTARTING
        return min(FIRST_DELAY_S * 2.0 ** min(self._exits - 1, 20), MAX_DELAY_S)

    def probe_delay_s(self) -> float:
        """Return how long to wait before the next probe."""
        interval = self.health.interval_s if self.health else READY_INTERVAL_S
        return max(interval, READY_INTERVAL_S) if self.phase is ServicePhase.READY else interval

    def _ready(self, at: float) -> None:
        if self._ready_at is None:
            self._ready_at = at
        self._failed_probes, self._was_ready = 0, True
        self.phase, self.message = ServicePhase.READY, ""
