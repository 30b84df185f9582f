"""From a trace to an exchange."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.capture import Redaction, Redactor, header_fields
from microstax.capture.header_fields import HeaderReader
from microstax.capture.tap_trace import Identity, Unusable, parse_trace
from microstax.capture.trace_reader import TraceReader
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, Side
from microstax.testing import a_request, a_response, an_exchange, tap_trace

READER = TraceReader(Redactor(Redaction(key=b"k" * 32)))
WHOSE = Identity("id-1", "catalog", Side.BRANCH, "shadow-test")


def read_as(frame: bytes, whose: Identity | None) -> Exchange | Unusable:
    """Read a trace of which it is known whose it is."""
    trace = parse_trace(frame)
    if isinstance(trace, Unusable):
        return trace
    trace.identity = whose
    return READER.read(trace)


def read_any(exchange: Exchange, *, raw_values: bool = False) -> Exchange | Unusable:
    whose = Identity(exchange.id, exchange.service, exchange.side, exchange.overlay)
    return read_as(tap_trace(exchange, raw_values=raw_values), whose)


def read(exchange: Exchange) -> Exchange:
    seen = read_any(exchange)
    assert isinstance(seen, Exchange), seen
    return seen


def with_headers(request: list[tuple[bytes, bytes]], response: list[tuple[bytes, bytes]] | None = None) -> bytes:
    wrapper = tap_pb2.TraceWrapper()
    trace = wrapper.http_buffered_trace
    for message, fields in ((trace.request, request), (trace.response, response or [])):
        message.headers.extend(tap_pb2.HeaderValue(key=k, value=v).SerializeToString() for k, v in fields)
    return wrapper.SerializeToString()


@pytest.mark.parametrize("raw_values", [False, True])
@pytest.mark.parametrize("side", list(Side))
def test_an_exchange_comes_back_without_our_headers(side: Side, *, raw_values: bool) -> None:
    sent = an_exchange(
        side,
        request=a_request(
            "/products?limit=2", method="POST", headers=(("accept", "*/*"), ("priority", "u=1")), body=b"{}"
        ),
        response=a_response(b'{"a": 1}', trailers=(("grpc-status", "0"),)),
    )
    assert read_any(sent, raw_values=raw_values) == sent


def test_latency_runs_from_request_headers_to_response_headers() -> None:
    assert read(an_exchange(started_us=1_700_000_000_123_456, latency_us=2_500)).latency_us == 2_500
    assert read(an_exchange(started_us=1_700_000_000_123_456)).started_us == 1_700_000_000_123_456


def test_a_trace_without_times_has_no_latency() -> None:
    seen = read_as(with_headers([], [(b":status", b"200")]), WHOSE)
    assert isinstance(seen, Exchange)
    assert (seen.started_us, seen.latency_us) == (None, None)


def test_envoys_own_answer_carries_its_flags() -> None:
    seen = read(an_exchange(Side.BRANCH, response=a_response(b"upstream timeout", status=504, local_reason="UT")))
    assert seen.response is not None
    assert seen.response.local_reason == "UT"


@pytest.mark.parametrize("flags", [b"", b"-"])
def test_no_flags_is_no_local_answer(flags: bytes) -> None:
    seen = read_as(with_headers([], [(b":status", b"200"), (b"x-microstax-local", flags)]), WHOSE)
    assert isinstance(seen, Exchange)
    assert seen.response is not None
    assert seen.response.local_reason is None
    assert seen.response.headers == ()


def test_a_compressed_body_is_decoded_and_its_header_stays() -> None:
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    packed = gzip.compress(b'{"a": 1}')
    response = read(an_exchange(response=a_response(packed, headers=headers))).response
    assert response is not None
    assert (response.body, response.headers, response.encoded) == (b'{"a": 1}', headers, False)
    assert response.body_size == len(packed)


def test_a_compressed_request_body_is_decoded_too() -> None:
    request = a_request(method="POST", headers=(("content-encoding", "gzip"),), body=gzip.compress(b"hello"))
    assert read(an_exchange(request=request)).request.body == b"hello"


def test_a_body_that_is_not_gzip_is_kept_and_says_so() -> None:
    headers = (("content-encoding", "gzip"),)
    response = read(an_exchange(response=a_response(b"plain text", headers=headers))).response
    assert response is not None
    assert (response.body, response.encoded) == (b"plain text", True)


def test_a_truncated_body_stays_as_it_is() -> None:
    packed = gzip.compress(b"x" * 1000)[:20]
    headers = (("content-encoding", "gzip"),)
    response = read(an_exchange(response=a_response(packed, headers=headers, truncated=True))).response
    assert response is not None
    assert (response.body, response.truncated, response.encoded) == (packed, True, True)


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404), ("GET", 301), ("GET", 302)]
)
def test_answers_without_a_body_are_whole(method: str, status: int) -> None:
    length = (("content-length", "0"),) if status in (301, 302) else (("content-length", "512"),)
    headers = (*length, ("content-encoding", "gzip"), ("location", "/elsewhere"))
    sent = an_exchange(request=a_request(method=method), response=a_response(b"", status=status, headers=headers))
    assert read(sent) == sent


def test_an_empty_body_is_an_empty_body() -> None:
    sent = an_exchange(
        response=a_response(b"", headers=(("content-length", "0"), ("content-type", "application/json")))
    )
    assert read(sent) == sent


def test_an_answer_shorter_than_promised_broke_off() -> None:
    headers = (("content-length", "100"),)
    seen = read_any(an_exchange(Side.BRANCH, response=a_response(b"half", headers=headers)))
    assert isinstance(seen, Unusable)
    assert seen.cut_short
    assert (seen.id, seen.side, seen.service, seen.overlay) == ("id-1", Side.BRANCH, "catalog", "shadow-test")
    assert seen.problem == "the answer broke off after 4 of 100 bytes"


def test_no_answer_at_all() -> None:
    assert read(an_exchange(answered=False)).response is None


@pytest.mark.parametrize("status", [b"", b"abc", b"99", b"600", "\uff12\uff10\uff10".encode()])
def test_a_status_that_is_none(status: bytes) -> None:
    seen = read_as(with_headers([], [(b":status", status), (b"a", b"b")]), WHOSE)
    assert isinstance(seen, Unusable)
    assert "is no HTTP status" in seen.problem
    assert (seen.id, seen.service) == ("id-1", "catalog")


def test_header_values_that_are_not_utf8_are_read_byte_by_byte() -> None:
    seen = read_as(with_headers([(b"x-name", b"caf\xe9"), (b"x-other", "café".encode())]), WHOSE)
    assert isinstance(seen, Exchange)
    assert seen.request.headers == (("x-name", "café"), ("x-other", "café"))


def test_a_trace_of_nobody_is_foreign() -> None:
    seen = read_as(with_headers([(b":path", b"/")]), None)
    assert isinstance(seen, Unusable)
    assert seen.foreign


def test_other_kinds_of_traces_are_refused() -> None:
    streamed_segment = b"\x12\x02\x08\x01"
    seen = parse_trace(streamed_segment)
    assert isinstance(seen, Unusable)
    assert seen.problem == "no buffered HTTP trace"


@pytest.mark.parametrize("message", ["request", "response"])
def test_a_damaged_header_is_refused(message: str) -> None:
    """Header fields are read apart from the trace, so that a damage in one is found later."""
    wrapper = tap_pb2.TraceWrapper()
    getattr(wrapper.http_buffered_trace, message).headers.append(b"\x0a\x7fcut")
    seen = read_as(wrapper.SerializeToString(), WHOSE)
    assert isinstance(seen, Unusable)
    assert seen.problem == "not a tap trace"


@given(st.binary(max_size=400))
def test_garbage_never_raises(frame: bytes) -> None:
    assert isinstance(read_as(frame, WHOSE), Exchange | Unusable)


@given(st.data())
def test_a_damaged_trace_never_raises(data: st.DataObject) -> None:
    trace = bytearray(tap_trace(an_exchange(request=a_request(headers=(("a", "b"),)), response=a_response(b"abc"))))
    for position in data.draw(st.lists(st.integers(0, len(trace) - 1), max_size=5)):
        trace[position] = data.draw(st.integers(0, 255))
    assert isinstance(read_as(bytes(trace), WHOSE), Exchange | Unusable)


def test_many_different_fields_are_all_read() -> None:
    """Fields are remembered, and what is remembered is bounded."""
    reader = HeaderReader(lambda _, value: value)
    for number in range(10_000):
        field = tap_pb2.HeaderValue(key=b"x-number", value=str(number).encode()).SerializeToString()
        assert reader.read([field]) == ({}, (("x-number", str(number)),))
    assert len(reader.known) <= header_fields._KNOWN


def test_an_encoding_in_two_lines_is_one_list() -> None:
    """RFC 9110, 5.3: the same as the two values in one line."""
    packed = gzip.compress(gzip.compress(b"hello"))
    headers = (("content-encoding", "gzip"), ("content-encoding", "gzip"))
    response = read(an_exchange(response=a_response(packed, headers=headers))).response
    assert response is not None
    assert (response.body, response.headers) == (b"hello", headers)
