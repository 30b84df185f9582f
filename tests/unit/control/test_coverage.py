"""mirrored = paired + not compared, whatever was lost, came late, or was counted by two at once."""

from hypothesis import given
from hypothesis import strategies as st

from microstax.control.coverage import (
    Account,
    account,
    coverage,
    gap_tally,
    gaps,
    not_compared,
    reason_tally,
    skipped_method_tally,
    skipped_tally,
    total,
)
from microstax.model.exchange import Gap, NotCompared

COUNTS = st.integers(0, 1000)
ACCOUNTS = st.builds(
    Account,
    mirrored=COUNTS,
    overdue=st.integers(-50, 1000),
    paired=COUNTS,
    overflow=COUNTS,
    reasons=st.dictionaries(st.sampled_from([reason.value for reason in NotCompared if reason != "pending"]), COUNTS),
    gaps=st.dictionaries(st.sampled_from([gap.value for gap in Gap if gap != "unseen"]), COUNTS),
    skipped_methods=st.dictionaries(st.sampled_from(["POST", "PUT"]), COUNTS),
    skipped=st.dictionaries(st.sampled_from(["size", "sampling"]), COUNTS),
)


@given(st.lists(ACCOUNTS, max_size=4))
def test_it_always_adds_up(accounts: list[Account]) -> None:
    found = coverage(accounts)
    assert found["mirrored"] == found["paired"] + sum(found["not_compared"].values())
    assert all(n > 0 for n in found["not_compared"].values())
    assert found["mirrored"] >= sum(one.mirrored for one in accounts)
    assert sum(found["gaps"].values()) == found["not_compared"].get("capture_gap", 0)
    assert all(n > 0 for n in found["gaps"].values())
    skipped = sum(found["skipped_methods"].values()) + sum(found["skipped"].values())
    assert found["requests"] == found["mirrored"] + skipped


@given(ACCOUNTS)
def test_what_workers_saw_is_kept_as_they_said_it(one: Account) -> None:
    told = not_compared(one)
    for reason, n in one.reasons.items():
        if reason not in {NotCompared.CAPTURE_GAP, NotCompared.BRANCH_OVERFLOW}:
            assert told.get(reason, 0) == n


def test_what_nobody_explains_is_pending_first_and_a_gap_later() -> None:
    assert not_compared(Account(mirrored=100, paired=90)) == {"pending": 10}
    assert not_compared(Account(mirrored=100, overdue=10, paired=90)) == {"capture_gap": 10}
    some = Account(mirrored=100, overdue=6, paired=90)
    assert (not_compared(some), gaps(some)) == ({"pending": 4, "capture_gap": 6}, {"unseen": 6})


def test_copies_that_envoy_dropped_are_overflow_once() -> None:
    """The worker turns lone baselines into overflow when it learns of the drops; both count the same requests."""
    dropped = Account(mirrored=100, paired=60, overflow=30)
    assert not_compared(dropped) == {"branch_overflow": 30, "pending": 10}
    reasons, parts = {"branch_overflow": 25, "capture_gap": 10}, {"copy_missing": 8, "mismatched": 2}
    told = Account(mirrored=100, overdue=5, paired=60, overflow=30, reasons=reasons, gaps=parts)
    assert not_compared(told) == {"branch_overflow": 30, "capture_gap": 10}
    # Five of the lone baselines were drops of which the worker did not know; five of the rest were seen by nobody.
    assert gaps(told) == {"copy_missing": 3, "mismatched": 2, "unseen": 5}


def test_lone_baselines_that_were_drops_do_not_hide_what_is_on_its_way() -> None:
    one = Account(mirrored=100, paired=60, overflow=30, reasons={"capture_gap": 30}, gaps={"copy_missing": 30})
    assert (not_compared(one), gaps(one)) == ({"branch_overflow": 30, "pending": 10}, {})


def test_drops_that_nobody_saw_are_no_gap() -> None:
    one = Account(mirrored=100, overdue=40, paired=60, overflow=30)
    assert not_compared(one) == {"branch_overflow": 30, "capture_gap": 10}


def test_deltas_that_come_before_the_counters_are_counted_too() -> None:
    early = Account(mirrored=10, paired=12, reasons={"branch_timeout": 3})
    assert total(early) == 15
    assert not_compared(early) == {"branch_timeout": 3}


def test_an_account_is_read_from_tallies() -> None:
    counts = {
        "mirrored": 10,
        "paired": 5,
        "overflow": 1,
        "blocked": 2,
        reason_tally("branch_timeout"): 3,
        skipped_method_tally("POST"): 4,
        skipped_tally("size"): 6,
        skipped_tally("upgrade"): 0,
        reason_tally("capture_gap"): 2,
        gap_tally("mismatched"): 1,
        gap_tally("copy_missing"): 1,
    }
    found = coverage([account(counts, overdue=0)])
    assert found == {
        "requests": 20,
        "mirrored": 10,
        "paired": 5,
        "not_compared": {"branch_timeout": 3, "branch_overflow": 1, "capture_gap": 1},
        "gaps": {"mismatched": 1},
        "skipped_methods": {"POST": 4},
        "skipped": {"size": 6},
        "blocked_calls": 2,
    }
