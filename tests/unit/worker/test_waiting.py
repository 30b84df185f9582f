"""What waits to be asked again is bounded, and asked within a budget."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from microstax.worker.waiting import (
    MOST_BYTES,
    MOST_RUNNING,
    MOST_WAITING,
    PATIENCE_US,
    SECOND,
    Budget,
    Waiting,
)

TIMES = st.lists(st.integers(0, 5 * SECOND), max_size=60).map(sorted)


@given(TIMES, st.integers(1, 6))
def test_no_second_has_more_than_the_budget(times: list[int], rps: int) -> None:
    budget = Budget(rps)
    taken = [now for now in times if budget.take(now)]
    for start in taken:
        assert sum(start <= now < start + SECOND for now in taken) <= rps


@given(TIMES, st.integers(1, 6))
def test_the_budget_refuses_nothing_that_it_could_allow(times: list[int], rps: int) -> None:
    budget, taken = Budget(rps), list[int]()
    for now in times:
        room = sum(now - SECOND < one for one in taken) < rps
        assert budget.take(now) is room
        taken += [now] if room else []


STEPS = st.lists(
    st.tuples(st.sampled_from(["offer", "start", "finish", "overdue", "drain"]), st.integers(0, SECOND)), max_size=80
)


@given(STEPS, st.integers(1, 5))
def test_every_item_is_asked_once_or_let_go_once(steps: list[tuple[str, int]], rps: int) -> None:
    waiting: Waiting[int] = Waiting(Budget(rps))
    seen: Counter[int] = Counter()
    now = offered = 0
    for step, pause in steps:
        now += pause
        match step:
            case "offer":
                offered += waiting.offer(offered, size=100, now_us=now)
            case "start":
                item = waiting.start(now)
                seen.update([] if item is None else [item])
            case "finish" if waiting.running:
                waiting.finish()
            case "overdue":
                seen.update(waiting.overdue(now))
            case "drain":
                seen.update(waiting.drain())
        assert 0 <= waiting.running <= MOST_RUNNING
        assert waiting.bytes == 100 * len(waiting)
    seen.update(waiting.drain())
    assert seen == dict.fromkeys(range(offered), 1)


def test_there_is_room_for_so_many_and_so_much() -> None:
    waiting: Waiting[int] = Waiting(Budget(1))
    assert [waiting.offer(number, size=1, now_us=0) for number in range(MOST_WAITING + 1)].count(True) == MOST_WAITING
    large: Waiting[int] = Waiting(Budget(1))
    assert [large.offer(number, size=MOST_BYTES // 3, now_us=0) for number in range(5)].count(True) == 3


def test_what_waits_too_long_is_let_go_and_the_rest_stays() -> None:
    waiting: Waiting[str] = Waiting(Budget(1))
    waiting.offer("old", size=1, now_us=0)
    waiting.offer("new", size=1, now_us=10)
    assert waiting.overdue(PATIENCE_US - 1) == []
    assert waiting.overdue(PATIENCE_US) == ["old"]
    assert waiting.start(PATIENCE_US) == "new"
