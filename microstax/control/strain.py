"""Signs that something behind a mirror cannot keep up, from readings of counters. Pure.

A sign says how much less to mirror and what the slow part managed, so that the next share can be chosen in one step
instead of being searched for.
"""

from dataclasses import dataclass
from typing import Final

from microstax.model.wording import size

SOFT_LAG_MS: Final = 1_000
"""A worker that is further behind than this gets less."""
CALM_LAG_MS: Final = 500
"""A worker that is no further behind than this may get more."""
SOFT_MEMORY: Final = 0.75
CALM_MEMORY: Final = 0.65
"""Shares of the memory that a worker may hold before the guard stops everything."""
CROWD: Final = 192
"""Copies under way at once from which on a branch is taken for crowded: Envoy refuses the 257th."""
_LEAST_REFUSED: Final = 5
_REFUSED_SHARE: Final = 0.01
_UNANSWERED_SHARE: Final = 0.9
_LEAST_FACTOR: Final = 0.1
_MOST_FACTOR: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One mirror's counters at `at_ms` (Unix milliseconds, the reader's clock), absolute but for `active`.

    `copies` were to be made; of these `refused` found no room in Envoy and `timeouts` got no answer in time. `active`
    copies are under way.
    """

    at_ms: int
    copies: int
    refused: int = 0
    timeouts: int = 0
    active: int = 0

    def follows(self, before: "Reading") -> bool:
        """Tell whether these are the counters of `before`, later: one that is smaller began again."""
        return (
            self.copies >= before.copies
            and self.refused >= before.refused
            and self.timeouts >= before.timeouts
            and self.at_ms >= before.at_ms
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """What a worker carries: how far it is behind, how many requests a second it gets and disposes of, its memory.

    `memory_limit` is what the guard allows it; 0: no limit. The rates are of all its services together, and `done_rps`
    is None where it is not known.
    """

    lag_ms: int = 0
    arriving_rps: float = 0.0
    done_rps: float | None = None
    memory_bytes: int = 0
    memory_limit: int = 0

    @property
    def is_calm(self) -> bool:
        """Tell whether the worker could take more."""
        return self.lag_ms <= CALM_LAG_MS and (
            not self.memory_limit or self.memory_bytes <= self.memory_limit * CALM_MEMORY
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Multiply the share with `factor`; `knee` copies a second is what could be coped with, None: no news of it.

    `quiet_ms` without another sign have to pass before the share may rise. `why` is a clause for people.
    """

    factor: float
    knee: float | None
    quiet_ms: int
    why: str


QUIET_MS: Final = 5_000


def sign(before: Reading, now: Reading, burden: Burden, *, timeout_ms: int) -> Sign | None:
    """Return the strongest sign of overload between two readings, None where there is none.

    `timeout_ms` is the branch's: a branch that answers nothing shows it that much later.
    """
    found = [
        one
        for one in (
            _of_branch(before, now),
            _of_silence(before, now, timeout_ms=timeout_ms),
            _of_lag(before, now, burden),
            _of_memory(burden),
        )
        if one is not None
    ]
    return min(found, key=lambda one: one.factor, default=None)


def _of_branch(before: Reading, now: Reading) -> Sign | None:
    """Tell whether copies find no room any more, or soon will not: the branch is slower than they come."""
    copies = now.copies - before.copies
    refused = min(copies, now.refused - before.refused)  # some may have been made before
    answered = _answered(before, now)
    if refused >= max(_LEAST_REFUSED, copies * _REFUSED_SHARE) or refused > copies / 2:
        what = f"the branch does not keep up, {refused:,} of {copies:,} copies found no room"
    elif now.active >= CROWD:
        what = f"the branch does not keep up, {now.active:,} copies wait for it"
    else:
        return None
    if not refused and now.active <= before.active:
        return Sign(factor=1.0, knee=None, quiet_ms=QUIET_MS, why=what)  # the crowd is being worked off
    factor, knee = _factor(_MOST_FACTOR * answered / max(copies, 1)), answered / _seconds(before, now)
    return Sign(factor=factor, knee=knee, quiet_ms=QUIET_MS, why=what)


def _of_silence(before: Reading, now: Reading, *, timeout_ms: int) -> Sign | None:
    """Tell whether nearly nothing is answered at all. Some timeouts are evidence and no overload."""
    timeouts = now.timeouts - before.timeouts
    if timeouts < 1 or timeouts < _UNANSWERED_SHARE * (timeouts + _answered(before, now)):
        return None
    return Sign(factor=0.5, knee=0.0, quiet_ms=QUIET_MS + timeout_ms, why="the branch answers nothing in time")


def _of_lag(before: Reading, now: Reading, burden: Burden) -> Sign | None:
    """Tell whether the worker is behind, and gets more than it can do. Else it is left to catch up.

    A backlog is worked off in its order, so the lag goes on growing for a while after the share was lowered.
    """
    if burden.lag_ms <= SOFT_LAG_MS:
        return None
    rate = (now.copies - before.copies) / _seconds(before, now)
    ratio = 1.0 if burden.done_rps is None else burden.done_rps / max(burden.arriving_rps, 1.0)
    is_catching_up = ratio > 1 / _MOST_FACTOR
    return Sign(
        factor=1.0 if is_catching_up else _factor(0.5 * ratio),
        knee=None if is_catching_up else rate * min(ratio, 1.0),
        quiet_ms=QUIET_MS,
        why=f"the worker is {burden.lag_ms / 1000:.1f} s behind",
    )


def _of_memory(burden: Burden) -> Sign | None:
    if not burden.memory_limit or burden.memory_bytes <= burden.memory_limit * SOFT_MEMORY:
        return None
    why = f"the worker holds {size(burden.memory_bytes)} of the {size(burden.memory_limit)} that it may"
    return Sign(factor=0.5, knee=None, quiet_ms=QUIET_MS, why=why)


def _answered(before: Reading, now: Reading) -> int:
    """Return how many copies came to a good end in between."""
    admitted = (now.copies - before.copies) - (now.refused - before.refused)
    return max(0, admitted - (now.active - before.active) - (now.timeouts - before.timeouts))


def _factor(wanted: float) -> float:
    return min(_MOST_FACTOR, max(_LEAST_FACTOR, wanted))


def _seconds(before: Reading, now: Reading) -> float:
    return max(now.at_ms - before.at_ms, 1) / 1000
