"""Shares follow the traffic and what others bear, and rest while these do: every change is a push to an Envoy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from traffic_lab import ROOM, Lab

from microstax.control.budget import Limits, begin, restart_low, step, water_level
from microstax.control.strain import Burden, Reading
from microstax.model.shadow import MILLION

IDLE = Burden()


def of(at_ms: int, copies: int, **more: int) -> Reading:
    return Reading(at_ms=at_ms, copies=copies, **more)


def limits(rps: float = 200, sample_ppm: int = MILLION) -> Limits:
    return Limits(sample_ppm=sample_ppm, rps=rps)


def test_too_much_traffic_lowers_the_share_within_a_second() -> None:
    lab = Lab(max_rps=200).run(30, 2000)
    assert lab.copied[0] > 1900
    assert all(n <= 260 for n in lab.copied[1:])
    assert lab.pushes == 1
    assert lab.why[-1] == "--max-rps holds it to 200 copies a second"


def test_a_share_that_began_low_says_after_a_while_what_holds_it() -> None:
    budget = begin(ppm=100_000, reading=of(0, 0), why="it began low")
    for second in range(1, 12):
        budget = step(budget, of(second * 1_000, second * 180), limits(200), IDLE, timeout_ms=1_000)
    assert (budget.ppm, budget.why) == (100_000, "--max-rps holds it to 200 copies a second")


def test_steady_traffic_below_the_limit_moves_nothing() -> None:
    lab = Lab(max_rps=200).run(300, 150)
    assert lab.pushes == 0


def test_the_share_comes_back_when_the_traffic_goes() -> None:
    lab = Lab(max_rps=200).run(5, 4000).run(180, 50)
    assert lab.shares[4] < 60_000
    assert (lab.shares[-1], lab.why[-1]) == (MILLION, "")


def test_the_share_asked_for_is_never_passed() -> None:
    lab = Lab(max_rps=200, sample_ppm=250_000).run(5, 8000).run(300, 10)
    assert max(lab.shares) == lab.shares[-1] == 250_000


def test_a_lower_share_asked_for_holds_at_once_and_so_does_a_higher_one() -> None:
    budget = begin(ppm=MILLION, reading=of(0, 0))
    lower = step(budget, of(10, 0), limits(sample_ppm=100), IDLE, timeout_ms=1)
    assert lower.ppm == 100
    assert step(lower, of(20, 0), limits(), IDLE, timeout_ms=1).ppm == MILLION


def test_a_counter_that_began_again_is_no_rate() -> None:
    budget = begin(ppm=500, reading=of(0, 1000), why="it was")
    after = step(budget, of(2000, 3), limits(1), IDLE, timeout_ms=1)
    assert (after.ppm, after.since) == (500, of(2000, 3))


def test_a_ramp_is_followed_up_and_down() -> None:
    lab = Lab(max_rps=200)
    for rate in range(0, 5000, 50):
        lab.run(1, rate)
    assert max(lab.copied[5:]) < 300
    for rate in range(5000, 0, -50):
        lab.run(1, rate)
    lab.run(120, 50)
    assert lab.shares[-1] == MILLION
    assert lab.pushes < 40  # of 320 readings


def test_bursts_find_the_share_that_the_burst_before_needed() -> None:
    lab = Lab(max_rps=200)
    for _ in range(60):
        lab.run(1, 4000).run(9, 50)
    assert max(lab.copied[1:]) < 300
    assert lab.pushes < 60  # one a burst at most


def test_a_hung_branch_gets_a_trickle_and_comes_back_by_itself() -> None:
    lab = Lab(branch_rps=0).run(300, 1000)
    assert sum(lab.refused[3:]) < 60  # of 297,000 requests
    assert all(n <= 12 for n in lab.copied[30:])
    assert sum(lab.copied[60:]) > 60  # it is still asked, about once a second
    assert lab.pushes_after(60) <= 3
    assert lab.why[-1] == "the branch answers nothing in time"
    lab.branch_rps = None
    lab.run(120, 1000)
    assert (lab.shares[-1], lab.why[-1]) == (MILLION, "")


def test_a_branch_that_is_too_slow_gets_what_it_can_answer() -> None:
    lab = Lab(branch_rps=50).run(900, 1000)
    assert lab.refused[0] > 600
    assert sum(lab.refused[4:]) < 60  # of 896,000 requests
    assert 25 <= sum(lab.copied[100:]) / 800 <= 55
    assert lab.pushes < 40
    assert lab.pushes_after(450) <= lab.pushes_after(0) / 2 + 4  # it searches less and less
    assert "does not keep up" in lab.why[-1]


def test_a_worker_that_cannot_follow_gets_what_it_can_compare() -> None:
    """300 pairs a second of 5,000 requests: two steps, then it catches up and stays within a second or two."""
    lab = Lab(worker_rps=300).run(600, 5000)
    assert max(lab.copied[3:]) < 450
    assert len(set(lab.shares[2:60])) == 1  # its backlog is worked off in peace
    assert max(lab.lags[90:]) <= 2_000
    assert 150 <= sum(lab.copied[90:]) / 510 <= 300
    assert lab.pushes < 40


def test_a_worker_whose_memory_runs_short_gets_less_and_less() -> None:
    lab = Lab(memory_limit=1 << 30, memory_bytes=900 << 20).run(20, 1000)
    assert lab.copied[-1] <= 5
    assert lab.why[-1] == "the worker holds 900 MiB of the 1 GiB that it may"
    lab.memory_bytes = 720 << 20  # between the two: neither more nor less
    shares = set(lab.run(30, 1000).shares[-30:])
    assert len(shares) == 1
    lab.memory_bytes = 200 << 20
    assert lab.run(120, 1000).shares[-1] == MILLION


def test_some_timeouts_are_evidence_and_no_reason_to_look_away() -> None:
    budget = begin(ppm=MILLION, reading=of(0, 0))
    after = step(budget, of(1000, 100, timeouts=50, active=20), limits(), IDLE, timeout_ms=15_000)
    assert after.ppm == MILLION


def test_a_pause_ends_with_a_small_share_that_climbs() -> None:
    lab = Lab().run(10, 500)
    lab.budget = restart_low(lab.budget, why="it begins")
    assert lab.budget.ppm == 100_000
    lab.run(30, 500)
    climbing = lab.shares[10:]
    assert climbing == sorted(climbing)
    assert climbing[-1] == MILLION


@given(
    st.lists(st.integers(0, 100_000), max_size=60),
    st.integers(1, 5000),
    st.integers(1, MILLION),
    st.none() | st.integers(0, 2000),
    st.none() | st.integers(1, 2000),
)
@settings(deadline=None)
def test_a_share_stays_in_bounds(
    rates: list[int], max_rps: int, sample_ppm: int, branch: int | None, worker: int | None
) -> None:
    lab = Lab(max_rps=max_rps, sample_ppm=sample_ppm, branch_rps=branch, worker_rps=worker)
    for rate in rates:
        lab.run(1, rate)
    assert all(1 <= share <= sample_ppm for share in lab.shares)
    assert all((share < sample_ppm) == bool(why) for share, why in zip(lab.shares, lab.why, strict=True))


@given(st.integers(1, 20_000), st.integers(10, 1000), st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_steady_traffic_makes_the_share_rest(rate: int, max_rps: int, seed: int) -> None:
    lab = Lab(max_rps=max_rps, seed=seed).run(240, rate)
    assert lab.pushes_after(60) <= 3
    assert sum(lab.copied[60:]) / 180 <= max_rps * 1.1 + 1


class Life(RuleBasedStateMachine):
    """Whatever traffic, branch and worker do: the limit holds, refusals end, and calm brings back all."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(max_rps=500)
        self.busy_s = 0

    @rule(rate=st.sampled_from([0, 3, 40, 400, 4000]), seconds=st.integers(1, 20))
    def traffic(self, rate: int, seconds: int) -> None:
        self.lab.run(seconds, rate)

    @rule(rps=st.sampled_from([None, 0, 5, 80, 700]))
    def branch(self, rps: int | None) -> None:
        self.lab.branch_rps = rps

    @rule(rps=st.sampled_from([None, 30, 300]))
    def worker(self, rps: int | None) -> None:
        self.lab.worker_rps = rps

    @precondition(lambda self: self.lab.shares)
    @rule()
    def calm(self) -> None:
        self.lab.branch_rps = self.lab.worker_rps = None
        self.lab.run(600, 40)
        assert self.lab.shares[-1] == MILLION

    @rule(rate=st.sampled_from([400, 4000]))
    def steady(self, rate: int) -> None:
        """Twenty seconds of one load, and hardly a copy is refused or over the limit any more."""
        lab = self.lab.run(20, rate)
        before = len(lab.shares)
        lab.run(20, rate)
        assert sum(lab.refused[before:]) <= 20 + 0.05 * sum(lab.copied[before:]) + ROOM
        assert max(lab.copied[before:]) <= lab.max_rps * 1.1 + 120

    @invariant()
    def the_share_is_one(self) -> None:
        assert all(1 <= share <= MILLION for share in self.lab.shares[-20:])


Life.TestCase.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)
TestLife = Life.TestCase


@pytest.mark.parametrize(
    ("demands", "total", "level"),
    [
        ([], 100, float("inf")),
        ([10, 20], 100, float("inf")),
        ([50, 500], 100, 50),
        ([10, 500, 500], 100, 45),
        ([500, 500, 500, 500], 100, 25),
        ([1, 2, 97], 100, float("inf")),
    ],
)
def test_a_total_is_shared_fairly(demands: list[float], total: float, level: float) -> None:
    assert water_level(demands, total) == level


@given(st.lists(st.floats(0, 1e6), max_size=20), st.floats(1, 1e6))
def test_a_total_is_used_up_and_never_passed(demands: list[float], total: float) -> None:
    level = water_level(demands, total)
    given_out = sum(min(demand, level) for demand in demands)
    assert given_out == pytest.approx(min(total, sum(demands)))
