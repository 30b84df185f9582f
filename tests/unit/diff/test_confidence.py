"""Intervals that hold at all times: exact small cases, their shape, and how often they are ever wrong."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.confidence import rank_bounds, rate_bounds

SHARES = (0.5, 0.9, 0.99)
ALPHAS = st.sampled_from([0.5, 0.05, 1e-3, 1e-9, 0.0, -1.0, math.nan, 2.0])
COUNTS = st.one_of(st.integers(0, 40), st.integers(0, 10**9), st.integers(0, 2**63 - 1))


def jeffreys(hits: int, misses: int) -> Fraction:
    """Return the integral of theta^hits (1-theta)^misses over Beta(1/2, 1/2): an order of Polya's urn."""
    chance = Fraction(1)
    for number in range(hits):
        chance *= Fraction(2 * number + 1, 2 * number + 2)
    for number in range(misses):
        chance *= Fraction(2 * number + 1, 2 * (hits + number) + 2)
    return chance


def evidence(hits: int, misses: int, rate: float) -> float:
    p = Fraction(rate)
    atom = (1 - p) ** misses if hits == 0 else None
    mixture = jeffreys(hits, misses) / (p**hits * (1 - p) ** misses)
    return float((mixture + (1 / atom if atom is not None else 0)) / 2)


@pytest.mark.parametrize(("hits", "total"), [(0, 5), (0, 60), (1, 12), (3, 50), (25, 40)])
def test_the_upper_end_is_where_the_exact_martingale_reaches_its_bound(hits: int, total: int) -> None:
    high = rate_bounds(hits, total, 0.1)[1]
    assert evidence(hits, total - hits, high) == pytest.approx(2 / 0.1, rel=1e-9)


@pytest.mark.parametrize("total", [10**2, 10**5, 10**9, 10**12])
def test_no_hit_bounds_the_rate_by_little_more_than_one_look_would(total: int) -> None:
    low, high = rate_bounds(0, total, 0.05)
    assert low == 0.0
    assert math.log(2 / 0.05) < total * high < math.log(4 / 0.05)


@pytest.mark.parametrize("total", [10**7, 10**9])
def test_large_counts_follow_the_normal_approximation(total: int) -> None:
    """M is about sqrt(1 / (n w)) exp(z^2 / 2), with the prior's density 1 / (pi sqrt(p q)) as w."""
    z = math.sqrt(2 * (math.log(2 / 0.05) + math.log(2) + math.log(total * math.pi / 2) / 2))
    low, high = rate_bounds(total // 2, total, 0.05)
    assert (high - 0.5) / (z * math.sqrt(0.25 / total)) == pytest.approx(1, abs=2e-3)
    assert high - 0.5 == pytest.approx(0.5 - low, rel=1e-6)


@given(hits=COUNTS, total=COUNTS, alpha=ALPHAS)
def test_a_rate_lies_within_its_interval_whatever_it_is(hits: int, total: int, alpha: float) -> None:
    low, high = rate_bounds(hits, total, alpha)
    assert 0 <= low <= high <= 1
    if total:
        assert low <= min(hits, total) / total <= high


@given(hits=st.integers(0, 1_000), rest=st.integers(0, 1_000), alpha=st.sampled_from([0.5, 0.05, 1e-6]))
def test_hits_and_misses_are_treated_alike_and_more_values_narrow(hits: int, rest: int, alpha: float) -> None:
    low, high = rate_bounds(hits, hits + rest, alpha)
    other_low, other_high = rate_bounds(rest, hits + rest, alpha)
    assert (low, high) == (pytest.approx(1 - other_high, abs=1e-12), pytest.approx(1 - other_low, abs=1e-12))
    wider = rate_bounds(hits, hits + rest, alpha / 10)
    assert wider[0] <= low
    assert high <= wider[1]
    if hits + rest:
        tighter = rate_bounds(4 * hits, 4 * (hits + rest), alpha)
        assert tighter[1] - tighter[0] < high - low


@pytest.mark.parametrize("rate", [0.002, 0.05, 0.5])
def test_a_rate_is_hardly_ever_outside_of_any_interval_on_the_way(rate: float) -> None:
    """3,000 values, looked at 40 times on the way; an interval for one look would be wrong in a third."""
    rng, walks, wrong = random.Random(11), 200, 0
    looks = {round(1.2227**look) for look in range(40)}
    for _ in range(walks):
        hits, is_wrong = 0, False
        for total in range(1, 3_001):
            hits += rng.random() < rate
            if total in looks and not is_wrong:
                low, high = rate_bounds(hits, total, 0.1)
                is_wrong = not low <= rate <= high
        wrong += is_wrong
    assert wrong <= 0.1 * walks


def test_ranks_are_those_whose_exact_martingale_stays_below_its_bound() -> None:
    """With the prior Beta(50, 50), the mixture is a product of Polya's urn."""
    total, alpha = 60, 0.05

    def is_out(hits: int) -> bool:
        ratio = Fraction(2) ** total
        for number in range(total):
            part = 50 + number if number < hits else 50 + number - hits
            ratio *= Fraction(part, 100 + number)
        return ratio >= 1 / Fraction(alpha)

    inside = [hits for hits in range(total + 1) if not is_out(hits)]
    assert rank_bounds(total, 0.5, alpha) == (inside[0] - 1, inside[-1])


@given(total=COUNTS, share=st.sampled_from([0.0, 0.01, *SHARES, 1.0, math.nan]), alpha=ALPHAS)
def test_a_quantiles_rank_lies_within_its_bounds(total: int, share: float, alpha: float) -> None:
    found = rank_bounds(total, share, alpha)
    if found is not None:
        assert 0 <= found[0] <= share * total <= found[1] + 1 <= total
        wider = rank_bounds(total, share, alpha / 10)
        assert wider is None or (wider[0] <= found[0] and found[1] <= wider[1])


def test_few_values_bound_no_quantile_and_more_always_do() -> None:
    for share in SHARES:
        known = [rank_bounds(total, share, 0.05 / 6) is not None for total in range(1, 1_500)]
        assert known == sorted(known)
        assert (not known[0], known[-1]) == (True, True)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("steps", [1, 40])
def test_a_quantile_is_hardly_ever_outside_of_any_interval_on_the_way(share: float, steps: int) -> None:
    """Of values that all differ, and of those that are equal within each of 40 steps of their distribution."""
    rng, walks, wrong = random.Random(13), 300, 0
    bounds = {total: rank_bounds(total, share, 0.1) for total in range(10, 3_001, 10)}
    quantile = math.ceil(share * steps) / steps if steps > 1 else share
    for _ in range(walks):
        below = upto = 0
        is_wrong = False
        for total in range(1, 3_001):
            value = math.ceil(rng.random() * steps) / steps if steps > 1 else rng.random()
            below += value < quantile
            upto += value <= quantile
            found = bounds.get(total)
            is_wrong = is_wrong or (found is not None and not (found[0] < upto and below <= found[1]))
        wrong += is_wrong
    assert wrong <= 0.1 * walks
