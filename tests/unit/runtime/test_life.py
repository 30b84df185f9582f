"""The life of a process: phases and back-off, for every order in which things can happen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.model.environment import HealthCheck, ServicePhase
from microstax.runtime.life import (
    FAILED_PROBES,
    FIRST_DELAY_S,
    HOPELESS_EXITS,
    MAX_DELAY_S,
    READY_INTERVAL_S,
    STABLE_S,
    Life,
)

CHECK = HealthCheck(interval_s=0.2, start_period_s=30)


def test_without_a_check_running_is_being_ready() -> None:
    life = Life(None)
    life.started(0.0)
    assert life.phase is ServicePhase.READY


def test_a_probe_makes_it_ready_and_forgets_what_was_wrong() -> None:
    life = Life(CHECK)
    life.started(0.0)
    life.probed(0.2, "connection refused")
    assert (life.phase, life.message) == (ServicePhase.STARTING, "connection refused")
    life.probed(0.4, None)
    assert (life.phase, life.message) == (ServicePhase.READY, "")


def test_one_bad_probe_is_not_enough_to_be_unhealthy() -> None:
    life = Life(CHECK)
    life.started(0.0)
    life.probed(1.0, None)
    for _ in range(FAILED_PROBES - 1):
        life.probed(2.0, "slow")
    assert life.phase is ServicePhase.READY
    life.probed(3.0, "slow")
    assert (life.phase, life.message) == (ServicePhase.UNHEALTHY, "slow")
    life.probed(4.0, None)
    assert life.phase is ServicePhase.READY


def test_not_ready_within_the_start_period_is_unhealthy() -> None:
    life = Life(CHECK)
    life.started(0.0)
    life.probed(29.0, "refused")
    assert life.phase is ServicePhase.STARTING
    life.probed(31.0, "refused")
    assert life.phase is ServicePhase.UNHEALTHY


def test_back_off_doubles_up_to_a_limit() -> None:
    life = Life(CHECK)
    delays = []
    for _ in range(20):
        life.started(0.0)
        delays.append(life.exited(0.1, "exit code 1"))
    assert delays[:4] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S, 8 * FIRST_DELAY_S]
    assert delays[-1] == MAX_DELAY_S
    assert life.restarts == 20


def test_back_off_is_forgotten_after_being_ready_for_a_while() -> None:
    life = Life(CHECK)
    for _ in range(6):
        life.started(0.0)
        life.probed(0.5, None)
        life.exited(1.0, "exit code 1")
    life.started(100.0)
    life.probed(101.0, None)
    assert life.exited(101.0 + STABLE_S, "exit code 1") == FIRST_DELAY_S


def test_never_ready_is_hopeless_after_some_exits() -> None:
    life = Life(CHECK)
    for count in range(1, HOPELESS_EXITS + 1):
        life.started(0.0)
        life.exited(0.1, "exit code 1")
        expected = ServicePhase.RESTARTING if count < HOPELESS_EXITS else ServicePhase.FAILED
        assert life.phase is expected
    life.started(0.0)
    assert life.phase is ServicePhase.FAILED
    life.probed(1.0, None)
    assert life.phase is ServicePhase.READY


def test_once_ready_is_never_hopeless() -> None:
    life = Life(CHECK)
    life.started(0.0)
    life.probed(0.1, None)
    for _ in range(HOPELESS_EXITS * 2):
        life.exited(0.2, "exit code 1")
        assert life.phase is ServicePhase.RESTARTING
        life.started(0.3)


def test_a_ready_process_is_probed_less_often() -> None:
    life = Life(CHECK)
    life.started(0.0)
    assert life.probe_delay_s() == CHECK.interval_s
    life.probed(0.1, None)
    assert life.probe_delay_s() == READY_INTERVAL_S


EVENTS = st.lists(
    st.tuples(st.sampled_from(["started", "healthy", "sick", "exited"]), st.floats(0, 60)), min_size=1, max_size=60
)


@given(EVENTS)
def test_whatever_happens_the_phase_fits_what_was_last_seen(events: list[tuple[str, float]]) -> None:
    """Delays stay in their bounds, and READY always means that the last thing seen was good enough."""
    life, at, exits = Life(CHECK), 0.0, 0
    for name, passed in events:
        at += passed
        before = life.phase
        match name:
            case "started":
                life.started(at)
                assert life.phase in {ServicePhase.STARTING, ServicePhase.FAILED}
            case "healthy":
                life.probed(at, None)
                assert life.phase is ServicePhase.READY
            case "sick":
                life.probed(at, "refused")
                assert life.phase is not ServicePhase.READY or before is ServicePhase.READY
            case _:
                exits += 1
                assert FIRST_DELAY_S <= life.exited(at, "gone") <= MAX_DELAY_S
                assert life.phase in {ServicePhase.RESTARTING, ServicePhase.FAILED}
        assert life.restarts == exits
        assert life.probe_delay_s() > 0


@pytest.mark.parametrize("exits", [1, 100, 10_000])
def test_a_long_crash_loop_does_not_overflow(exits: int) -> None:
    life = Life(CHECK)
    life.started(0.0)
    life.probed(0.0, None)
    delay = [life.exited(0.0, "gone") for _ in range(exits)][-1]
    assert delay <= MAX_DELAY_S
