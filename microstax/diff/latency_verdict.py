"""From latencies to effects with intervals, and a verdict with a tolerance.

Every interval holds at all times, all of a report's together with confidence 1 - alpha: each endpoint has the same
share of alpha, half of which goes to the ratio within pairs and half to the quantiles.
"""

import math
from collections.abc import Iterator
from typing import Final

from microstax.diff.counts import Policy
from microstax.diff.latency import Latencies
from microstax.diff.latency_effects import NAMES, Bounds, Comparison
from microstax.diff.quantiles import Durations, coarse, upper_ms
from microstax.model.report import (
    Distribution,
    Effect,
    Effects,
    Interval,
    Latency,
    LatencyVerdict,
    QuantileIntervals,
    Quantiles,
    Verdict,
)

EDGES: Final = 40
"""Edges of a distribution at most."""
_RATIO_DIGITS: Final = 4
_MS_DIGITS: Final = 3
_Ranges = dict[str, Bounds]


def latency_report(latencies: Latencies, policy: Policy, spikes: Verdict, *, endpoints: int = 1) -> Latency:
    """Return the report's part on the latency of one endpoint of `endpoints`; `spikes` is the verdict on its spikes.

    Below `policy.min_pairs` nothing is called and there are no intervals: then the figures are of all pairs, those that
    were measured cold among them, so that there is something to look at.
    """
    warm = latencies.warm
    is_enough = warm.pairs + warm.timeouts >= max(policy.min_pairs, 1)
    shown = warm if is_enough else latencies.everything()
    alpha = policy.error / max(endpoints, 1) if is_enough else None
    compared = Comparison(shown, alpha, crowds=(latencies.crowd, latencies.reference_crowd))
    effects = compared.effects()
    baseline, branch, control = (
        compared.ranges(side) for side in (compared.baseline, compared.branch, compared.control)
    )
    return {
        "baseline": _quantiles(baseline),
        "branch": _quantiles(branch),
        "control": _quantiles(control) if compared.has_control else None,
        "reference": "control" if compared.by_control else "baseline",
        "pairs": shown.pairs,
        "cold": latencies.cold.pairs if is_enough else 0,
        "timeouts": shown.timeouts,
        "intervals": {
            "baseline": _intervals(baseline),
            "branch": _intervals(branch),
            "control": _intervals(control) if compared.has_control else None,
        },
        "confidence": round(1 - policy.error, 9),
        "effect": _effects(effects),
        "verdict": "slower" if spikes == "different" else _verdict(compared, effects, policy),
        "spikes": latencies.spikes.branch_only,
        "reference_spikes": latencies.spikes.control_only,
        "spikes_verdict": spikes,
        "spike_pairs": [example.pair for example in latencies.spikes.examples],
        "distribution": _distribution(shown.baseline, shown.branch, shown.control if compared.has_control else None),
    }


def _verdict(compared: Comparison, effects: _Ranges, policy: Policy) -> LatencyVerdict:
    """Slower (faster) if the whole interval of an effect says so; same only if those of all that can be called do."""
    calls = set(_calls(compared, effects, policy))
    if "slower" in calls:
        return "slower"
    if "faster" in calls:
        return "faster"
    return "same" if calls == {"same"} else "undecided"


def _calls(compared: Comparison, effects: _Ranges, policy: Policy) -> Iterator[LatencyVerdict]:
    for name, effect in effects.items():
        if effect.low is not None and effect.high is not None:
            yield _call(effect, compared.change_ms(name, effect), policy)


def _call(effect: Bounds, change: Bounds, policy: Policy) -> LatencyVerdict:
    """Judge one effect: a change is one that is beyond the tolerance as a ratio, and beyond the floor in milliseconds.

    Both are asked of the whole interval, so that the verdict errs no more often than the interval does.
    """
    bound, floor = 1 + max(policy.latency_tolerance, 0.0), max(policy.latency_floor_ms, 0.0)
    if _above(effect.low, bound) and _above(change.low, floor):
        return "slower"
    if _below(effect.high, 1 / bound) and _below(change.high, -floor):
        return "faster"
    is_close = _within(effect, 1 / bound, bound) or _within(change, -floor, floor)
    return "same" if is_close else "undecided"


def _above(value: float | None, bound: float) -> bool:
    return value is not None and value > bound


def _below(value: float | None, bound: float) -> bool:
    return value is not None and value < bound


def _within(bounds: Bounds, least: float, most: float) -> bool:
    return bounds.low is not None and bounds.high is not None and least <= bounds.low and bounds.high <= most


def _quantiles(ranges: _Ranges) -> Quantiles:
    p50, p90, p99 = (_rounded(ranges[name].point, _MS_DIGITS) for name in NAMES)
    return {"p50": p50, "p90": p90, "p99": p99}


def _intervals(ranges: _Ranges) -> QuantileIntervals:
    p50, p90, p99 = (_interval(ranges[name]) for name in NAMES)
    return {"p50": p50, "p90": p90, "p99": p99}


def _interval(bounds: Bounds) -> Interval:
    return {"low": _rounded(bounds.low, _MS_DIGITS), "high": _rounded(bounds.high, _MS_DIGITS)}


def _effects(effects: _Ranges) -> Effects:
    p50, p90, p99 = (_effect(effects[name]) for name in NAMES)
    return {"p50": p50, "p90": p90, "p99": p99}


def _effect(bounds: Bounds) -> Effect:
    ratio, low, high = (_rounded(value, _RATIO_DIGITS) for value in bounds)
    return {"ratio": ratio, "low": low, "high": high}


def _rounded(value: float | None, digits: int) -> float | None:
    """Return a figure as it is written: what the timeouts hide is not known."""
    return None if value is None or value in (0.0, math.inf) else round(value, digits)


def _distribution(baseline: Durations, branch: Durations, control: Durations | None) -> Distribution:
    sides = [baseline, branch] if control is None else [baseline, branch, control]
    edges, counts = coarse([side.histogram for side in sides], EDGES)
    return {
        "edges_ms": [float(f"{upper_ms(edge):.5g}") for edge in edges],
        "baseline": counts[0],
        "branch": counts[1],
        "control": None if control is None else counts[2],
    }
