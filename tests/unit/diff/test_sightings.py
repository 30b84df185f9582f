"""No single input decides; two do, and what is cut down is never more evidence than there was."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.evidence import log_evidence
from microstax.diff.sightings import Sightings, log_evidence_of_several, most_alone

ALPHA = 0.05
ENOUGH = -math.log(ALPHA)


@pytest.mark.parametrize("chance", [0.5, 0.05, 0.9, 0.99])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
def test_one_input_alone_stays_just_below(alpha: float, chance: float) -> None:
    most = most_alone(alpha, chance)
    assert log_evidence(most, 0, chance) < -math.log(alpha) <= log_evidence(most + 1, 0, chance)
    assert most_alone(0.05, 0.5) == 6


def test_one_hot_input_does_not_decide_and_two_do() -> None:
    one = Sightings(b=1_000, c=0)
    assert log_evidence_of_several(one, [(1_000, 0)], 400, ALPHA) < ENOUGH < one.log_evidence()
    assert log_evidence_of_several(one, [(500, 0), (500, 0)], 400, ALPHA) > 100
    assert log_evidence_of_several(one, [(990, 0), (10, 0)], 400, ALPHA) == log_evidence(16, 0)


def test_where_there_is_no_other_input_one_decides() -> None:
    one = Sightings(b=1_000, c=0)
    assert log_evidence_of_several(one, [(1_000, 0)], 2, ALPHA) == one.log_evidence()


def test_noise_of_the_hot_input_stays_in_proportion() -> None:
    hot = Sightings(b=60 + 5, c=30 + 1)
    assert log_evidence_of_several(hot, [(60, 30)], 400, ALPHA) == pytest.approx(log_evidence(4 + 5, 2 + 1))


def test_pairs_without_a_control_count_for_an_input_too() -> None:
    sampled = Sightings(b=20, c=0, alone=380, control=0, alone_chance=0.95)
    assert log_evidence_of_several(sampled, [(400, 0)], 400, ALPHA) < ENOUGH < sampled.log_evidence()
    assert log_evidence_of_several(sampled, [(200, 0), (200, 0)], 400, ALPHA) > ENOUGH


def test_either_direction_is_evidence_where_both_may_be_drift() -> None:
    up, down = (Sightings(b=b, c=c, two_sided=True).log_evidence() for b, c in ((40, 3), (3, 40)))
    assert up == pytest.approx(down)
    assert up == pytest.approx(log_evidence(40, 3) - math.log(2))


HOT = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=8)


@given(
    b=st.integers(0, 500),
    c=st.integers(0, 500),
    alone=st.integers(0, 500),
    chance=st.none() | st.sampled_from([0.1, 0.9]),
    two_sided=st.booleans(),
    hottest=HOT,
)
def test_it_is_never_more_than_all_evidence_in_any_order(
    *, b: int, c: int, alone: int, chance: float | None, two_sided: bool, hottest: list[tuple[int, int]]
) -> None:
    sightings = Sightings(b=b, c=c, alone=alone, control=c, alone_chance=chance, two_sided=two_sided)
    evidence = log_evidence_of_several(sightings, hottest, 99, ALPHA)
    assert evidence <= sightings.log_evidence()
    assert evidence == log_evidence_of_several(sightings, hottest[::-1], 99, ALPHA)
    assert math.isfinite(evidence)
