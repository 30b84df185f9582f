"""A process that stands still once is no finding, however many requests waited for it; one that does so often is."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from microstax.diff import ReportInput, ServiceAggregate, build_report
from microstax.diff.moments import ENDPOINTS, Moments
from microstax.model.exchange import Exchange, Side, Triple
from microstax.model.report import Latency

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]
RATE = 200
BEGUN_US = 1_700_000_000_000_000


def waits_us(at_us: int, stalls: Sequence[tuple[float, float]]) -> int:
    """Return how long a request waits that comes while its process stands still; stalls are (from, seconds)."""
    return sum(
        round((begins + lasts) * 1e6) - at_us
        for begins, lasts in stalls
        if round(begins * 1e6) <= at_us < round((begins + lasts) * 1e6)
    )


def measured(
    answer: Answer, joined: Joined, *, stalls: Sequence[tuple[float, float]], seconds: int, deltas: bool = False
) -> Latency:
    rng = random.Random(4)
    total, part = ServiceAggregate.empty(), ServiceAggregate.empty()
    for number in range(seconds * RATE):
        at_us = number * 1_000_000 // RATE
        sides = [
            replace(
                answer({}, side=side, latency_us=rng.randrange(2_000, 4_000) + (waits_us(at_us, own))),
                started_us=BEGUN_US + at_us,
            )
            for side, own in ((Side.BASELINE, ()), (Side.BRANCH, stalls), (Side.CONTROL, ()))
        ]
        part.add(joined(*sides, pair=f"pair-{number}"))
        if deltas and number % 97 == 0:
            total.merge(ServiceAggregate.from_bytes(part.to_bytes()))
            part = part.fresh()
    total.merge(part)
    coverage: Any = {"mirrored": 1, "paired": 1, "not_compared": {}, "skipped_methods": {}, "blocked_calls": 0}
    given = ReportInput(overlay="o", baseline="b", since="", aggregates={"shop": total}, coverage=coverage)
    [endpoint] = build_report(given)["services"][0]["endpoints"]
    return endpoint["latency"]


@pytest.mark.parametrize("lasts", [0.2, 0.5, 1.5])
@pytest.mark.parametrize("deltas", [False, True])
def test_one_stall_is_no_finding_however_many_waited(
    answer: Answer, joined: Joined, *, lasts: float, deltas: bool
) -> None:
    latency = measured(answer, joined, stalls=[(12.3, lasts)], seconds=30, deltas=deltas)
    assert latency["spikes"] > (lasts - 0.1) * RATE
    too_many = latency["spikes"] > 0.01 * latency["pairs"]
    assert latency["spikes_verdict"] == ("undecided" if too_many else "same")
    assert latency["verdict"] not in {"slower", "faster"}


def test_stalls_again_and_again_are_a_finding(answer: Answer, joined: Joined) -> None:
    stalls = [(second + 0.4, 0.2) for second in range(1, 40, 2)]
    latency = measured(answer, joined, stalls=stalls, seconds=40)
    assert (latency["spikes_verdict"], latency["verdict"]) == ("different", "slower")


def test_a_moment_is_counted_once_for_each_endpoint() -> None:
    moments = Moments()
    seen = [moments.is_first("a", 10_200_000), moments.is_first("a", 10_900_000), moments.is_first("b", 10_900_000)]
    assert seen == [True, False, True]
    assert moments.is_first("a", 11_000_000)
    assert not moments.is_first("a", 10_990_000), "what comes late belongs to what was seen already"


def test_without_a_clock_every_slow_answer_speaks() -> None:
    moments = Moments()
    assert [moments.is_first("a", None) for _ in range(3)] == [True] * 3


def test_a_copy_goes_on_by_itself() -> None:
    moments = Moments()
    moments.is_first("a", 5_000_000)
    copy = moments.copy()
    assert not copy.is_first("a", 5_100_000)
    copy.is_first("a", 6_000_000)
    assert moments.is_first("a", 6_100_000)


def test_endless_endpoints_cost_bounded_memory() -> None:
    moments = Moments()
    for number in range(3 * ENDPOINTS):
        assert moments.is_first(f"endpoint {number}", 1_000_000)
    assert len(moments._last) <= ENDPOINTS
