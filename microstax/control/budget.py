"""How much of a service's traffic is mirrored: as much as was asked for, within its limits and what others bear. Pure.

The share falls as soon as there is a reason, by a factor that fits it, and rises slowly: twice as much every five
seconds at most, and beyond what was once too much only in small steps, each after a longer wait where the one before
failed. In between it rests: every change is a push to an Envoy.

A share never falls below what mirrors about one request a second, so that a branch or a worker that is well again
shows it by itself.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from microstax.control.strain import QUIET_MS, Burden, Reading, Sign, sign
from microstax.model.shadow import MILLION

MIN_WINDOW_MS: Final = 800
"""Shorter than this, a rate is mostly the noise of when a counter was read. Workers read every second."""
FIRST_PATIENCE_MS: Final = 10_000
LAST_PATIENCE_MS: Final = 300_000
_OVER: Final = 1.1
_UNDER: Final = 0.7
_AIM: Final = 0.9
_MAX_RISE: Final = 2.0
_PROBE: Final = 1.25
_BELOW_KNEE: Final = 0.8
_WORTH: Final = 1.05
_WORTH_LESS: Final = 0.9
"""A change by less is not worth a push."""
_DECAY: Final = 0.025
"""The weight of the newest reading in a demand that falls: half of it is forgotten after 28 s."""
_NEWEST: Final = 0.2
"""The weight of the newest reading in the mean."""
_CHANCE: Final = 2.0
"""Standard deviations of a count that may be chance."""
_ENOUGH: Final = 10
"""As many copies tell more of the traffic than chance does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What was asked for: the share in parts per million, and the most copies a second, with the flag that says so."""

    sample_ppm: int
    rps: float
    flag: str = "--max-rps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The share of one service, in parts per million. Times are Unix milliseconds of the clock that reads counters.

    `since` is the reading at which measuring began; `changed_ms` is when the share changed last, `quiet_ms` until when
    it may not rise. Beyond `knee` copies a second there was trouble (0: none known), and the next attempt to pass it
    waits for `patience_ms`. `demand` is how many requests a second all of the traffic is at its busiest, `mean` on
    average. `why` is a clause that says why the share is lower than asked for.
    """

    ppm: int
    since: Reading
    changed_ms: int
    quiet_ms: int
    knee: float = 0.0
    patience_ms: int = FIRST_PATIENCE_MS
    demand: float = 0.0
    mean: float = 0.0
    probing: bool = False
    why: str = ""


def begin(*, ppm: int, reading: Reading, why: str = "") -> Budget:
    """Return a budget that measures from `reading` on."""
    return Budget(
        ppm=ppm, since=reading, changed_ms=reading.at_ms, quiet_ms=reading.at_ms + QUIET_MS if why else 0, why=why
    )


def first_ppm(demand: float, limits: Limits, *, seconds: float) -> int:
    """Return the share to begin with, in parts per million, where `demand` requests a second were seen for `seconds`.

    It is what was asked for, but where the limit would be passed by more than chance.
    """
    chance = _CHANCE * math.sqrt(limits.rps / seconds)
    if demand * limits.sample_ppm <= (limits.rps * _OVER + chance) * MILLION:
        return limits.sample_ppm
    return _room(limits.rps * _AIM, demand, limits)


def step(budget: Budget, reading: Reading, limits: Limits, burden: Burden, *, timeout_ms: int) -> Budget:
    """Return the budget after a reading; its share is never above the one that was asked for."""
    if budget.ppm >= limits.sample_ppm or not budget.why:
        budget = replace(budget, ppm=limits.sample_ppm, why="")  # also where another share is asked for now
    if not reading.follows(budget.since):
        return replace(budget, since=reading)
    elapsed_ms = reading.at_ms - budget.since.at_ms
    if elapsed_ms < MIN_WINDOW_MS:
        return budget
    copies = reading.copies - budget.since.copies
    rate = copies * 1000 / elapsed_ms
    found = sign(budget.since, reading, burden, timeout_ms=timeout_ms)
    measured = _measured(budget, reading, rate)
    if found is not None:
        measured = _strained(measured, found)
    most = _AIM * limits.rps / max(_excess(measured, rate, limits), _AIM * limits.rps)
    if most < (1.0 if found is None else found.factor):
        return _lowered(measured, most, _held(limits))
    if found is not None:
        return _lowered(measured, found.factor, found.why)
    return _risen(measured, limits, burden)


def restart_low(budget: Budget, *, why: str) -> Budget:
    """Return the budget with which mirroring begins again after a pause: a small share that climbs."""
    low = max(min(budget.ppm, _floor(budget)), round(budget.ppm * 0.1))
    return replace(budget, ppm=max(1, low), why=why, changed_ms=budget.since.at_ms, probing=False)


def water_level(demands: Iterable[float], total: float) -> float:
    """Return the limit that shares `total` fairly: who asks for less gets all, the others the same.

    It is infinite where there is enough for all. It solves `sum(min(demand, level)) = total` (max-min fairness).
    """
    rest, level = total, float("inf")
    waiting = sorted(demands)
    for served, demand in enumerate(waiting):
        level = rest / (len(waiting) - served)
        if demand > level:
            return level
        rest -= demand
    return float("inf")


def _measured(budget: Budget, reading: Reading, rate: float) -> Budget:
    """Take in what the traffic is: its demand follows it up at once and down slowly.

    So a gap between two bursts is not taken for calm.
    """
    now, copies = rate * MILLION / budget.ppm, reading.copies - budget.since.copies
    if not budget.demand:
        return replace(budget, since=reading, demand=now, mean=now)
    demand = now if now > budget.demand and copies >= _ENOUGH else budget.demand + _DECAY * (now - budget.demand)
    return replace(budget, since=reading, demand=demand, mean=budget.mean + _NEWEST * (now - budget.mean))


def _excess(budget: Budget, rate: float, limits: Limits) -> float:
    """Return the rate if it is over the limit, 0 if it is not: what may be chance has to last."""
    mean = budget.mean * budget.ppm / MILLION
    if rate > limits.rps * _OVER + _CHANCE * math.sqrt(limits.rps):
        return rate
    return mean if mean > limits.rps * _OVER else 0.0


def _strained(budget: Budget, found: Sign) -> Budget:
    """Take in a sign of overload: what was too much, and how long to be careful."""
    patience = budget.patience_ms
    if budget.probing:
        patience = min(LAST_PATIENCE_MS, patience * 2)
    return replace(
        budget,
        quiet_ms=budget.since.at_ms + found.quiet_ms,
        knee=budget.knee if found.knee is None else found.knee,
        patience_ms=patience,
        probing=False,
    )


def _lowered(budget: Budget, factor: float, why: str) -> Budget:
    ppm = max(min(budget.ppm, _floor(budget)), _scaled(budget.ppm, factor))
    if ppm > budget.ppm * _WORTH_LESS:
        return budget
    return replace(budget, ppm=ppm, changed_ms=budget.since.at_ms, why=why)


def _risen(budget: Budget, limits: Limits, burden: Burden) -> Budget:
    now_ms = budget.since.at_ms
    if not burden.is_calm or now_ms < budget.quiet_ms or now_ms - budget.changed_ms < QUIET_MS:
        return budget
    target = _room(limits.rps * _AIM, budget.demand, limits)
    if target <= budget.ppm or (target < limits.sample_ppm and target * _UNDER < budget.ppm * _AIM):
        return replace(budget, why=_held(limits)) if budget.why and target < limits.sample_ppm else budget
    ppm = min(target, _scaled(budget.ppm, _MAX_RISE))
    if budget.knee and budget.demand * ppm > budget.knee * _BELOW_KNEE * MILLION:
        ppm = _room(budget.knee * _BELOW_KNEE, budget.demand, limits)
        if ppm < budget.ppm * _WORTH:
            return _probed(budget, limits)
    return _raised(budget, ppm, limits)


def _probed(budget: Budget, limits: Limits) -> Budget:
    """Try a little more than what was once too much, if it has been calm for long enough; go on, if it stays so."""
    patience_ms = FIRST_PATIENCE_MS if budget.probing else budget.patience_ms
    if budget.since.at_ms - budget.changed_ms < patience_ms:
        return budget
    risen = _raised(budget, _scaled(budget.ppm, _PROBE), limits)
    return replace(risen, probing=True, knee=budget.knee * _PROBE)


def _room(rps: float, demand: float, limits: Limits) -> int:
    """Return the share that mirrors so many requests a second, or the one that was asked for."""
    if demand * limits.sample_ppm <= rps * MILLION:
        return limits.sample_ppm
    return max(1, round(rps * MILLION / demand))


def _raised(budget: Budget, ppm: int, limits: Limits) -> Budget:
    ppm = min(limits.sample_ppm, max(budget.ppm + 1, ppm))
    why = "" if ppm == limits.sample_ppm else budget.why
    return replace(budget, ppm=ppm, changed_ms=budget.since.at_ms, why=why)


def _held(limits: Limits) -> str:
    return f"{limits.flag} holds it to {limits.rps:,.0f} copies a second"


def _floor(budget: Budget) -> int:
    """Return the share that mirrors one request a second."""
    return MILLION if budget.demand <= 1 else max(1, round(MILLION / budget.demand))


def _scaled(ppm: int, factor: float) -> int:
    return max(1, min(MILLION, round(ppm * factor)))
