"""Latencies: effects with intervals, a tolerance, timeouts that count, spikes that are found."""

import random
from collections.abc import Callable

import pytest

from microstax.diff import Rules
from microstax.diff.latency import Latencies
from microstax.diff.latency_verdict import latency_report
from microstax.diff.verdict import Policy
from microstax.model.exchange import Exchange
from microstax.model.report import Latency

Answer = Callable[..., Exchange]
RULES = Rules()


def measured(answer: Answer, pairs: int, *, factor: float = 1.0, timeouts: int = 0, control: bool = True) -> Latency:
    rng, latencies = random.Random(9), Latencies()
    for number in range(pairs):
        times = [int(rng.lognormvariate(9.2, 0.4)) for _ in range(3)]
        base, branch, other = (
            answer(latency_us=times[0]),
            answer(latency_us=int(times[1] * factor)),
            answer(latency_us=times[2]),
        )
        latencies.add(base, branch, other if control else None, rules=RULES, pair=str(number), context=number)
    for _ in range(timeouts):
        latencies.add_timeout()
    return latency_report(Latencies.unpack(latencies.pack()), Policy(), "same")


@pytest.mark.parametrize(
    ("factor", "pairs", "verdict"),
    [(1.0, 3_000, "same"), (1.5, 500, "slower"), (0.6, 500, "faster"), (1.1, 200, "undecided"), (3.0, 50, "undecided")],
)
@pytest.mark.parametrize("control", [True, False])
def test_the_verdict_has_a_tolerance(answer: Answer, factor: float, pairs: int, verdict: str, *, control: bool) -> None:
    report = measured(answer, pairs, factor=factor, control=control)
    assert report["verdict"] == verdict
    effect = report["effect"]["p50"]
    assert effect["ratio"] == pytest.approx(factor, rel=0.15)
    assert effect["low"] is not None
    assert effect["high"] is not None
    assert effect["low"] < factor < effect["high"]
    assert (report["control"] is not None) is control


def test_the_p99_is_not_called_below_a_thousand_pairs(answer: Answer) -> None:
    assert measured(answer, 999)["effect"]["p99"] == {"ratio": None, "low": None, "high": None}
    effect = measured(answer, 1_500, factor=2)["effect"]["p99"]
    assert effect["low"] is not None
    assert effect["low"] < 2 < effect["high"]  # type: ignore[operator]


def test_timeouts_count_as_slower_than_everything(answer: Answer) -> None:
    assert measured(answer, 300, timeouts=400)["verdict"] == "slower"
    assert measured(answer, 3_000, timeouts=10)["verdict"] == "same"
    assert measured(answer, 1_500, timeouts=100)["effect"]["p99"]["ratio"] is None


def test_a_small_absolute_change_is_none(answer: Answer) -> None:
    latencies = Latencies()
    for number in range(500):
        latencies.add(
            answer(latency_us=200), answer(latency_us=400), None, rules=RULES, pair=str(number), context=number
        )
    assert latency_report(latencies, Policy(), "same")["verdict"] == "same"


def test_nothing_measured_is_undecided(answer: Answer) -> None:
    latencies = Latencies()
    assert not latencies.add(answer(latency_us=None), answer(), None, rules=RULES, pair="p", context=1)
    report = latency_report(latencies, Policy(), "same")
    assert report["verdict"] == "undecided"
    assert report["baseline"] == {"p50": None, "p90": None, "p99": None}


def test_a_spike_is_a_pair_in_which_the_branch_alone_was_slow(answer: Answer) -> None:
    latencies = Latencies()
    cases = [(5_000, 400_000, 5_000), (5_000, 400_000, 400_000), (5_000, 20_000, 5_000), (5_000, 5_000, 400_000)]
    for number, (base, branch, control) in enumerate(cases):
        latencies.add(
            *(answer(latency_us=time) for time in (base, branch, control)),
            rules=RULES,
            pair=f"p{number}",
            context=number,
        )
    report = latency_report(latencies, Policy(), "different")
    assert (report["spikes"], report["spike_pair"], report["verdict"]) == (1, "p0", "slower")
    assert latencies.spikes.control_only == 1
