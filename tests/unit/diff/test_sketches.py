"""The sketches keep what they promise: counts, shares and quantiles within their stated error."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.distinct import Distinct
from microstax.diff.formats import is_identifier
from microstax.diff.quantiles import ACCURACY, Durations, Histogram, Ranked, coarse, middle_ms, upper_ms

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
    bin_ = Ranked(durations.histogram).quantile(share)
    assert bin_ is not None
    assert middle_ms(bin_) == pytest.approx(exact / 1000, rel=ACCURACY * 1.001)
    assert upper_ms(bin_ - 1) * 0.999999 <= exact / 1000 <= upper_ms(bin_) * 1.000001


def test_what_lies_beyond_moves_quantiles_and_is_no_figure_itself() -> None:
    histogram = Histogram()
    for bin_ in range(1_000):
        histogram.add(bin_)
    assert Ranked(histogram).quantile(0.5) == 499
    censored = Ranked(histogram, beyond=500)
    assert (censored.quantile(0.5), censored.quantile(0.9)) == (749, None)
    low, high = censored.interval(0.5, 0.05) or (0, 0)
    assert low < 749 < (high or 0)
    assert censored.interval(0.9, 0.05) == (999, None)
    assert Ranked(histogram, beyond=500, at_least=1_100).interval(0.9, 0.05) == (1_100, None)
    assert Ranked(histogram, doubtful=500).interval(0.5, 0.05) == (Ranked(histogram).interval(0.5, 0.05)[0], high)  # type: ignore[index]
    assert Ranked(Histogram(), beyond=500).interval(0.5, 0.05) is None


@given(
    histograms=st.lists(
        st.dictionaries(st.integers(-50, 1_152), st.integers(1, 9), max_size=20), min_size=1, max_size=3
    ),
    most=st.integers(2, 40),
)
def test_coarser_bins_hold_the_same_counts_between_their_edges(histograms: list[dict[int, int]], most: int) -> None:
    made = [Histogram() for _ in histograms]
    for histogram, bins in zip(made, histograms, strict=True):
        histogram.bins = bins
    edges, counts = coarse(made, most)
    assert len(edges) <= most
    for bins, numbers in zip(histograms, counts, strict=True):
        between = [sum(number for bin_, number in bins.items() if a < bin_ <= b) for a, b in pairwise(edges)]
        assert numbers == between
        assert sum(numbers) == sum(bins.values())


@pytest.mark.parametrize("text", ["products", "v2", "line_1", "facade", "reset-password", "a" * 64, "iso-8859"])
def test_words_are_no_ids(text: str) -> None:
    assert not is_identifier(text)
