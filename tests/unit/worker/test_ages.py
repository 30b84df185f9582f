"""Every copy is counted by the first reading of Envoy's counters that counts it, whatever comes late or has no time."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from microstax.worker.ages import LONG_AGO, Ages
from microstax.worker.reading import Growth

GROUP = ("next", "catalog", 1)


def cut(ages: Ages) -> dict[int, int]:
    return {reading: n for _, counts in ages.cut() for reading, n in counts.items()}


def test_a_copy_belongs_to_the_first_reading_after_it_was_made() -> None:
    ages = Ages()
    ages.read(1_000)
    ages.note(GROUP, 500_000)
    ages.note(GROUP, 1_000_000)
    ages.note(GROUP, 1_500_000)
    assert cut(ages) == {1_000: 2}  # the third waits for the reading that counts it
    ages.read(2_000)
    ages.note(GROUP, 1_990_000)
    ages.note(GROUP, None)
    assert cut(ages) == {2_000: 2, LONG_AGO: 1}
    assert cut(ages) == {}


def test_what_is_older_than_all_readings_that_are_remembered() -> None:
    ages = Ages()
    for second in range(1, 400):
        ages.read(second * 1_000)
    ages.note(GROUP, 3_000_000)
    ages.note(GROUP, 398_500_000)
    assert cut(ages) == {LONG_AGO: 1, 399_000: 1}


def test_without_readings_what_waits_for_one_is_bounded() -> None:
    ages = Ages()
    for number in range(30_001):
        ages.note(GROUP, number * 10_000)
    held = sum(len(young) for young in ages._young.values())
    assert held <= 10_000
    ages.read(10_000_000)
    assert sum(cut(ages).values()) == 30_001


def test_a_clock_that_went_back_is_waited_for() -> None:
    ages = Ages()
    ages.read(5_000)
    ages.read(4_000)
    ages.note(GROUP, 4_500_000)
    assert cut(ages) == {5_000: 1}


STEPS = st.lists(st.tuples(st.sampled_from(["read", "note", "cut"]), st.integers(1, 5_000)), max_size=80)


@given(STEPS)
def test_nothing_is_counted_twice_or_forgotten(steps: list[tuple[str, int]]) -> None:
    ages, noted, told = Ages(), 0, Counter[int]()
    for what, at_ms in steps:
        if what == "read":
            ages.read(at_ms)
        elif what == "note":
            ages.note(GROUP, at_ms * 1000)
            noted += 1
        else:
            told.update(cut(ages))
    ages.read(10_000)
    told.update(cut(ages))
    assert told.total() == noted


def test_growth_tells_what_came_since() -> None:
    growth = Growth()
    assert growth.since({"read": 5, "late": 0}) == {"read": 5}
    assert growth.since({"read": 9, "late": 1}) == {"read": 4, "late": 1}
    assert growth.since({"read": 9, "late": 1}) == {}
