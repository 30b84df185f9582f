"""What is overdue is known while traffic goes on, in whatever order it is learned what was made and what was told."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from microstax.control.coverage import Account, coverage
from microstax.control.overdue import Overdue
from microstax.model.exchange import NotCompared

PATIENCE = 23_000
NODE = "tee-shop"


def test_copies_that_vanish_are_found_under_steady_traffic() -> None:
    """100 a second, each told of a second later; the worker that had those of one second was killed."""
    overdue, seen = Overdue(), []
    for second in range(1, 60):
        now = second * 1_000
        overdue.made(NODE, 100, reading_ms=now, now_ms=now)
        told = second - 1
        if told >= 1 and told != 10:
            overdue.told(NODE, 100, reading_ms=told * 1_000, now_ms=now)
        seen.append(overdue.count(now, patience_ms=PATIENCE))
    assert set(seen[:32]) == {0}
    assert set(seen[33:]) == {100}


def test_what_was_outstanding_when_the_control_plane_ended_is_overdue_too() -> None:
    overdue = Overdue()
    overdue.begin(30, at_ms=1_000, now_ms=1_000)
    overdue.told(NODE, 20, reading_ms=900, now_ms=2_000)
    overdue.made(NODE, 5, reading_ms=2_000, now_ms=2_000)
    overdue.told(NODE, 5, reading_ms=2_000, now_ms=3_000)
    assert overdue.count(1_000 + PATIENCE, patience_ms=PATIENCE) == 10
    assert overdue.count(10 * PATIENCE, patience_ms=PATIENCE) == 10


def test_what_is_told_too_late_is_not_overdue_any_more() -> None:
    overdue = Overdue()
    overdue.made(NODE, 7, reading_ms=1_000, now_ms=1_000)
    assert overdue.count(1_000 + PATIENCE, patience_ms=PATIENCE) == 7
    overdue.told(NODE, 7, reading_ms=1_000, now_ms=2_000 + PATIENCE)
    assert overdue.count(2_000 + PATIENCE, patience_ms=PATIENCE) == 0


def test_more_told_than_made_is_below_zero() -> None:
    overdue = Overdue()
    overdue.told(NODE, 3, reading_ms=1_000, now_ms=1_000)
    overdue.made(NODE, 1, reading_ms=2_000, now_ms=2_000)
    assert overdue.count(10 * PATIENCE, patience_ms=PATIENCE) == -2


NEWS = st.lists(
    st.tuples(st.sampled_from(["made", "told"]), st.sampled_from(["a", "b"]), st.integers(0, 60), st.integers(0, 9)),
    max_size=60,
)


@given(NEWS, st.integers(0, 20))
def test_in_the_end_all_that_is_missing_is_overdue(news: list[tuple[str, str, int, int]], begun: int) -> None:
    overdue = Overdue()
    overdue.begin(begun, at_ms=5_000, now_ms=5_000)
    missing, now = begun, 5_000
    for what, node, second, copies in news:
        now += 700
        take = overdue.made if what == "made" else overdue.told
        take(node, copies, reading_ms=second * 1_000, now_ms=now)
        missing += copies if what == "made" else -copies
        overdue.count(now, patience_ms=PATIENCE)
    assert overdue.count(now + PATIENCE, patience_ms=PATIENCE) == missing


class TheAccount(RuleBasedStateMachine):
    """A service's copies under way: made, told of or lost, with readings and deltas that come when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.overdue = Overdue()
        self.now = 10_000
        self.unread: list[int] = []
        self.open: list[tuple[int, int]] = []  # (made at, the reading that counts it)
        self.made: list[tuple[int, int]] = []
        self.mirrored = self.paired = self.dropped = 0
        self.reasons: dict[str, int] = {}

    @rule(ms=st.integers(1, 9_000))
    def time_goes_by(self, ms: int) -> None:
        self.now += ms

    @rule(count=st.integers(1, 20))
    def copies_are_made(self, count: int) -> None:
        self.unread += [self.now] * count

    @rule()
    def the_counters_are_read(self) -> None:
        self.mirrored += len(self.unread)
        self.overdue.made(NODE, len(self.unread), reading_ms=self.now, now_ms=self.now)
        self.open += [(at, self.now) for at in self.unread]
        self.made += [(self.now, len(self.unread))]
        self.unread = []

    @rule(count=st.integers(1, 20), reason=st.sampled_from([None, *(r for r in NotCompared if r != "pending")]))
    def a_worker_tells(self, count: int, reason: NotCompared | None) -> None:
        for _, reading in self.open[:count]:
            self.overdue.told(NODE, 1, reading_ms=reading, now_ms=self.now)
            if reason is None:
                self.paired += 1
            else:
                self.reasons[reason] = self.reasons.get(reason, 0) + 1
        del self.open[:count]

    @rule(count=st.integers(1, 20))
    def a_worker_is_killed(self, count: int) -> None:
        del self.open[-count:]

    @rule(count=st.integers(1, 5))
    def envoy_counts_drops(self, count: int) -> None:
        self.dropped = min(self.mirrored, self.dropped + count)

    def account(self) -> Account:
        return Account(
            mirrored=self.mirrored,
            overdue=self.overdue.count(self.now, patience_ms=PATIENCE),
            paired=self.paired,
            overflow=self.dropped,
            reasons=dict(self.reasons),
            gaps={"copy_missing": self.reasons.get("capture_gap", 0)},
        )

    @invariant()
    def it_adds_up(self) -> None:
        found = coverage([self.account()])
        assert found["mirrored"] == self.mirrored == found["paired"] + sum(found["not_compared"].values())
        assert all(n > 0 for n in found["not_compared"].values())
        assert sum(found["gaps"].values()) == found["not_compared"].get("capture_gap", 0)

    @invariant()
    def pending_is_what_was_made_lately_at_most(self) -> None:
        recent = sum(n for at, n in self.made if at > self.now - PATIENCE)
        assert coverage([self.account()])["not_compared"].get("pending", 0) <= recent

    def teardown(self) -> None:
        """After a pause nothing is pending, and without drops the gap is exactly what vanished."""
        self.now += PATIENCE
        found = coverage([self.account()])
        assert "pending" not in found["not_compared"]
        if not self.dropped:
            unseen = self.mirrored - self.paired - sum(self.reasons.values())
            assert found["gaps"].get("unseen", 0) == unseen


TestTheAccount = TheAccount.TestCase
TestTheAccount.settings = settings(max_examples=60, stateful_step_count=40)
