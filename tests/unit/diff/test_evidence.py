"""Evidence is the integral that it says it is, for any counts, and a fair bet under equal behaviour."""

import math
import operator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.evidence import e_bh, log_evidence, log_mean

COUNTS = st.integers(0, 400) | st.integers(0, 10**9)


def exact(b: int, c: int) -> float:
    """Return ln E in exact fractions: 2^(b+c+1) times the sum of the binomially expanded integral."""
    terms = (
        Fraction(math.comb(c, k) * (-1) ** k, b + k + 1) * (1 - Fraction(1, 2 ** (b + k + 1))) for k in range(c + 1)
    )
    value = sum(terms, Fraction(0)) * 2 ** (b + c + 1)
    return math.log(value.numerator) - math.log(value.denominator)


@given(b=st.integers(0, 120), c=st.integers(0, 80))
def test_evidence_is_the_integral(b: int, c: int) -> None:
    assert log_evidence(b, c) == pytest.approx(exact(b, c), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("chance", [0.05, 0.3, 0.5, 0.95])
def test_the_mean_of_evidence_under_equal_behaviour_is_one(chance: float) -> None:
    for events in (1, 5, 40):
        weights = [math.comb(events, b) * chance**b * (1 - chance) ** (events - b) for b in range(events + 1)]
        evidences = [math.exp(log_evidence(b, events - b, chance)) for b in range(events + 1)]
        assert sum(map(operator.mul, weights, evidences)) == pytest.approx(1)


@given(b=COUNTS, c=COUNTS, chance=st.sampled_from([0.5, 0.05, 0.3, 0.95]))
def test_one_more_event_is_a_fair_bet(b: int, c: int, chance: float) -> None:
    """A martingale: the mean of E after the next event is E today, as far as ln E holds digits."""
    now = log_evidence(b, c, chance)
    grown = chance * math.exp(log_evidence(b + 1, c, chance) - now)
    shrunk = (1 - chance) * math.exp(log_evidence(b, c + 1, chance) - now)
    assert grown + shrunk == pytest.approx(1, rel=max(1e-9, 2e-15 * abs(now)))


@given(b=COUNTS, c=COUNTS)
def test_evidence_grows_with_the_branch_and_falls_with_the_control(b: int, c: int) -> None:
    assert log_evidence(b + 1, c) > log_evidence(b, c) > log_evidence(b, c + 1)


@pytest.mark.parametrize("many", [1, 7, 1_000, 10**6, 10**9])
def test_evidence_of_any_counts_is_what_short_formulas_say(many: int) -> None:
    clean = (many + 1) * math.log(2) + math.log1p(-(2.0 ** -(many + 1))) - math.log(many + 1)
    assert log_evidence(0, 0) == 0
    assert log_evidence(many, 0) == pytest.approx(clean, rel=1e-13)
    assert log_evidence(0, many) == pytest.approx(-math.log(many + 1), rel=1e-12)
    central = math.lgamma(2 * many + 1) - 2 * math.lgamma(many + 1) if many < 10**4 else None
    stirling = -math.log(math.pi * many) / 2 - 1 / (8 * many)
    even = 2 * many * math.log(2) - math.log(2 * many + 1) - central if central else -stirling - math.log(2 * many + 1)
    assert log_evidence(many, many) == pytest.approx(even, rel=1e-11)


@given(first=st.floats(-800, 800), second=st.floats(-800, 800))
def test_the_mean_of_two_lies_between_them(first: float, second: float) -> None:
    mean = log_mean(first, second)
    assert min(first, second) - 1e-9 <= mean <= max(first, second) + 1e-9
    assert mean >= max(first, second) - math.log(2) - 1e-9


def test_e_bh_rejects_the_largest_set_that_holds() -> None:
    assert e_bh([math.log(100), math.log(29), 0.0], 0.05) == [True, False, False]
    assert e_bh([math.log(40), math.log(31), math.log(30)], 0.05) == [True, True, True]
    assert e_bh([], 0.05) == []


@given(st.lists(st.floats(-5, 12), max_size=40), st.randoms(use_true_random=False))
def test_e_bh_is_its_definition_in_any_order(log_evidences: list[float], random: object) -> None:
    total = len(log_evidences)
    ordered = sorted(log_evidences, reverse=True)
    sizes = [k for k in range(1, total + 1) if ordered[k - 1] >= math.log(total / (k * 0.05))]
    least = ordered[sizes[-1] - 1] if sizes else math.inf
    shuffled = log_evidences.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert e_bh(shuffled, 0.05) == [evidence >= least for evidence in shuffled]
