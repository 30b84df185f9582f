"""`--max-rps`: hold the mirrored requests of a service to a rate by turning its share. Pure.

The share goes down as soon as the rate is over the limit, and up again slowly and only well below it, so that it
rests while traffic does: every change is a push to an Envoy.
"""

from dataclasses import dataclass, replace
from typing import Final

from microstax.model.shadow import MILLION

MIN_WINDOW_MS: Final = 1_000
"""Shorter than this, a rate is mostly the noise of when a counter was read."""
CALM_WINDOW_MS: Final = 5_000
"""How long traffic has to stay below the limit before the share goes up."""
_OVER: Final = 1.1
_UNDER: Final = 0.7
_AIM: Final = 0.9
_MAX_RISE: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The share of one service, in parts per million, and the counter when measuring began (Unix milliseconds).

    `calm_ms` is since when the rate has been well below the limit.
    """

    ppm: int
    since_ms: int
    mirrored: int
    calm_ms: int


def begin(*, ppm: int, now_ms: int, mirrored: int) -> Budget:
    """Return a budget that measures from now."""
    return Budget(ppm=ppm, since_ms=now_ms, mirrored=mirrored, calm_ms=now_ms)


def step(budget: Budget, *, now_ms: int, mirrored: int, max_rps: int, sample_ppm: int) -> Budget:
    """Return the budget after a reading of the counter; its `ppm` is never above `sample_ppm`, the share asked for.

    The rate aimed at is a little below `max_rps`, copies a second.
    """
    elapsed_ms = now_ms - budget.since_ms
    if mirrored < budget.mirrored or elapsed_ms < 0 or budget.ppm > sample_ppm:
        return begin(ppm=min(budget.ppm, sample_ppm), now_ms=now_ms, mirrored=mirrored)
    if elapsed_ms < MIN_WINDOW_MS:
        return budget
    rate = (mirrored - budget.mirrored) * 1000 / elapsed_ms
    if rate > max_rps * _OVER:
        return begin(ppm=_scaled(budget.ppm, max_rps * _AIM / rate), now_ms=now_ms, mirrored=mirrored)
    if rate >= max_rps * _UNDER or budget.ppm == sample_ppm:
        return begin(ppm=budget.ppm, now_ms=now_ms, mirrored=mirrored)
    if now_ms - budget.calm_ms < CALM_WINDOW_MS:
        return replace(budget, since_ms=now_ms, mirrored=mirrored)
    rise = min(_MAX_RISE, max_rps * _AIM / rate) if rate else _MAX_RISE
    return begin(ppm=min(sample_ppm, _scaled(budget.ppm, rise)), now_ms=now_ms, mirrored=mirrored)


def _scaled(ppm: int, factor: float) -> int:
    return max(1, min(MILLION, round(ppm * factor)))
