"""Latencies: effects with intervals, a tolerance, timeouts that count, cold pairs apart, spikes that are found."""

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest

from microstax.diff import Rules, ServiceAggregate
from microstax.diff.latency import Latencies
from microstax.diff.latency_verdict import EDGES, latency_report
from microstax.diff.verdict import Policy
from microstax.diff.warmup import ENDPOINTS, WarmUp
from microstax.model.exchange import Exchange, Triple
from microstax.model.flags import TIMEOUT
from microstax.model.report import Latency

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]
RULES = Rules()
UNKNOWN = {"ratio": None, "low": None, "high": None}


def timed(
    pairs: int, *, factor: float = 1.0, spread: float = 0.4, control: bool = True, timeouts: int = 0, seed: int = 9
) -> Latencies:
    """Return latencies around 10 ms; `timeouts` are requests that the baseline answered in 10 ms and the branch not."""
    rng, latencies = random.Random(seed), Latencies()
    for _ in range(pairs):
        base, branch, other = (rng.lognormvariate(9.2, spread) for _ in range(3))
        latencies.warm.add(int(base), int(branch * factor), int(other) if control else None)
    for _ in range(timeouts):
        latencies.warm.add_timeout(10_000, None)
    return latencies


def report(latencies: Latencies, policy: Policy | None = None, **given: Any) -> Latency:
    return latency_report(Latencies.unpack(latencies.pack()), policy or Policy(), given.pop("spikes", "same"), **given)


@pytest.mark.parametrize(
    ("factor", "pairs", "spread", "verdict"),
    [
        (1.0, 20_000, 0.2, "same"),
        (1.0, 2_000, 0.4, "undecided"),
        (1.5, 500, 0.4, "slower"),
        (0.6, 500, 0.4, "faster"),
        (1.1, 300, 0.4, "undecided"),
        (3.0, 50, 0.4, "undecided"),
    ],
)
@pytest.mark.parametrize("control", [True, False])
def test_the_verdict_has_a_tolerance(factor: float, pairs: int, spread: float, verdict: str, *, control: bool) -> None:
    found = report(timed(pairs, factor=factor, spread=spread, control=control))
    assert found["verdict"] == verdict
    assert found["effect"]["p50"]["ratio"] == pytest.approx(factor, rel=0.2)
    assert (found["reference"], found["control"] is not None) == ("control" if control else "baseline", control)
    assert (found["pairs"], found["cold"], found["timeouts"], found["confidence"]) == (pairs, 0, 0, 0.95)


def test_a_wider_tolerance_calls_the_same_figures_the_same() -> None:
    latencies = timed(3_000, spread=0.2)
    assert report(latencies)["verdict"] == "undecided"
    assert report(latencies, Policy(latency_tolerance=0.3))["verdict"] == "same"


def test_a_slow_tail_is_slower_though_the_median_is_not() -> None:
    rng, latencies = random.Random(4), Latencies()
    for number in range(3_000):
        base, branch, other = (int(rng.lognormvariate(9.2, 0.2)) for _ in range(3))
        latencies.warm.add(base, branch * 3 if number % 20 == 0 else branch, other)
    found = report(latencies)
    p50, p90, p99 = (found["effect"][name] for name in ("p50", "p90", "p99"))  # type: ignore[literal-required]
    assert found["verdict"] == "slower"
    assert p99["low"] > 1.1
    assert 0.9 < p50["low"] < p50["high"] < 1.1
    assert p90["low"] < 1.1


@pytest.mark.parametrize(("name", "least"), [("p90", 100), ("p99", 1_000)])
def test_a_tail_is_not_called_on_less_than_ten_answers(name: str, least: int) -> None:
    policy = Policy(min_pairs=10)
    assert report(timed(least - 1), policy)["effect"][name] == UNKNOWN  # type: ignore[literal-required]
    effect = report(timed(3 * least, factor=2), policy)["effect"][name]  # type: ignore[literal-required]
    assert effect["low"] < 2 < effect["high"]


def test_effects_of_quantiles_are_those_of_the_figures_that_are_shown() -> None:
    found = report(timed(5_000, factor=1.3))
    for name in ("p90", "p99"):
        after, before = (found[side][name] for side in ("branch", "control"))  # type: ignore[literal-required]
        intervals = found["intervals"]
        low, high = intervals["branch"][name]["low"], intervals["control"][name]["high"]  # type: ignore[index,literal-required]
        effect = found["effect"][name]  # type: ignore[literal-required]
        assert effect["ratio"] == pytest.approx(after / before, rel=1e-3)
        assert effect["low"] == pytest.approx(low / high, rel=1e-3)


def test_many_endpoints_widen_every_interval() -> None:
    latencies = timed(3_000)
    one, many = report(latencies), report(latencies, endpoints=100)
    for name in ("p50", "p90", "p99"):
        narrow, wide = one["effect"][name], many["effect"][name]  # type: ignore[literal-required]
        assert wide["low"] <= narrow["low"] < narrow["high"] <= wide["high"]
        assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_timeouts_count_as_slower_than_everything() -> None:
    most = report(timed(300, timeouts=400))
    assert (most["verdict"], most["timeouts"], most["pairs"]) == ("slower", 400, 300)
    assert most["branch"] == {"p50": None, "p90": None, "p99": None}
    assert most["effect"]["p50"]["ratio"] is None
    some = report(timed(3_000, timeouts=90))
    assert some["verdict"] == "slower"
    assert some["branch"]["p99"] is None
    assert some["effect"]["p99"]["low"] is not None
    assert some["effect"]["p99"]["low"] > 1.1
    assert some["effect"]["p99"]["high"] is None
    few = report(timed(20_000, spread=0.2, timeouts=20))
    assert (few["verdict"], few["timeouts"]) == ("same", 20)


def test_a_tail_among_the_timeouts_is_never_the_same() -> None:
    assert report(timed(20_000, spread=0.02, timeouts=190))["verdict"] == "undecided"


@pytest.mark.parametrize("control", [True, False])
def test_requests_that_take_too_long_on_every_side_say_nothing_of_the_branch(*, control: bool) -> None:
    """3% of the requests take 30 s everywhere, and a copy is given 15 s: nobody can tell whose copy is slower."""
    latencies = timed(20_000, spread=0.2, control=control)
    for _ in range(600):
        latencies.warm.add_timeout(30_000_000, None)
    found = report(latencies)
    assert found["verdict"] == "undecided"
    assert (found["effect"]["p50"]["high"] or 9) < 1.1
    assert found["branch"]["p99"] is None
    if control:
        assert found["control"] is not None
        assert found["control"]["p99"] is None


def test_controls_may_have_run_into_the_timeout_too() -> None:
    """2% of the copies hang, of the branch and of the control: a pair whose control hung has none."""
    rng, latencies = random.Random(6), timed(3_000, spread=0.2)
    for _ in range(60):
        latencies.warm.add_timeout(10_000, None)
        latencies.warm.add(int(rng.lognormvariate(9.2, 0.2)), int(rng.lognormvariate(9.2, 0.2)), None)
    assert report(latencies)["verdict"] == "undecided"


def test_a_share_of_controls_is_compared_with_where_it_is_large_enough() -> None:
    """The copies' way takes 50% longer than production's: only pairs that have a control can tell."""
    rng, latencies = random.Random(8), Latencies()
    found = []
    for number in range(12_000):
        base, branch, other = (int(rng.lognormvariate(9.2, 0.2)) for _ in range(3))
        latencies.warm.add(base, branch * 3 // 2, None if number % 10 else other * 3 // 2)
        if number in (4_999, 11_999):
            found.append(report(latencies))
    assert [one["reference"] for one in found] == ["baseline", "control"]
    assert [one["verdict"] for one in found] == ["slower", "undecided"]
    assert found[1]["effect"]["p50"]["ratio"] == pytest.approx(1, abs=0.05)


def test_a_small_absolute_change_is_none() -> None:
    latencies = Latencies()
    for _ in range(500):
        latencies.warm.add(200, 400, None)
    assert report(latencies)["verdict"] == "same"
    assert report(latencies, Policy(latency_floor_ms=0.1))["verdict"] == "slower"


def test_nothing_measured_is_undecided(answer: Answer) -> None:
    latencies = Latencies()
    assert not latencies.add(answer(latency_us=None), answer(), None, rules=RULES, pair="p", context=1)
    found = report(latencies)
    assert (found["verdict"], found["pairs"]) == ("undecided", 0)
    assert found["baseline"] == {"p50": None, "p90": None, "p99": None}
    assert found["distribution"] == {"edges_ms": [], "baseline": [], "branch": [], "control": None}


def test_only_timeouts_are_undecided() -> None:
    found = report(timed(0, timeouts=300))
    assert (found["verdict"], found["timeouts"]) == ("undecided", 300)
    assert found["effect"]["p50"] == UNKNOWN


def test_timeouts_are_as_long_as_they_were_waited_for() -> None:
    """Otherwise a tail of 10 ms in which 5% never answered would be little more than 10 ms."""
    narrow = timed(2_000, spread=0.02, timeouts=100)
    assert report(narrow)["verdict"] == "undecided"
    narrow.warm.add_timeout(10_000, None, waited=15_000_000)
    found = report(narrow)
    assert found["verdict"] == "slower"
    assert found["effect"]["p99"]["low"] == pytest.approx(1_500, rel=0.1)
    assert found["intervals"]["branch"]["p99"] == {"low": pytest.approx(15_000, rel=0.021), "high": None}
    never = timed(0)
    for _ in range(1_500):
        never.warm.add_timeout(10_000, None, waited=15_000_000)
    assert report(never)["verdict"] == "slower"


def test_few_pairs_have_figures_and_no_interval() -> None:
    latencies = timed(30)
    for _ in range(20):
        latencies.cold.add(50_000, 500_000, 50_000)
    found = report(latencies)
    assert (found["pairs"], found["cold"], found["verdict"]) == (50, 0, "undecided")
    assert found["branch"]["p90"] == pytest.approx(500, rel=0.01)
    assert found["effect"]["p50"]["ratio"] is not None
    assert found["effect"]["p50"]["low"] is None
    assert found["intervals"]["branch"]["p50"] == {"low": None, "high": None}


def test_cold_pairs_are_left_out_and_said_so(answer: Answer, joined: Joined) -> None:
    """The first 20 pairs of an endpoint are slow on the branch; a worker goes on counting over its deltas."""
    total = delta = ServiceAggregate.empty()
    for number in range(200):
        path, nth = f"/{'ab'[number % 2]}", number // 2
        base, branch = answer(path=path), answer(path=path, latency_us=900_000 if nth < 20 else 2_000)
        delta.add(joined(base, branch, base, pair=str(number)))
        if number % 30 == 29:
            total.merge(ServiceAggregate.from_bytes(delta.to_bytes())) if total is not delta else None
            delta = delta.fresh()
    total.merge(delta)
    for endpoint in total.endpoints.values():
        found = report(endpoint.latencies, Policy(min_pairs=80))
        assert (found["pairs"], found["cold"], found["spikes"], found["branch"]["p99"]) == (80, 20, 0, 2.019)
        assert endpoint.pairs == 100


def test_another_generation_begins_cold(answer: Answer, joined: Joined) -> None:
    triples = [joined(answer(), answer(), pair=str(number)) for number in range(25)]
    warm = ServiceAggregate.empty()
    for triple in triples:
        warm.add(triple)
    going_on, anew = warm.fresh(), warm.fresh()
    anew.forget_told()
    for aggregate, cold in ((warm, 20), (going_on, 0), (anew, 20)):
        for triple in triples if aggregate is not warm else ():
            aggregate.add(triple)
        (endpoint,) = aggregate.endpoints.values()
        assert (endpoint.latencies.cold.pairs, endpoint.latencies.warm.pairs) == (cold, 25 - cold)


def test_endless_endpoints_are_not_counted_for_ever() -> None:
    warm_up = WarmUp()
    assert all(warm_up.is_cold(str(number), 20) for number in range(ENDPOINTS))
    assert not warm_up.is_cold("another", 20)
    assert sum(warm_up.is_cold("7", 20) for _ in range(40)) == 19
    assert not WarmUp().is_cold("any", 0)


def test_a_branch_that_never_answered_reaches_the_report(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    base = answer(latency_us=4_000)
    for number in range(300):
        late = answer(status=504, latency_us=15_000_000, local_reason=TIMEOUT)
        outcome = aggregate.add(joined(base, late if number % 2 else base, pair=str(number)))
        assert outcome.paired is (number % 2 == 0)
    (endpoint,) = aggregate.endpoints.values()
    found = report(endpoint.latencies)
    assert (found["timeouts"], found["pairs"]) == (140, 140)
    assert found["baseline"]["p50"] == pytest.approx(4, rel=0.01)


def test_a_spike_is_a_pair_in_which_the_branch_alone_was_slow(answer: Answer) -> None:
    latencies = Latencies()
    cases = [(5_000, 400_000, 5_000), (5_000, 400_000, 400_000), (5_000, 20_000, 5_000), (5_000, 5_000, 400_000)]
    for number in range(20):
        sides = (answer(latency_us=time) for time in cases[number % 4])
        latencies.add(*sides, rules=RULES, pair=f"p{number:02}", context=number)
    found = report(latencies, spikes="different")
    assert (found["spikes"], found["reference_spikes"], found["spikes_verdict"]) == (5, 5, "different")
    assert (found["spike_pairs"], found["verdict"]) == (["p00", "p04", "p08"], "slower")


def test_a_distribution_is_small_and_holds_every_answer() -> None:
    latencies = timed(2_000, spread=1.5, timeouts=5)
    found = report(latencies)["distribution"]
    edges = found["edges_ms"]
    assert len(edges) <= EDGES
    assert edges == sorted(set(edges))
    assert (sum(found["baseline"]), sum(found["branch"]), sum(found["control"] or [])) == (2_005, 2_000, 2_000)
    for counts in (found["baseline"], found["branch"], found["control"]):
        assert counts is not None
        assert len(counts) == len(edges) - 1
    steps = {round(math.log(after / before), 3) for before, after in pairwise(edges)}
    assert len(steps) <= 2
    assert len(orjson.dumps(report(latencies))) < 2_500
