"""What every operation works with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from microstax.control.ahead import Ahead
from microstax.control.fleet import Fleet
from microstax.control.journal import Journal
from microstax.control.locks import NameLocks
from microstax.control.publisher import Publisher
from microstax.store.state import State


def wall_clock_ms() -> int:
    """Return Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """The parts of the control plane; operations are classes that hold one. `now_ms` is Unix time in milliseconds.

    `to_workers` and `to_envoys` pass the state on, and may show a shadow before it is committed.
    """

    journal: Journal
    fleet: Fleet
    publisher: Publisher
    to_workers: Ahead = field(default_factory=Ahead)
    to_envoys: Ahead = field(default_factory=Ahead)
    locks: NameLocks = field(default_factory=NameLocks)
    now_ms: Callable[[], int] = wall_clock_ms

    @property
    def state(self) -> State:
        """The state as it is now."""
        return self.journal.state
