"""From chunks of the tap to redacted pairs."""

import pytest

from microstax.capture import Chunk, Collector, Expected, Paired, Pairer, Redaction, Redactor, tap_trace, trace_reader
from microstax.diff.compare import why_not_compared
from microstax.envoy import names
from microstax.model.exchange import NotCompared, Side
from microstax.testing import a_request, a_response, an_exchange, delimited
from microstax.testing import tap_trace as traced

START = 1_700_000_000_000_000
EXPECTED = {"catalog": (Expected(overlay="shadow-test", timeout_us=1_000_000),)}
RULES = Redaction(key=b"k" * 32)


@pytest.fixture
def collector() -> Collector:
    made = Collector(Pairer(), Redactor(RULES))
    made.watch(EXPECTED, RULES)
    return made


BASELINE = traced(an_exchange(request=a_request(headers=(("authorization", "secret"),))))
BRANCH = traced(an_exchange(Side.BRANCH))


def test_the_names_on_the_wire_are_those_that_envoy_is_given() -> None:
    assert trace_reader.LOCAL_HEADER == names.LOCAL_HEADER
    assert tap_trace.COPY_HEADER == names.COPY_HEADER


def test_two_traces_make_a_redacted_pair(collector: Collector) -> None:
    (paired,) = collector.feed(Chunk(1, delimited([BASELINE, BRANCH]), START), now_us=1)
    assert isinstance(paired, Paired)
    ((name, value),) = paired.triple.baseline.request.headers
    assert name == "authorization"
    assert value.startswith("redacted:")
    assert collector.traces == 2


def test_a_pair_over_two_polls_and_split_chunks(collector: Collector) -> None:
    data = delimited([BASELINE])
    assert collector.feed(Chunk(1, data[:50], START), now_us=1) == []
    assert collector.feed(Chunk(1, data[50:], START), now_us=1) == []
    assert len(collector.feed(Chunk(2, delimited([BRANCH]), START), now_us=1)) == 1


def test_a_poll_cut_in_the_middle_spoils_only_itself(collector: Collector) -> None:
    collector.feed(Chunk(1, delimited([BASELINE])[:-5], START), now_us=1)
    assert len(collector.feed(Chunk(2, delimited([BASELINE, BRANCH]), START), now_us=1)) == 1
    assert collector.undecodable == 1
    assert collector.problem is not None
    assert collector.problem.startswith("cut inside a trace")


def test_garbage_is_counted_and_the_rest_is_read(collector: Collector) -> None:
    commands = collector.feed(Chunk(1, delimited([BASELINE, b"\xff\xff garbage", BRANCH]), START), now_us=1)
    assert len(commands) == 1
    assert (collector.undecodable, collector.problem) == (1, "not a tap trace")


def test_a_broken_stream_is_counted_once(collector: Collector) -> None:
    for _ in range(3):
        collector.feed(Chunk(1, b"\xff" * 20, START), now_us=1)
    collector.feed(Chunk(2, delimited([BASELINE, BRANCH]), START), now_us=1)
    assert collector.undecodable == 1


def test_a_stream_that_outlives_the_branchs_time_is_a_timeout(collector: Collector) -> None:
    """An answer without a length, delivered when the time was over: the timeout reset it in the middle."""
    stream = traced(an_exchange(Side.BRANCH, response=a_response(b"data: 1\n\n", headers=())))
    (paired,) = collector.feed(Chunk(1, delimited([BASELINE, stream]), START + 1_200_000), now_us=1)
    assert isinstance(paired, Paired)
    assert why_not_compared(paired.triple) is NotCompared.BRANCH_TIMEOUT
