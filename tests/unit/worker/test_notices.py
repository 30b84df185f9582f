"""A problem stands in the log once, however often it happens."""

import logging

import pytest

from microstax.worker.notices import MOST_KEYS, Notices


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def notices(clock: Clock, caplog: pytest.LogCaptureFixture) -> Notices:
    caplog.set_level(logging.INFO)
    return Notices(clock)


def test_a_problem_that_lasts_is_told_once_a_minute(
    notices: Notices, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(121):
        clock.now = second
        notices.problem("tee", "tee: it does not answer", kind="unreachable")
    assert caplog.messages == [
        "tee: it does not answer",
        "tee: it does not answer (60 times in the last minute)",
        "tee: it does not answer (60 times in the last minute)",
    ]


def test_another_kind_is_news(notices: Notices, caplog: pytest.LogCaptureFixture) -> None:
    notices.problem("tee", "first", kind="a")
    notices.problem("tee", "second", kind="b")
    assert caplog.messages == ["first", "second"]


def test_the_end_of_a_problem_is_told_once(notices: Notices, caplog: pytest.LogCaptureFixture) -> None:
    notices.resolved("tee", "well")
    notices.problem("tee", "bad")
    notices.resolved("tee", "well")
    notices.resolved("tee", "well")
    assert caplog.messages == ["bad", "well"]


def test_a_mistake_of_ours_shows_where_and_nothing_of_the_traffic(
    notices: Notices, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        try:
            int("s3cr3t")
        except ValueError as error:
            notices.failure("tee: a pair cannot be compared", error)
    (message,) = caplog.messages
    assert "ValueError" in message
    assert "test_notices.py" in message
    assert "s3cr3t" not in message.replace('int("s3cr3t")', "")


def test_what_is_remembered_is_bounded(notices: Notices) -> None:
    for number in range(MOST_KEYS + 10):
        notices.problem(f"key {number}", "x")
    assert len(notices._seen) == MOST_KEYS
