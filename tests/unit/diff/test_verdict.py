"""Verdicts follow from counts: evidence as its formula says, few false findings, drift found early."""

import math
import operator
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.evidence import e_bh, log_evidence
from microstax.diff.verdict import Counts, Policy, judge


def exact(b: int, c: int) -> float:
    terms = (
        Fraction(math.comb(c, k) * (-1) ** k, b + k + 1) * (1 - Fraction(1, 2 ** (b + k + 1))) for k in range(c + 1)
    )
    value = sum(terms, Fraction(0)) * 2 ** (b + c + 1)
    return math.log(value.numerator) - math.log(value.denominator)


@given(b=st.integers(0, 120), c=st.integers(0, 80))
def test_evidence_is_the_integral(b: int, c: int) -> None:
    assert log_evidence(b, c) == pytest.approx(exact(b, c), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("chance", [0.05, 0.3, 0.5, 0.95])
def test_the_mean_of_evidence_under_equal_behaviour_is_one(chance: float) -> None:
    for events in (1, 5, 40):
        weights = [math.comb(events, b) * chance**b * (1 - chance) ** (events - b) for b in range(events + 1)]
        evidences = [math.exp(log_evidence(b, events - b, chance)) for b in range(events + 1)]
        assert sum(map(operator.mul, weights, evidences)) == pytest.approx(1)


def test_evidence_without_noise_is_the_short_formula() -> None:
    assert log_evidence(7, 0) == pytest.approx(math.log((2**8 - 1) / 8))
    assert log_evidence(0, 0) == pytest.approx(0)


@pytest.mark.parametrize("half", [1_000, 49_999, 50_001, 10**6, 5 * 10**8])
def test_evidence_is_stable_for_large_counts(half: int) -> None:
    even = log_evidence(half, half)
    assert -15 < even < 0
    assert log_evidence(half + round(5 * math.sqrt(2 * half)), half) > 0
    assert log_evidence(half, half + round(5 * math.sqrt(2 * half))) < even
    assert math.isfinite(log_evidence(0, half))


def test_e_bh_rejects_the_largest_set_that_holds() -> None:
    assert e_bh([math.log(100), math.log(29), 0.0], 0.05) == [True, False, False]
    assert e_bh([math.log(40), math.log(31), math.log(30)], 0.05) == [True, True, True]
    assert e_bh([], 0.05) == []


def counts(**given: Any) -> Counts:
    return Counts(**{"pairs": 400, "triples": 400, "branch_only": 0, "control_only": 0, "both": 0, "alone": 0, **given})


@pytest.mark.parametrize(
    ("given_counts", "verdict"),
    [
        ({"branch_only": 20}, "different"),
        ({"both": 400}, "same"),
        ({"both": 300, "pairs": 300, "triples": 300}, "undecided"),
        ({"branch_only": 100, "control_only": 100}, "undecided"),
        ({"branch_only": 15_000, "control_only": 15_000, "pairs": 60_000, "triples": 60_000}, "same"),
        ({"branch_only": 170, "control_only": 60, "both": 100}, "different"),
        ({"branch_only": 4}, "undecided"),
        ({"branch_only": 4, "pairs": 100_000, "triples": 100_000}, "same"),
        ({"both": 50, "pairs": 50, "triples": 50}, "undecided"),
        ({"alone": 20, "triples": 0}, "undecided"),
        ({"alone": 19, "triples": 20}, "undecided"),
        ({"alone": 380, "branch_only": 20, "triples": 20}, "different"),
        ({"alone": 114, "branch_only": 4, "control_only": 4, "both": 2, "triples": 20}, "undecided"),
        ({"alone": 19_000, "both": 1_000, "pairs": 20_000, "triples": 1_000}, "same"),
        ({"alone": 200, "pairs": 4_000, "triples": 200}, "different"),
        ({"alone": 3, "triples": 0, "calibrated": False}, "different"),
        ({"alone": 2, "triples": 0, "calibrated": False}, "undecided"),
        ({"alone": 400, "triples": 0, "calibrated": False, "is_value": True}, "not comparable"),
        ({"alone": 400, "triples": 0, "calibrated": False, "is_value": True, "formatted": 399}, "same"),
        ({"alone": 400, "triples": 0, "calibrated": False, "varies": True}, "same"),
    ],
)
def test_one_discrepancy(given_counts: dict[str, Any], verdict: str) -> None:
    (judgement,) = judge([counts(**given_counts)], Policy())
    assert judgement.verdict == verdict
    assert (judgement.needs is not None) == (verdict == "undecided")


def test_an_undecided_one_needs_about_as_many_more_as_it_takes() -> None:
    (judgement,) = judge([counts(branch_only=4)], Policy())
    factor = (400 + judgement.needs) / 400
    assert judge([counts(branch_only=math.ceil(4 * factor))], Policy())[0].verdict == "different"
    assert judgement.needs < 400


def test_more_questions_need_more_evidence() -> None:
    noise = [counts(branch_only=10, control_only=10)] * 300
    assert judge([counts(branch_only=8), *noise], Policy())[0].verdict == "undecided"
    assert judge([counts(branch_only=8)], Policy())[0].verdict == "different"


def test_the_unchanged_version_yields_hardly_any_finding() -> None:
    """200 comparisons of 20 noisy fields each, read after every 50 of 400 requests: at most alpha of them err."""
    rng, erred = random.Random(5), 0
    for _ in range(200):
        rates = [rng.random() for _ in range(20)]
        family = [[0, 0, 0] for _ in rates]
        wrong = False
        for request in range(1, 401):
            for field, rate in zip(family, rates, strict=True):
                branch, control = rng.random() < rate, rng.random() < rate
                field[0] += branch and not control
                field[1] += control and not branch
                field[2] += branch and control
            if request % 50 == 0:
                asked = [
                    counts(branch_only=b, control_only=c, both=both, pairs=request, triples=request)
                    for b, c, both in family
                ]
                wrong |= any(judgement.verdict == "different" for judgement in judge(asked, Policy()))
        erred += wrong
    assert erred <= 0.05 * 200


@pytest.mark.parametrize(
    ("share", "noise", "requests"), [(0.05, 0.0, 450), (0.05, 0.01, 700), (0.3, 0.3, 400), (1.0, 0.5, 100)]
)
def test_drift_is_found_within_a_few_hundred_requests(share: float, noise: float, requests: int) -> None:
    rng, found = random.Random(6), 0
    for _ in range(50):
        b = c = both = 0
        for _ in range(requests):
            branch, control = rng.random() < noise or rng.random() < share, rng.random() < noise
            b, c, both = b + (branch and not control), c + (control and not branch), both + (branch and control)
        asked = [counts(branch_only=b, control_only=c, both=both, pairs=requests, triples=requests)]
        found += judge([*asked, *[counts(both=10)] * 30], Policy())[0].verdict == "different"
    assert found >= 45
