"""The small summaries of a tally: bounded, mergeable in any order, exact while little is to be told."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff import forms, hottest
from microstax.diff.forms import Forms
from microstax.diff.hottest import Hottest
from microstax.diff.origins import Origins
from microstax.diff.repeats import Repeats
from microstax.diff.tally import Tally

SIGHTINGS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 2])), max_size=120)
FEW = st.lists(st.tuples(st.integers(0, hottest.SIZE - 1), st.sampled_from([1, 2])), max_size=60)


def hot(sightings: list[tuple[int, int]]) -> Hottest:
    made = Hottest()
    for context, side in sightings:
        made.add(context, side)
    return made


def truth(sightings: list[tuple[int, int]]) -> dict[int, Counter[int]]:
    counted: dict[int, Counter[int]] = {}
    for context, side in sightings:
        counted.setdefault(context, Counter())[side] += 1
    return counted


@given(first=FEW, second=FEW)
def test_few_inputs_are_counted_exactly_in_any_order(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    one, other = hot(first), hot(second)
    one.merge(hot(second))
    other.merge(hot(first))
    assert one.pack() == other.pack() == hot(first + second).pack()
    exact = sorted(
        ((seen[1], seen[2]) for seen in truth(first + second).values()), key=lambda two: (-sum(two), -two[0])
    )
    assert one.sightings() == tuple(exact)


@given(parts=st.lists(SIGHTINGS, min_size=1, max_size=4))
def test_the_hottest_are_kept_and_nothing_is_made_up(parts: list[list[tuple[int, int]]]) -> None:
    """Misra and Gries: whoever has more than n / (SIZE + 1) of the sightings is kept, also after merging."""
    merged = Hottest()
    for part in parts:
        merged.merge(Hottest.unpack(hot(part).pack()))
    everything = truth([sighting for part in parts for sighting in part])
    total = sum(map(len, parts))
    assert len(merged.entries) <= hottest.SIZE
    for context, (weight, branch, control) in merged.entries.items():
        assert 0 < weight <= branch + control
        assert branch <= everything[context][1]
        assert control <= everything[context][2]
    for context, seen in everything.items():
        assert context in merged.entries or seen.total() <= total / (hottest.SIZE + 1)


@given(first=SIGHTINGS, second=SIGHTINGS)
def test_merging_the_hottest_is_commutative(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    one, other = hot(first), hot(second)
    one.merge(hot(second))
    other.merge(hot(first))
    assert one.pack() == other.pack()


@pytest.mark.parametrize(
    "packed",
    [
        [[number, 1, 1, 0] for number in range(9)],
        [[1, 3, 1, 1]],
        [[1, 0, 0, 0]],
        [[-1, 1, 1, 0]],
        [[True, 1, 1, 0]],
        [[2**64, 1, 1, 0]],
        [[1, 1, 1]],
        {"a": 1},
    ],
)
def test_impossible_sightings_are_refused(packed: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        Hottest.unpack(packed)


FORMS = st.dictionaries(st.sampled_from([f"f{number}>g" for number in range(12)]), st.integers(1, 9))


def shaped(numbers: dict[str, int]) -> Forms:
    made = Forms()
    for form, number in numbers.items():
        for _ in range(number):
            made.add(form)
    return made


@given(first=FORMS, second=FORMS)
def test_forms_are_bounded_and_none_is_lost(first: dict[str, int], second: dict[str, int]) -> None:
    one, other = shaped(first), shaped(second)
    one.merge(shaped(second))
    other.merge(shaped(first))
    assert one.pack() == other.pack()
    assert sum(one.numbers.values()) == sum(first.values()) + sum(second.values())
    assert len(one.numbers) <= forms.SIZE + 1
    assert Forms.unpack(one.pack()).pack() == one.pack()
    if len({*first, *second}) <= forms.SIZE:
        assert one.numbers == Counter(first) + Counter(second)


@pytest.mark.parametrize("packed", [{f"f{number}": 1 for number in range(9)}, {"x" * 41: 1}, {"a": -1}, [1]])
def test_impossible_forms_are_refused(packed: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        Forms.unpack(packed)


@given(parts=st.lists(st.lists(st.binary(max_size=2), max_size=6), min_size=3, max_size=3))
def test_origins_merge_in_any_order(parts: list[list[bytes]]) -> None:
    def made(values: list[bytes]) -> Origins:
        origins = Origins()
        for value in values:
            origins.add(1 if value > b"a" else -1)
            if origins.are_few:
                origins.note(value)
        return origins

    def merged(*origins: Origins) -> Origins:
        total = Origins()
        for one in origins:
            total.merge(Origins.unpack(one.pack()))
        return total

    a, b, c = map(made, parts)
    expected = merged(a, b, c).pack()
    assert merged(c, b, a).pack() == merged(merged(b, a), c).pack() == merged(a, merged(c, b)).pack() == expected
    distinct = len({value for part in parts for value in part})
    assert merged(a, b, c).are_few is (distinct <= 4)


@pytest.mark.parametrize(
    ("above", "below", "is_offset"),
    [(0, 0, False), (4, 0, False), (8, 0, True), (0, 8, True), (520, 480, False), (5_200, 4_800, True), (3, 5, False)],
)
def test_who_leans_to_one_side_is_offset(above: int, below: int, *, is_offset: bool) -> None:
    origins = Origins()
    origins.above, origins.below = above, below
    assert origins.is_offset is is_offset


@given(noted=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=60), data=st.data())
def test_repeats_do_not_depend_on_the_order(noted: list[tuple[int, int]], data: st.DataObject) -> None:
    def made(values: list[tuple[int, int]]) -> Repeats:
        repeats = Repeats()
        for context, value in values:
            if repeats.wants(context):
                repeats.note(context, value, varied=False)
        return repeats

    repeats, shuffled = made(noted), made(data.draw(st.permutations(noted)))
    assert {context for context, _ in noted if context in repeats.seen} == set(shuffled.seen)
    split = data.draw(st.integers(0, len(noted)))
    first = made(noted[:split])
    first.merge(made(noted[split:]))
    assert set(first.seen) == set(repeats.seen) == set(sorted({context for context, _ in noted})[:8])
    assert Repeats.unpack(repeats.pack()).pack() == repeats.pack()


def test_a_tally_keeps_the_best_of_its_examples() -> None:
    tally = Tally(3)
    for number, rank in enumerate([1, 1, 0, 1, 0, 0, 0]):
        if tally.wants(rank):
            tally.show(rank, f"p{number}", ("a", "b"))
    assert [example.pair for example in tally.examples] == ["p2", "p4", "p5"]
    assert tally.example == tally.examples[0]
    tally.take_back("p2")
    assert [example.pair for example in tally.examples] == ["p4", "p5"]
    again = Tally.unpack(tally.pack())
    again.merge(tally)
    assert again.examples == tally.examples
