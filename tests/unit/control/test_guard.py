"""When mirroring stops by itself and when it goes on: every limit, with hysteresis, and never for a missing reading."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.control.guard import (
    FIRST_WAIT_MS,
    FORGIVEN_MS,
    LAST_WAIT_MS,
    SETTLED_MS,
    Limits,
    Vitals,
    Watch,
    begin,
    look,
    sentence,
    trouble,
)

MIB = 1024 * 1024
LIMITS = Limits()
WELL = Vitals(
    now_ms=1_000,
    envoy="tee~prod",
    envoy_pid=7,
    envoy_bytes=80 * MIB,
    worker="w-1",
    worker_bytes=90 * MIB,
    lag_ms=40,
    silent_ms=600,
)
ILL = [
    (
        {"envoy_bytes": 337 * MIB},
        "the Envoy tee~prod grew by 257 MiB to 337 MiB since mirroring began, more than 256 MiB",
    ),
    ({"worker_bytes": 1100 * MIB}, "the worker w-1 holds 1.1 GiB, more than 1 GiB (--max-worker-memory)"),
    ({"lag_ms": 12_340}, "the worker w-1 is 12.3 s behind, more than 10 s (--max-lag)"),
    ({"silent_ms": 5_250}, "the worker w-1 has said nothing for 5.2 s"),
    ({"worker": "", "absent_ms": 15_100}, "no worker has been connected for 15.1 s"),
]


def after(watch: Watch, *steps: tuple[int, dict[str, object]], begun_ms: int = WELL.now_ms) -> Watch:
    """Look at each of (milliseconds later, what is different from WELL)."""
    now_ms = begun_ms
    for later_ms, changes in steps:
        now_ms += later_ms
        watch = look(watch, replace(WELL, now_ms=now_ms, **changes), LIMITS)  # type: ignore[arg-type]
    return watch


@pytest.mark.parametrize(("changes", "why"), ILL)
def test_each_limit_pauses_and_says_why_with_figures(changes: dict[str, object], why: str) -> None:
    watch = after(begin(WELL), (250, {}), (250, changes))
    assert watch.is_paused
    assert watch.why.startswith(why)
    assert "Mirroring is paused: " + why in sentence("branch", watch)
    assert "It goes on by itself 10 s after that is over" in sentence("branch", watch)


@pytest.mark.parametrize(("changes", "_"), ILL)
def test_it_goes_on_ten_seconds_after_that_is_over(changes: dict[str, object], _: str) -> None:
    paused = after(begin(WELL), (250, changes))
    assert after(paused, (250, {}), (FIRST_WAIT_MS - 1, {})).is_paused
    assert not after(paused, (250, {}), (FIRST_WAIT_MS, {})).is_paused
    assert after(paused, (250, {}), (5_000, changes), (5_000, {}), (5_000, {})).is_paused  # it came back meanwhile


def test_a_little_below_the_limit_is_not_over() -> None:
    paused = after(begin(WELL), (250, {"lag_ms": 11_000}))
    assert after(paused, (250, {"lag_ms": 9_000}), (60_000, {"lag_ms": 9_000})).is_paused
    assert not after(paused, (250, {"lag_ms": 7_000}), (60_000, {"lag_ms": 7_000})).is_paused


def test_who_trips_again_waits_longer_each_time_and_is_forgiven() -> None:
    watch, waits = begin(WELL), []
    for _ in range(8):
        watch = after(watch, (250, {"lag_ms": 20_000}))
        waits.append(watch.wait_ms)
        watch = after(watch, (250, {}), (LAST_WAIT_MS, {}))
        assert not watch.is_paused
    assert waits == [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]
    rested = after(watch, (FORGIVEN_MS, {"lag_ms": 20_000}), begun_ms=watch.resumed_ms)
    assert rested.wait_ms == FIRST_WAIT_MS


def test_a_new_envoy_is_measured_from_its_own_beginning() -> None:
    watch = after(begin(WELL), (250, {"envoy_pid": 8, "envoy_bytes": 500 * MIB}))
    assert not watch.is_paused
    assert watch.envoy_limit(LIMITS) == 756 * MIB


def test_what_an_envoy_holds_without_mirroring_is_not_held_against_it() -> None:
    """Production may grow as well; but not for ever, or a leak of ours would pass as its own."""
    grown = {"envoy_bytes": 400 * MIB}
    paused = after(begin(WELL), (250, grown))
    assert after(paused, (30_000, grown), (29_000, grown)).is_paused
    settled = after(paused, (SETTLED_MS + 250, grown), (FIRST_WAIT_MS, grown))
    assert not settled.is_paused
    assert (settled.base_bytes, settled.first_bytes) == (400 * MIB, 80 * MIB)
    leaking = {"envoy_bytes": 1300 * MIB}
    paused = after(settled, (100_000, leaking))
    assert after(paused, (900_000, leaking), (900_000, leaking)).is_paused


def test_what_is_not_known_is_no_reason() -> None:
    blind = {"envoy_bytes": None, "worker_bytes": None}
    assert not after(begin(replace(WELL, envoy_bytes=None)), (250, blind), (250, blind)).is_paused
    seen = after(begin(replace(WELL, envoy_bytes=None)), (250, {"envoy_bytes": 900 * MIB}))
    assert not seen.is_paused
    assert seen.base_bytes == 900 * MIB


def test_a_worker_that_is_started_again_is_not_missed_at_once() -> None:
    assert not after(begin(WELL), (250, {"worker": "", "absent_ms": 14_000})).is_paused


@given(
    st.lists(
        st.tuples(
            st.integers(1, 20_000),
            st.fixed_dictionaries(
                {},
                optional={
                    "envoy_bytes": st.none() | st.integers(1, 2**40),
                    "envoy_pid": st.integers(1, 3),
                    "worker_bytes": st.none() | st.integers(0, 2**40),
                    "lag_ms": st.integers(0, 100_000),
                    "silent_ms": st.integers(0, 100_000),
                },
            ),
        ),
        max_size=40,
    )
)
@settings(deadline=None)
def test_it_is_paused_exactly_from_a_trouble_to_a_calm_that_lasted(steps: list[tuple[int, dict[str, object]]]) -> None:
    watch, now_ms = begin(WELL), WELL.now_ms
    for later_ms, changes in steps:
        now_ms += later_ms
        vitals = replace(WELL, now_ms=now_ms, **changes)  # type: ignore[arg-type]
        before, watch = watch, look(watch, vitals, LIMITS)
        if not before.is_paused:
            assert watch.is_paused == bool(trouble(watch, vitals, LIMITS))
        elif not watch.is_paused:
            assert before.well_ms is not None
            assert now_ms - before.well_ms >= before.wait_ms
            assert not trouble(watch, vitals, LIMITS)
        assert FIRST_WAIT_MS <= watch.wait_ms <= LAST_WAIT_MS
