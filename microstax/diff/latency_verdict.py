"""From latencies to an effect with an interval, and a verdict with a tolerance."""

import math
from collections.abc import Iterator
from typing import Final

from microstax.diff.latency import RATIO_BIN, Latencies
from microstax.diff.quantiles import Durations, rank_interval
from microstax.diff.verdict import Policy
from microstax.model.exchange import Side
from microstax.model.report import Effect, Latency, LatencyVerdict, Quantiles, Verdict

MIN_P99: Final = 1_000
"""Pairs below which a p99 is not called: it would rest on fewer than ten answers."""
_Z: Final = 2.576
"""99%, fixed sample: see rank_interval."""
_NOTHING: Final[Effect] = {"ratio": None, "low": None, "high": None}


def latency_report(latencies: Latencies, policy: Policy, spikes: Verdict) -> Latency:
    """Return the report's part on latency; `spikes` is the verdict on them."""
    reference = _reference(latencies)
    p50 = _median_effect(latencies)
    p99 = _p99_effect(reference, latencies.sides[Side.BRANCH], latencies.timeouts)
    made: Latency = {
        "baseline": _quantiles(latencies.sides[Side.BASELINE]),
        "branch": _quantiles(latencies.sides[Side.BRANCH]),
        "control": _quantiles(latencies.sides[Side.CONTROL]) if latencies.controlled else None,
        "effect": {"p50": p50, "p99": p99},
        "verdict": _verdict(latencies, p50, p99, policy=policy, spikes=spikes),
        "spikes": latencies.spikes.branch,
    }
    if latencies.spikes.example is not None:
        made["spike_pair"] = latencies.spikes.example.pair
    return made


def _reference(latencies: Latencies) -> Durations:
    """Return the control's latencies where (nearly) all pairs have one, else the baseline's."""
    control, baseline = latencies.sides[Side.CONTROL], latencies.sides[Side.BASELINE]
    return control if 2 * control.histogram.total > baseline.histogram.total else baseline


def _quantiles(durations: Durations) -> Quantiles:
    p50, p90, p99 = (_rounded(durations.quantile_ms(share)) for share in (0.50, 0.90, 0.99))
    return {"p50": p50, "p90": p90, "p99": p99}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _median_effect(latencies: Latencies) -> Effect:
    """Return the median ratio within pairs with its sign-test interval; timeouts count as infinitely slow."""
    total = latencies.ratios.total
    if not total:
        return _NOTHING
    low, high = rank_interval(total, 0.5, _Z)
    ratio, low_ratio, high_ratio = (
        round(math.exp(latencies.ratios.at_rank(rank) * RATIO_BIN), 4) for rank in (total // 2, low, high)
    )
    return {"ratio": ratio, "low": low_ratio, "high": high_ratio}


def _p99_effect(reference: Durations, branch: Durations, timeouts: int) -> Effect:
    """Return the ratio of the two p99; its interval is from the ends of their own, so it is on the safe side.

    Timeouts are longer than every answer, which shifts the ranks; a p99 that falls among them is not known.
    """
    total = branch.histogram.total + timeouts
    if total < MIN_P99 or reference.histogram.total < MIN_P99:
        return _NOTHING
    ends = []
    for durations, number in ((branch, total), (reference, reference.histogram.total)):
        low, high = rank_interval(number, 0.99, _Z)
        if round(0.99 * number) >= durations.histogram.total:
            return _NOTHING
        ends.append([durations.at_rank(rank) for rank in (round(0.99 * number), low, high)])
    (ratio, least, most), (base, base_least, base_most) = ends
    return {"ratio": round(ratio / base, 4), "low": round(least / base_most, 4), "high": round(most / base_least, 4)}


def _verdict(latencies: Latencies, p50: Effect, p99: Effect, *, policy: Policy, spikes: Verdict) -> LatencyVerdict:
    """Slower if the median, the p99 or the spikes say so with their whole interval; same only within the tolerance."""
    if spikes == "different":
        return "slower"
    if latencies.ratios.total < policy.min_pairs:
        return "undecided"
    found = list(_calls(latencies, p50, p99, policy=policy))
    if "slower" in found:
        return "slower"
    return found[0]


def _calls(latencies: Latencies, p50: Effect, p99: Effect, *, policy: Policy) -> Iterator[LatencyVerdict]:
    branch, reference = latencies.sides[Side.BRANCH], _reference(latencies)
    for effect, share in ((p50, 0.5), (p99, 0.99)):
        if effect["ratio"] is not None:
            before, after = reference.quantile_ms(share), branch.quantile_ms(share)
            small = before is not None and after is not None and abs(after - before) < policy.latency_floor_ms
            yield _call(effect, 1 + policy.latency_tolerance, small=small and not latencies.timeouts)


def _call(effect: Effect, bound: float, *, small: bool) -> LatencyVerdict:
    low, high = effect["low"], effect["high"]
    if low is None or high is None:
        return "undecided"
    if small or (low >= 1 / bound and high <= bound):
        return "same"
    if low > bound:
        return "slower"
    return "faster" if high < 1 / bound else "undecided"
