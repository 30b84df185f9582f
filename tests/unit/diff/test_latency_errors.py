"""How often verdicts on latencies err, read again and again, and how soon they find a slowdown."""

import math
import random
from collections.abc import Callable, Iterator
from statistics import median

import pytest

from microstax.diff.latency import Latencies
from microstax.diff.latency_verdict import latency_report
from microstax.diff.verdict import Policy
from microstax.model.report import Latency

Request = Callable[[random.Random], tuple[float, float, float]]
STRICT = Policy(alpha=0.1, latency_tolerance=0.0, latency_floor_ms=0.0)
"""Any change at all is one, so that nothing but the intervals keeps a verdict from being wrong."""


def alike(rng: random.Random) -> tuple[float, float, float]:
    """Return what three equal sides take (microseconds), which all wait for the same database."""
    shared = rng.lognormvariate(8.5, 0.5)
    base, branch, control = (shared + rng.lognormvariate(8.5, 0.3) for _ in range(3))
    return base, branch, control


def with_a_tail(rng: random.Random) -> tuple[float, float, float]:
    """Return what three equal sides take, of which 2% collect garbage."""
    base, branch, control = (rng.lognormvariate(9, 0.2) * (8 if rng.random() < 0.02 else 1) for _ in range(3))
    return base, branch, control


def readings(request: Request, seed: int, pairs: int, policy: Policy) -> Iterator[tuple[int, Latency]]:
    """Yield (pairs, report) each time there are 15% more."""
    rng, latencies, at = random.Random(seed), Latencies(), 60
    for number in range(1, pairs + 1):
        base, branch, control = map(int, request(rng))
        latencies.warm.add(base, branch, control)
        if number == at:
            at = math.ceil(at * 1.15)
            yield number, latency_report(latencies, policy, "same")


@pytest.mark.parametrize("request_of", [alike, with_a_tail])
def test_a_version_is_hardly_ever_slower_or_faster_than_itself(request_of: Request) -> None:
    """At any of 25 readings of 2,000 pairs; a 90% interval for one look would be wrong in most of the runs."""
    runs = 150
    wrong = sum(
        any(found["verdict"] in ("slower", "faster") for _, found in readings(request_of, seed, 2_000, STRICT))
        for seed in range(runs)
    )
    assert wrong <= STRICT.alpha * runs


def test_the_median_ratio_is_hardly_ever_outside_of_its_interval() -> None:
    """The branch takes 1.3 times what the control takes, in the median of pairs."""
    runs, wrong = 150, 0
    for seed in range(runs):
        effects = (
            found["effect"]["p50"]
            for _, found in readings(
                lambda rng: (1.0, 13_000 * rng.lognormvariate(0, 0.5), 10_000 * rng.lognormvariate(0, 0.5)),
                seed,
                2_000,
                STRICT,
            )
        )
        wrong += any(not (one["low"] or 0.0) <= 1.3 <= (one["high"] or math.inf) for one in effects)
    assert wrong <= STRICT.alpha * runs


def until(verdict: str, request: Request, seed: int, pairs: int) -> float:
    """Return after how many pairs the verdict is given, inf if it is not; no other one may come before."""
    for number, found in readings(request, seed, pairs, Policy()):
        if found["verdict"] == verdict:
            return number
        assert found["verdict"] == "undecided"
    return math.inf


def test_a_slowdown_of_a_fifth_is_found_after_some_hundred_pairs() -> None:
    def slower(rng: random.Random) -> tuple[float, float, float]:
        base, branch, control = (rng.lognormvariate(9.2, 0.4) for _ in range(3))
        return base, 1.2 * branch, control

    assert 300 < median(until("slower", slower, seed, 4_000) for seed in range(15)) < 1_600
