"""How much one poll may wait for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.worker.poll_size import traces_per_poll

MIB = 1024 * 1024


@given(st.integers(0, 32 * MIB), st.none() | st.floats(0, 64 * MIB))
def test_an_envoy_never_holds_more_than_64_mib(max_body: int, mean_bytes: float | None) -> None:
    traces = traces_per_poll(max_body=max_body, mean_bytes=mean_bytes)
    assert traces >= 1
    assert traces == 1 or traces * max_body <= 64 * MIB


@pytest.mark.parametrize(("mean_bytes", "traces"), [(1_024.0, 512), (16_384.0, 50), (1_000_000.0, 50), (None, 128)])
def test_an_answer_stays_below_what_envoy_sends_at_once(mean_bytes: float | None, traces: int) -> None:
    assert traces_per_poll(max_body=65_536, mean_bytes=mean_bytes) == traces
