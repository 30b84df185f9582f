"""Verdicts follow from counts: few false findings, drift found early, `same` only where it was shown."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.evidence import log_evidence
from microstax.diff.verdict import Counts, Judgement, Policy, clean_high, clean_needs, judge


def counts(**given: Any) -> Counts:
    return Counts(**{"pairs": 400, "triples": 400, "branch_only": 0, "control_only": 0, "both": 0, "alone": 0, **given})


def judge_one(policy: Policy | None = None, **given: Any) -> Judgement:
    (judgement,) = judge([counts(**given)], policy or Policy())
    return judgement


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
        ({"control_only": 300}, "same"),
        ({"control_only": 300, "two_sided": True}, "different"),
        ({"branch_only": 700, "control_only": 700, "pairs": 1_400, "triples": 1_400, "two_sided": True}, "same"),
        ({"branch_only": 700, "control_only": 700, "pairs": 9_000, "triples": 1_400, "two_sided": True}, "same"),
        ({"alone": 3, "triples": 0, "calibrated": False}, "different"),
        ({"alone": 2, "triples": 0, "calibrated": False}, "undecided"),
        ({"alone": 0, "triples": 0, "calibrated": False}, "same"),
        ({"alone": 0, "triples": 0, "calibrated": False, "pairs": 300}, "undecided"),
        ({"alone": 400, "triples": 0, "calibrated": False, "is_value": True}, "not comparable"),
        ({"alone": 400, "triples": 0, "calibrated": False, "is_value": True, "formatted": 399}, "same"),
        ({"alone": 400, "triples": 0, "calibrated": False, "varies": True}, "same"),
    ],
)
def test_one_discrepancy(given_counts: dict[str, Any], verdict: str) -> None:
    judgement = judge_one(**given_counts)
    assert judgement.verdict == verdict
    assert (judgement.needs is not None) == (verdict == "undecided")


def test_a_judgement_says_what_it_rests_on() -> None:
    judgement = judge_one(branch_only=30, control_only=10, both=100)
    assert judgement.log_evidence == log_evidence(30, 10)
    assert judgement.excess == pytest.approx(20 / 400)
    assert judgement.excess_high == pytest.approx(0.107, abs=0.001)
    without = judge_one(alone=5, triples=0, calibrated=False)
    assert (without.log_evidence, without.excess, without.excess_high) == (None, None, None)


def test_where_few_pairs_have_a_control_the_rates_of_all_pairs_are_compared() -> None:
    judgement = judge_one(pairs=20_000, triples=1_000, alone=5_700, both=280, branch_only=20, control_only=20)
    assert judgement.excess == pytest.approx(6_000 / 20_000 - 300 / 1_000)
    assert 0 < judgement.excess_high < 0.1
    assert judgement.verdict == "undecided"
    assert judgement.needs is not None


def test_an_undecided_one_needs_about_as_many_more_as_it_takes() -> None:
    judgement = judge_one(branch_only=4)
    assert judgement.needs is not None
    assert judgement.needs < 400
    factor = (400 + judgement.needs) / 400
    assert judge_one(branch_only=math.ceil(4 * factor)).verdict == "different"


@pytest.mark.parametrize("tolerance", [0.01, 0.05])
def test_noise_that_leans_to_no_side_needs_what_shows_that_it_is_small(tolerance: float) -> None:
    policy = Policy(tolerance=tolerance)
    judgement = judge_one(policy, branch_only=40, control_only=40, both=100)
    assert judgement.verdict == "undecided"
    assert judgement.needs is not None
    factor = (400 + judgement.needs) / 400
    many = {"branch_only": round(40 * factor), "control_only": round(40 * factor)}
    total = math.ceil(400 * factor)
    assert judge_one(policy, **many, pairs=total, triples=total).verdict == "same"
    few = {name: count // 2 for name, count in many.items()}
    assert judge_one(policy, **few, pairs=total // 2, triples=total // 2).verdict == "undecided"


def test_one_hot_input_is_not_decided_by_more_of_the_same() -> None:
    hot = {"branch_only": 200, "contexts": 300, "hottest": ((200, 0),)}
    judgement = judge_one(**hot, pairs=20_000, triples=20_000)
    assert (judgement.verdict, judgement.one_input, judgement.needs) == ("undecided", True, None)
    assert judge_one(**{**hot, "hottest": ((100, 0), (100, 0))}).verdict == "different"
    assert judge_one(**{**hot, "contexts": 2}).verdict == "different"
    assert not judge_one(**{**hot, "contexts": 2}).one_input


def test_more_questions_need_more_evidence() -> None:
    noise = [counts(branch_only=10, control_only=10)] * 300
    assert judge([counts(branch_only=8), *noise], Policy())[0].verdict == "undecided"
    assert judge([counts(branch_only=8)], Policy())[0].verdict == "different"


def test_a_place_at_which_nothing_was_seen_is_same_after_some_pairs() -> None:
    policy = Policy()
    assert [clean_needs(pairs, policy) for pairs in (0, 100, 361, 362, 10**9)] == [362, 262, 1, 0, 0]
    assert clean_needs(90, Policy(tolerance=0.1)) == 10
    assert clean_high(0, policy) == 1
    assert clean_high(362, policy) == pytest.approx(0.01, abs=1e-4)
    assert clean_high(10**6, policy) < 1e-5
    assert judge_one(both=362, pairs=362, triples=362).verdict == "same"
    assert judge_one(both=361, pairs=361, triples=361).needs == 1


MANY = st.integers(0, 500) | st.integers(0, 10**9)
ANY_COUNTS = st.builds(
    Counts,
    pairs=MANY,
    triples=MANY,
    branch_only=MANY,
    control_only=MANY,
    both=MANY,
    alone=MANY,
    formatted=MANY,
    varies=st.booleans(),
    is_value=st.booleans(),
    calibrated=st.booleans(),
    contexts=st.integers(0, 10),
    hottest=st.lists(st.tuples(MANY, MANY), max_size=3).map(tuple),
    two_sided=st.booleans(),
)
ANY_POLICY = st.builds(
    Policy, alpha=st.floats(), tolerance=st.floats(), shift_tolerance=st.floats(), min_pairs=st.integers(-5, 500)
)


@given(family=st.lists(ANY_COUNTS, max_size=4), policy=ANY_POLICY)
def test_whatever_was_counted_is_judged(family: list[Counts], policy: Policy) -> None:
    """Nothing raises, and no judgement contradicts itself."""
    judgements = judge(family, policy)
    assert len(judgements) == len(family)
    for given_counts, judgement in zip(family, judgements, strict=True):
        for figure in (judgement.log_evidence, judgement.excess, judgement.excess_high):
            assert figure is None or math.isfinite(figure)
        assert judgement.needs is None or (judgement.verdict == "undecided" and judgement.needs >= 0)
        assert not judgement.one_input or judgement.verdict == "undecided"
        if given_counts.is_value and not given_counts.calibrated:
            assert judgement.verdict != "different"
    assert clean_needs(5, policy) >= 0
    assert 0 <= clean_high(5, policy) <= 1


PLAIN = st.builds(
    lambda b, c, both, rest: counts(
        branch_only=b, control_only=c, both=both, triples=b + c + both + rest, pairs=b + c + both + rest
    ),
    *[st.integers(0, 60)] * 3,
    st.integers(1, 5_000),
)


@given(family=st.lists(PLAIN, max_size=6), random=st.randoms(use_true_random=False))
def test_the_order_of_a_family_does_not_matter(family: list[Counts], random: random.Random) -> None:
    shuffled = list(enumerate(family))
    random.shuffle(shuffled)
    judged = judge([counts for _, counts in shuffled], Policy())
    again = dict(zip((at for at, _ in shuffled), judged, strict=True))
    assert [again[at] for at in range(len(family))] == judge(family, Policy())


@given(family=st.lists(PLAIN, min_size=1, max_size=6), more=st.integers(1, 40))
def test_more_of_the_branch_alone_never_takes_a_finding_back(family: list[Counts], more: int) -> None:
    first, *rest = family
    grown = replace(first, branch_only=first.branch_only + more, both=max(first.both - more, 0))
    before, after = judge(family, Policy()), judge([grown, *rest], Policy())
    assert before[0].verdict != "different" or after[0].verdict == "different"
    for one, other in zip(before[1:], after[1:], strict=True):
        assert one.verdict != "different" or other.verdict == "different"


@given(given_counts=PLAIN)
def test_same_is_what_the_interval_says(given_counts: Counts) -> None:
    (judgement,) = judge([given_counts], Policy())
    assert judgement.excess_high is not None
    if judgement.verdict == "same":
        assert judgement.excess_high <= 0.01 + 1e-6
    elif judgement.verdict == "undecided" and given_counts.pairs >= 100 and not judgement.one_input:
        assert judgement.excess_high >= 0.01 - 1e-6


def test_the_unchanged_version_yields_hardly_any_finding() -> None:
    """40 comparisons of 20 noisy fields each, read after every 50 of 400 requests: at most alpha of them err."""
    rng, erred = random.Random(5), 0
    for _ in range(40):
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
    assert erred <= 0.05 * 40


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


@pytest.mark.parametrize("triples", [1, 10**18])
def test_a_share_of_controls_that_no_double_tells_from_none_or_all_is_judged(triples: int) -> None:
    """Of 10^18 pairs one has a control, or all but one: the chance of a sighting would be 1, or 0."""
    judgement = judge_one(
        pairs=10**18 + 1, triples=triples, alone=50, branch_only=1, contexts=9, hottest=((30, 1), (20, 0))
    )
    assert judgement.verdict in ("different", "same", "undecided")
