"""What a pairer is told, and what it says."""

from dataclasses import dataclass
from typing import Final

from microstax.capture.asked import Asked
from microstax.model.exchange import Exchange, Gap, NotCompared, Triple
from microstax.model.shadow import DEFAULT_BRANCH_TIMEOUT_MS, ControlMode

SECOND: Final = 1_000_000

Key = tuple[str, str]
"""(service, exchange id)"""
Place = tuple[str, str]
"""(service, overlay)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One overlay that a service is mirrored into, and how long its answers may take.

    With `again`, a pair comes with its request as the client sent it, for asking it again.
    """

    overlay: str
    control: ControlMode = ControlMode.NONE
    timeout_us: int = DEFAULT_BRANCH_TIMEOUT_MS * 1000
    again: bool = False


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
    """All that will come of one request has come. Whether it can be compared is the differ's to say.

    `asked` is the request as it was sent, with its secrets, where it may be asked again.
    """

    triple: Triple
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A mirrored request of which a side is missing; of a capture gap, `gap` says which.

    `baseline` is its baseline and `started_us` when it was seen (Unix microseconds), both where they are known.
    """

    service: str
    overlay: str
    reason: NotCompared
    baseline: Exchange | None = None
    started_us: int | None = None
    gap: Gap | None = None


Command = Paired | Lost
