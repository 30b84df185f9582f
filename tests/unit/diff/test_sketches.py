"""The sketches keep what they promise: counts, shares and quantiles within their stated error."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.distinct import Distinct
from microstax.diff.formats import is_identifier
from microstax.diff.quantiles import ACCURACY, Durations, rank_interval

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=60)


def sketch(hashes: list[int], size: int = 16) -> Distinct:
    made = Distinct(size)
    for item in hashes:
        made.add(item)
    return made


@given(first=HASHES, second=HASHES)
def test_a_union_is_what_one_sketch_would_have_kept(first: list[int], second: list[int]) -> None:
    both, other = sketch(first), sketch(second)
    both.merge(sketch(second))
    other.merge(sketch(first))
    assert both == other == sketch(first + second)
    assert Distinct.unpack(both.pack(), 16) == both


@given(hashes=st.sets(st.integers(0, 2**64 - 1), max_size=15))
def test_few_things_are_counted_exactly(hashes: set[int]) -> None:
    assert sketch([*hashes, *hashes]).estimate() == len(hashes)


def test_many_things_are_counted_within_their_error() -> None:
    rng = random.Random(1)
    things = [rng.getrandbits(64) for _ in range(50_000)]
    assert sketch(things, 512).estimate() == pytest.approx(50_000, rel=4 / 510**0.5)


def test_the_share_of_subsets_is_counted_in_one_sample() -> None:
    rng = random.Random(2)
    things = [rng.getrandbits(64) for _ in range(50_000)]
    whole = sketch(things, 512)
    subsets = [sketch(things[:5_000], 64), sketch(things[2_500:10_000], 64)]
    assert whole.share_of(subsets) == pytest.approx(0.2, abs=0.1)
    assert whole.share_of([sketch(things, 64)]) == 1.0
    assert whole.share_of([]) == 0.0
    assert Distinct(8).share_of([]) is None


@given(values=st.lists(st.integers(1, 10**9), min_size=1, max_size=50), share=st.floats(0, 1))
def test_quantiles_are_within_one_percent_of_a_value(values: list[int], share: float) -> None:
    durations = Durations()
    for value in values:
        durations.add(value)
    exact = sorted(values)[int(share * (len(values) - 1))]
    assert durations.quantile_ms(share) == pytest.approx(exact / 1000, rel=ACCURACY * 1.001)


def test_a_median_lies_within_its_interval() -> None:
    rng, missed = random.Random(3), 0
    for _ in range(400):
        values = sorted(rng.random() for _ in range(101))
        low, high = rank_interval(101, 0.5, 2.576)
        missed += not values[low] <= 0.5 <= values[high]
    assert missed <= 12


@pytest.mark.parametrize("text", ["products", "v2", "line_1", "facade", "reset-password", "a" * 64, "iso-8859"])
def test_words_are_no_ids(text: str) -> None:
    assert not is_identifier(text)
