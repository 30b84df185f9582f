"""Latencies merge in any order, a report on them never raises, and every interval holds its figure."""

import math
import random
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.latency import Latencies, Measured
from microstax.diff.latency_verdict import EDGES, latency_report
from microstax.diff.verdict import Policy
from microstax.model.report import Latency

TIMES = st.one_of(st.integers(1_000, 20_000), st.integers(-5, 10**7), st.integers(0, 2**63 - 1))
PAIRS = st.lists(st.tuples(TIMES, TIMES, st.none() | TIMES, st.booleans()), max_size=30)
NUMBERS = st.one_of(st.integers(0, 3_000), st.integers(0, 2**62))
BINS = st.dictionaries(st.integers(0, 1_152).map(str), NUMBERS, max_size=5)
RATIOS = st.dictionaries(st.integers(-1_000, 1_000).map(str), NUMBERS, max_size=5)
MEASURED = st.tuples(st.lists(BINS, min_size=4, max_size=4), RATIOS, RATIOS, st.tuples(NUMBERS, NUMBERS).map(list)).map(
    list
)
POLICIES = st.builds(
    Policy,
    alpha=st.sampled_from([0.05, 1e-9, 0.0, 1.0, math.nan]),
    min_pairs=st.sampled_from([0, 1, 100]),
    latency_tolerance=st.sampled_from([0.0, 0.1, -1.0, math.inf, math.nan]),
    latency_floor_ms=st.sampled_from([0.0, 1.0, -1.0, math.inf]),
)
NAMES = ("p50", "p90", "p99")


def measured(pairs: list[Any]) -> Latencies:
    latencies = Latencies()
    for before, after, control, timed_out in pairs:
        if timed_out:
            latencies.warm.add_timeout(before, control, waited=after)
        else:
            latencies.warm.add(before, after, control)
    return latencies


def merged(*parts: Latencies) -> Any:
    total = Latencies()
    for part in parts:
        total.merge(part)
    return total.pack()


@given(first=PAIRS, second=PAIRS, third=PAIRS, at=st.randoms())
def test_they_merge_in_any_order_to_what_one_would_have_counted(
    first: list[Any], second: list[Any], third: list[Any], at: random.Random
) -> None:
    a, b, c = measured(first), measured(second), measured(third)
    shuffled = [*first, *second, *third]
    at.shuffle(shuffled)
    whole = measured(shuffled).pack()
    assert merged(a, b, c) == merged(c, a, b) == merged(Latencies.unpack(merged(b, c)), a) == whole
    assert Latencies.unpack(whole).pack() == whole


def check(found: Latency) -> None:
    """Every interval holds its figure, and no figure is one that JSON does not know."""
    orjson.dumps(found)
    assert "NaN" not in str(found)
    for name in NAMES:
        for side in ("baseline", "branch", "control"):
            intervals = found["intervals"][side]  # type: ignore[literal-required]
            if intervals is not None:
                holds(found[side][name], intervals[name])  # type: ignore[literal-required]
                hidden = found[side][name] is None  # type: ignore[literal-required]
                assert not (hidden and intervals[name]["high"] is not None)
        effect = found["effect"][name]  # type: ignore[literal-required]
        holds(effect["ratio"], effect)
    distribution = found["distribution"]
    assert len(distribution["edges_ms"]) <= EDGES
    assert len(distribution["baseline"]) == len(distribution["branch"]) == max(len(distribution["edges_ms"]) - 1, 0)


def holds(figure: float | None, interval: Any) -> None:
    low, high = interval["low"], interval["high"]
    if figure is not None:
        assert low is None or low <= figure
        assert high is None or figure <= high


@given(pairs=PAIRS, times=st.integers(1, 200), policy=POLICIES, endpoints=st.sampled_from([0, 1, 1_000]))
def test_every_interval_holds_its_figure(pairs: list[Any], times: int, policy: Policy, endpoints: int) -> None:
    latencies, once = Latencies(), measured(pairs)
    for _ in range(times):
        latencies.merge(once)
    check(latency_report(latencies, policy, "undecided", endpoints=endpoints))


@given(warm=MEASURED, cold=MEASURED, policy=POLICIES)
def test_counts_that_do_not_fit_each_other_are_reported_nevertheless(warm: Any, cold: Any, policy: Policy) -> None:
    """Such bytes come from no worker; what they say does not matter, that the report is made does."""
    latencies = Latencies()
    latencies.warm, latencies.cold = Measured.unpack(warm), Measured.unpack(cold)
    check(latency_report(latencies, policy, "same"))
