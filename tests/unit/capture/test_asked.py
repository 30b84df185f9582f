"""A request goes out again as it came, and an answer that was fetched is read as the captured ones are."""

import brotli
import pytest

from microstax.capture import Chunk, Collector, Expected, Pairer, RawAnswer, Redaction, Redactor
from microstax.capture.asked import asked_of
from microstax.capture.tap_trace import Trace, parse_trace
from microstax.capture.terms import Limits, Paired
from microstax.model.exchange import Exchange, Headers, Side
from microstax.testing import a_request, a_response, an_exchange, delimited, tap_trace

RULES = Redaction(key=b"k" * 32, json_paths=("$.email",), parameters=("token",))
SENT: Headers = (
    ("authorization", "Bearer s3cr3t"),
    ("connection", "x-hop, close"),
    ("x-hop", "1"),
    ("te", "trailers"),
    ("accept", "a"),
    ("x-microstax-id", "ours"),
    ("accept", "b"),
)


def asked(exchange: Exchange) -> object:
    trace = parse_trace(tap_trace(exchange))
    assert isinstance(trace, Trace)
    return asked_of(exchange, trace)


def test_a_request_goes_out_as_it_came_but_for_its_connection() -> None:
    request = a_request("/products?token=s3cr3t", headers=SENT, body=b"{}")
    found = asked(an_exchange(request=request))
    sent = found.request()  # type: ignore[attr-defined]
    assert (sent.method, sent.target, sent.body) == (b"GET", b"/products?token=s3cr3t", b"{}")
    assert sent.fields == (
        (b"host", b"catalog:8080"),
        (b"authorization", b"Bearer s3cr3t"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"content-length", b"2"),
    )
    assert "s3cr3t" not in f"{found!r} {found} {sent!r} {sent}"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_an_unsafe_request_is_never_held(method: str) -> None:
    assert asked(an_exchange(request=a_request(method=method))) is None


def test_a_request_that_was_cut_is_not_held() -> None:
    assert asked(an_exchange(request=a_request(body=b"{", truncated=True))) is None


def collector() -> Collector:
    return Collector(Pairer(), Redactor(RULES))


def test_an_answer_is_decoded_and_redacted_as_the_captured_are() -> None:
    body = b'{"email": "me@s3cr3t", "n": 1}'
    packed = brotli.compress(body)
    fields = ((b"Content-Type", b"application/json"), (b"Content-Encoding", b"br"), (b"Set-Cookie", b"sid=s3cr3t"))
    hops = ((b"Connection", b"close"), (b"x-microstax-local", b"UT"))
    read = collector().read_answer(RawAnswer(200, (*fields, *hops), packed, ((b"X-Sum", b"1"),)), "GET")
    captured = a_response(packed, headers=tuple((k.decode().lower(), v.decode()) for k, v in fields))
    capture = collector()
    capture.watch({"catalog": [Expected(overlay="shadow-test")]}, RULES)
    traces = [tap_trace(an_exchange(side, response=captured)) for side in (Side.BASELINE, Side.BRANCH)]
    (paired,) = capture.feed(Chunk(1, delimited(traces), 0), now_us=0)
    assert isinstance(paired, Paired)
    seen = paired.triple.baseline.response
    assert read is not None
    assert seen is not None
    assert (read.body, read.headers, read.local_reason) == (seen.body, seen.headers, None)
    assert read.trailers == (("x-sum", "1"),)
    assert b"s3cr3t" not in read.body


def test_an_answer_that_is_not_whole_is_of_no_use() -> None:
    assert collector().read_answer(RawAnswer(200, ((b"content-length", b"9"),), b"short"), "GET") is None
    assert collector().read_answer(RawAnswer(200, ((b"content-length", b"9"),), b""), "HEAD") is not None
    assert collector().read_answer(RawAnswer(999, (), b""), "GET") is None


def pairs(capture: Collector, method: str = "GET") -> list[Paired]:
    request = a_request("/products?token=s3cr3t", method=method, headers=SENT)
    traces = [tap_trace(an_exchange(side, request=request)) for side in (Side.BASELINE, Side.BRANCH)]
    return [one for one in capture.feed(Chunk(1, delimited(traces), 0), now_us=0) if isinstance(one, Paired)]


def test_a_pair_comes_with_its_request_only_where_a_shadow_asks_again() -> None:
    capture = collector()
    capture.watch({"catalog": [Expected(overlay="shadow-test")]}, RULES)
    assert [one.asked for one in pairs(capture)] == [None]
    capture = collector()
    capture.watch({"catalog": [Expected(overlay="shadow-test", again=True)]}, RULES)
    (paired,) = pairs(capture)
    assert paired.asked is not None
    assert b"s3cr3t" in paired.asked.request().target
    assert "s3cr3t" not in repr(paired)
    assert capture.pairer.bytes == 0
    capture = collector()
    capture.watch({"catalog": [Expected(overlay="shadow-test", again=True)]}, RULES)
    assert [one.asked for one in pairs(capture, "POST")] == [None]


def test_requests_that_wait_are_held_within_the_bounds_of_their_pairs() -> None:
    capture = Collector(Pairer(Limits(bytes=20_000)), Redactor(RULES))
    capture.watch({"catalog": [Expected(overlay="shadow-test", again=True)]}, RULES)
    request = a_request(headers=(("x-large", "x" * 4_000),))
    for number in range(50):
        branch = an_exchange(Side.BRANCH, id=f"id-{number}", request=request)
        traces = [tap_trace(an_exchange(id=f"id-{number}", request=request)), tap_trace(branch)[:-1]]
        capture.feed(Chunk(number, delimited(traces[:1]), 0), now_us=number)
        capture.feed(Chunk(number, delimited([tap_trace(branch)]), 0), now_us=number)
        assert capture.pairer.bytes <= 20_000
