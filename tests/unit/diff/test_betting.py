"""An excess is called small by a bet that does not win by chance, and its interval covers at all times."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.betting import (
    clean_triples,
    excess_below,
    finest_stake,
    log_evidence_below,
    times_until_below,
)

ALPHA = 0.05
ENOUGH = -math.log(ALPHA)


@pytest.mark.parametrize(("up", "down"), [(0.05, 0.0), (0.3, 0.29), (0.5, 0.5), (0.0, 0.2)])
def test_the_bet_is_fair_at_the_excess_that_it_is_against(up: float, down: float) -> None:
    triples, mean = 7, 0.0
    for b in range(triples + 1):
        for c in range(triples + 1 - b):
            calm = triples - b - c
            ways = math.comb(triples, b) * math.comb(triples - b, c) * up**b * down**c * (1 - up - down) ** calm
            mean += ways * math.exp(log_evidence_below(up - down, b=b, c=c, triples=triples, finest=7))
    assert mean == pytest.approx(1)


@pytest.mark.parametrize(("tolerance", "triples"), [(0.001, 3642), (0.01, 362), (0.02, 180), (0.05, 71), (0.1, 35)])
def test_so_many_clean_triples_show_that_an_excess_is_small(tolerance: float, triples: int) -> None:
    finest = finest_stake(tolerance)
    assert clean_triples(tolerance, finest=finest, alpha=ALPHA) == triples
    assert excess_below(b=0, c=0, triples=triples, finest=finest, alpha=ALPHA) <= tolerance + 1e-6
    assert excess_below(b=0, c=0, triples=triples - 1, finest=finest, alpha=ALPHA) > tolerance


def test_nothing_is_small_without_a_tolerance_or_without_a_triple() -> None:
    assert times_until_below(0.0, b=5, c=5, triples=10_000, finest=20, alpha=ALPHA) == math.inf
    assert log_evidence_below(0.0, b=5, c=5, triples=10_000, finest=20) < 0
    assert excess_below(b=0, c=0, triples=0, finest=7, alpha=ALPHA) == 1
    assert excess_below(b=9, c=0, triples=9, finest=7, alpha=ALPHA) == 1
    assert excess_below(b=805_306_380, c=0, triples=805_306_381, finest=7, alpha=ALPHA) == 1


COUNTS = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**9))


@given(counts=COUNTS, excess=st.floats(0.0005, 0.9))
def test_it_wins_against_larger_excesses_only(counts: tuple[int, int, int], excess: float) -> None:
    b, c, rest = counts
    given_counts = {"b": b, "c": c, "triples": b + c + rest, "finest": 7}
    high = excess_below(**given_counts, alpha=ALPHA)
    assert (b - c) / (b + c + rest) <= high <= 1
    assert log_evidence_below(excess, **given_counts) <= log_evidence_below(excess + 0.05, **given_counts)
    if abs(high - excess) > 1e-6:
        assert (log_evidence_below(excess, **given_counts) >= ENOUGH) == (high < excess)


@given(b=st.integers(0, 50), more=st.integers(0, 50), rest=st.integers(1, 10**6))
def test_how_much_more_it_takes_is_about_right(b: int, more: int, rest: int) -> None:
    now = {"b": b, "c": b + more, "triples": 2 * b + more + rest}
    times = times_until_below(0.01, **now, finest=7, alpha=ALPHA)
    if math.isfinite(times):
        then = {name: count * times for name, count in now.items()}
        assert log_evidence_below(0.01, **then, finest=7) >= ENOUGH - 1e-9
        before = {name: count * times / 2 for name, count in now.items()}
        assert log_evidence_below(0.01, **before, finest=7) < ENOUGH


@pytest.mark.parametrize(("up", "down"), [(0.01, 0.0), (0.03, 0.02), (0.26, 0.25)])
def test_the_interval_covers_at_every_reading(up: float, down: float) -> None:
    """An excess of exactly the tolerance is called small in at most alpha of all runs, read after every 50 pairs."""
    rng, erred = random.Random(11), 0
    for _ in range(200):
        b = c = 0
        for read in range(50, 3_001, 50):
            drawn = rng.choices((1, -1, 0), (up, down, 1 - up - down), k=50)
            b, c = b + drawn.count(1), c + drawn.count(-1)
            if log_evidence_below(up - down, b=b, c=c, triples=read, finest=7) >= ENOUGH:
                erred += 1
                break
    assert erred <= ALPHA * 200
