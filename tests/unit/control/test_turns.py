"""Names are held one at a time; tasks end in order; Envoys are shared out among workers."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.control.locks import NameLocks
from microstax.control.progress import Outcome, Teller, run
from microstax.control.targets import owner
from microstax.control.tasks import all_of, finish, in_background
from microstax.errors import UsageError

NAMES = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=6)


@given(NAMES, st.text(max_size=6))
def test_every_envoy_has_one_worker_whatever_the_order(workers: list[str], node: str) -> None:
    assert owner(node, workers) == owner(node, workers[::-1])
    assert owner(node, workers) in workers or not workers


@given(NAMES, st.text(max_size=6))
def test_a_worker_that_leaves_takes_only_its_own_along(workers: list[str], node: str) -> None:
    before = owner(node, workers)
    for gone in workers:
        rest = [one for one in workers if one != gone]
        assert gone == before or owner(node, rest) == before


async def test_one_name_is_held_once_and_others_are_free() -> None:
    locks, order = NameLocks(), []

    async def use(number: int, *names: str) -> None:
        async with locks.hold(*names):
            order.append(number)
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(use(1, "a", "b"), use(2, "b", "a"), use(3, "a", "a"))
    assert order == [1, 1, 2, 2, 3, 3]
    async with locks.hold("a"), locks.hold("b"):
        pass
    assert locks._locks == {}


async def test_a_waiter_who_gives_up_leaves_no_lock_behind() -> None:
    locks = NameLocks()
    async with locks.hold("a"):
        waiter = asyncio.ensure_future(asyncio.wait_for(locks.hold("a").__aenter__(), 0.01))
        with pytest.raises(TimeoutError):
            await waiter
    assert locks._locks == {}


async def test_what_must_be_finished_is_finished_before_a_cancellation_goes_on() -> None:
    done = asyncio.Event()

    async def write() -> None:
        await asyncio.sleep(0.01)
        done.set()

    caller = asyncio.ensure_future(finish(write(), name="write"))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done.is_set()


async def test_the_first_failure_ends_the_others_and_is_raised_as_it_is() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        await all_of([wait(), fail()])
    assert ended == [True]
    assert await all_of([asyncio.sleep(0, number) for number in range(3)]) == [0, 1, 2]


async def test_a_background_task_that_fails_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("oops")

    task = in_background(fail(), name="tidy")
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert "tidy failed" in caplog.text
    assert "oops" in caplog.text


async def test_progress_ends_with_an_outcome_or_with_the_error() -> None:
    async def work(tell: Teller) -> Outcome:
        tell.say("one")
        tell.warn("two")
        return Outcome(message="three", output="out", object_json="{}")

    lines = [line async for line in run(work)]
    assert [(line.message, line.warning, line.done) for line in lines] == [
        ("one", False, False),
        ("two", True, False),
        ("three", False, True),
    ]

    async def fail(tell: Teller) -> Outcome:
        tell.say("one")
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        _ = [line async for line in run(fail)]


async def test_a_reader_who_leaves_waits_for_the_clean_up() -> None:
    cleaned = []

    async def work(tell: Teller) -> Outcome:
        tell.say("one")
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)
        return Outcome(message="never")

    lines = run(work)
    await anext(lines)
    await lines.aclose()
    assert cleaned == [True]
