"""mirrored = paired + not compared, whatever was lost, came late, or was counted by two at once."""

from hypothesis import given
from hypothesis import strategies as st

from microstax.control.coverage import (
    Account,
    MirrorHistory,
    account,
    coverage,
    not_compared,
    reason_tally,
    skipped_method_tally,
    skipped_tally,
    total,
)
from microstax.model.exchange import NotCompared

COUNTS = st.integers(0, 1000)
ACCOUNTS = st.builds(
    Account,
    mirrored=COUNTS,
    settled=COUNTS,
    paired=COUNTS,
    overflow=COUNTS,
    reasons=st.dictionaries(st.sampled_from([reason.value for reason in NotCompared if reason != "pending"]), COUNTS),
)


@given(st.lists(ACCOUNTS, max_size=4))
def test_it_always_adds_up(accounts: list[Account]) -> None:
    found = coverage(accounts)
    assert found["mirrored"] == found["paired"] + sum(found["not_compared"].values())
    assert all(n > 0 for n in found["not_compared"].values())
    assert found["mirrored"] >= sum(one.mirrored for one in accounts)


@given(ACCOUNTS)
def test_what_workers_saw_is_kept_as_they_said_it(one: Account) -> None:
    told = not_compared(one)
    for reason, n in one.reasons.items():
        if reason not in {NotCompared.CAPTURE_GAP, NotCompared.BRANCH_OVERFLOW}:
            assert told.get(reason, 0) == n


@given(ACCOUNTS)
def test_nothing_is_pending_that_is_overdue(one: Account) -> None:
    assert not_compared(one).get(NotCompared.PENDING, 0) <= max(0, total(one) - one.settled)


def test_what_nobody_explains_is_pending_first_and_a_gap_later() -> None:
    young = Account(mirrored=100, settled=0, paired=90)
    assert not_compared(young) == {"pending": 10}
    assert not_compared(Account(mirrored=100, settled=100, paired=90)) == {"capture_gap": 10}
    assert not_compared(Account(mirrored=100, settled=96, paired=90)) == {"pending": 4, "capture_gap": 6}


def test_copies_that_envoy_dropped_are_overflow_once() -> None:
    """The worker turns lone baselines into overflow when it learns of the drops; both count the same requests."""
    dropped = Account(mirrored=100, settled=0, paired=60, overflow=30)
    assert not_compared(dropped) == {"branch_overflow": 30, "pending": 10}
    told = Account(
        mirrored=100, settled=100, paired=60, overflow=30, reasons={"branch_overflow": 25, "capture_gap": 10}
    )
    assert not_compared(told) == {"branch_overflow": 30, "capture_gap": 10}


def test_deltas_that_come_before_the_counters_are_counted_too() -> None:
    early = Account(mirrored=10, settled=0, paired=12, reasons={"branch_timeout": 3})
    assert total(early) == 15
    assert not_compared(early) == {"branch_timeout": 3}


def test_an_account_is_read_from_tallies() -> None:
    counts = {
        "mirrored": 9,
        "paired": 5,
        "overflow": 1,
        "blocked": 2,
        reason_tally("branch_timeout"): 3,
        skipped_method_tally("POST"): 4,
        skipped_tally("size"): 6,
        skipped_tally("upgrade"): 0,
    }
    found = coverage([account(counts, settled=9)])
    assert found == {
        "mirrored": 9,
        "paired": 5,
        "not_compared": {"branch_timeout": 3, "branch_overflow": 1},
        "skipped_methods": {"POST": 4},
        "skipped": {"size": 6},
        "blocked_calls": 2,
    }


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=60), st.integers(1, 200))
def test_a_history_knows_what_was_there_a_while_ago(steps: list[tuple[int, int]], window: int) -> None:
    history, at, mirrored, seen = MirrorHistory(), 0, 0, []
    for elapsed, more in steps:
        at, mirrored = at + elapsed, mirrored + more
        seen.append((at, mirrored))
        history.note(at, mirrored, window_ms=window)
        assert history.before(at - window) == max((n for when, n in seen if when <= at - window), default=0)
