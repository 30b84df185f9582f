"""What a pairer is told, and what it says."""

from dataclasses import dataclass
from typing import Final

from microstax.model.exchange import NotCompared, Triple
from microstax.model.shadow import DEFAULT_BRANCH_TIMEOUT_MS, ControlMode

SECOND: Final = 1_000_000

Key = tuple[str, str]
"""(service, exchange id)"""
Place = tuple[str, str]
"""(service, overlay)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One overlay that a service is mirrored into, and how long its answers may take."""

    overlay: str
    control: ControlMode = ControlMode.NONE
    timeout_us: int = DEFAULT_BRANCH_TIMEOUT_MS * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of what waits. `slack_us` is what the tap may add to a timeout: two polls and a busy collector.

    `self_control_us` is how long a pair waits at first for a control that only a share of the requests has.
    """

    entries: int = 50_000
    bytes: int = 256 * 1024 * 1024
    slack_us: int = 3 * SECOND
    self_control_us: int = 2 * SECOND
    remembered: int = 50_000


@dataclass(frozen=True, slots=True)
class Paired:
    """All that will come of one request has come. Whether it can be compared is the differ's to say."""

    triple: Triple


@dataclass(frozen=True, slots=True)
class Lost:
    """A mirrored request of which a side is missing."""

    service: str
    overlay: str
    reason: NotCompared


Command = Paired | Lost
