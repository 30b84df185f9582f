"""Which example pairs go: the old, then the oldest, and those that a finding shows last of all."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from microstax.store.port import PairLimits, PairRow, Room, evicted

ROWS = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 50)), max_size=30).map(
    lambda pairs: [PairRow(str(number), at, size) for number, (at, size) in enumerate(pairs)]
)
LIMITS = st.builds(
    PairLimits, max_age_ms=st.integers(0, 100), max_count=st.integers(0, 30), max_bytes=st.integers(0, 500)
)


@given(ROWS, LIMITS, st.sets(st.integers(0, 30).map(str)))
def test_what_stays_is_within_the_limits(rows: list[PairRow], limits: PairLimits, referenced: set[str]) -> None:
    gone = set(evicted(rows, limits, now_ms=100, referenced=referenced))
    stay = [row for row in rows if row.id not in gone]
    assert len(stay) <= limits.max_count
    assert sum(row.size for row in stay) <= limits.max_bytes
    assert all(row.at_ms >= 100 - limits.max_age_ms for row in stay if row.id not in referenced)


@given(ROWS, LIMITS, st.sets(st.integers(0, 30).map(str)))
def test_a_shown_pair_goes_only_when_no_other_is_left(
    rows: list[PairRow], limits: PairLimits, referenced: set[str]
) -> None:
    gone = set(evicted(rows, limits, now_ms=100, referenced=referenced))
    if gone & referenced:
        assert not [row for row in rows if row.id not in gone and row.id not in referenced]


@given(ROWS, LIMITS, st.sets(st.integers(0, 30).map(str)))
def test_kept_pairs_stay_and_cost_the_others_no_room(rows: list[PairRow], limits: PairLimits, kept: set[str]) -> None:
    marked = [replace(row, kept=row.id in kept) for row in rows]
    others = [row for row in marked if not row.kept]
    spared = evicted(marked, replace(limits, spare_kept=True), now_ms=100, referenced=())
    assert spared == evicted(others, limits, now_ms=100, referenced=())
    assert evicted(marked, limits, now_ms=100, referenced=()) == evicted(rows, limits, now_ms=100, referenced=())


def test_room_ends_with_the_count_or_the_bytes() -> None:
    room = Room(most=2, max_bytes=10)
    assert [room.admits(b"x" * size) for size in (10, 11)] == [True, False]
    room.take(b"x" * 6)
    assert not room.admits(b"x" * 5)
    room.take(b"x")
    assert not room.admits(b"x")


def test_nothing_goes_without_a_need() -> None:
    rows = [PairRow("a", 1, 10), PairRow("b", 2, 10)]
    assert evicted(rows, PairLimits(), now_ms=3, referenced=()) == []
