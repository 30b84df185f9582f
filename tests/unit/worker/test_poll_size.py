"""How much one poll may wait for, whatever traffic turns into."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.worker.poll_size import TraceSizes, traces_per_poll

MIB = 1024 * 1024


@given(st.integers(0, 32 * MIB), st.none() | st.floats(0, 64 * MIB))
def test_an_envoy_never_holds_more_than_64_mib(max_body: int, mean_bytes: float | None) -> None:
    """A trace has two bodies, the request's and the answer's."""
    traces = traces_per_poll(max_body=max_body, mean_bytes=mean_bytes)
    assert traces >= 1
    assert traces == 1 or traces * 2 * max_body <= 64 * MIB


@pytest.mark.parametrize(("mean_bytes", "traces"), [(1_024.0, 481), (16_384.0, 32), (1_000_000.0, 16), (None, 128)])
def test_an_answer_stays_below_what_envoy_sends_at_once(mean_bytes: float | None, traces: int) -> None:
    assert traces_per_poll(max_body=65_536, mean_bytes=mean_bytes) == traces


def test_a_service_that_grows_is_followed_with_the_next_poll() -> None:
    """A million small traces must not outvote the large ones that come now."""
    sizes = TraceSizes()
    assert sizes.note(traces=0, size=0) is None
    assert sizes.note(traces=1_000_000, size=500_000_000) == 500
    assert sizes.note(traces=1_000_004, size=500_000_000 + 4 * MIB) == MIB
    assert traces_per_poll(max_body=MIB, mean_bytes=sizes.note(traces=1_000_004, size=500_000_000 + 4 * MIB)) == 16


def test_it_is_followed_down_after_some_polls() -> None:
    sizes = TraceSizes()
    sizes.note(traces=4, size=4 * MIB)
    means = [sizes.note(traces=4 + 100 * poll, size=4 * MIB + 50_000 * poll) for poll in range(1, 9)]
    assert means == [MIB] * 7 + [500]
