"""Traces, bodies and rules that mean harm: bounded in time and memory, and counted as what they are."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from microstax.capture import Chunk, Collector, Command, Expected, Lost, Paired, Pairer, Redaction, Redactor
from microstax.capture.content_encoding import MAX_EXPANDED_BYTES, decode
from microstax.diff import ServiceAggregate
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, NotCompared, Response, Side
from microstax.testing import JSON, a_response, an_exchange, delimited, tap_trace

KEY = b"k" * 32
NOW_US = 1_700_000_000_000_000
ABSURD_S = [-(2**63), -1, 0, 253_402_300_800, 2**40, 2**63 - 1]
"""Before 1970, the year 10,000, and what no calendar has."""


def collected(*traces: bytes, redaction: Redaction | None = None) -> tuple[Collector, list[Command]]:
    rules = redaction or Redaction(key=KEY)
    made = Collector(Pairer(), Redactor(rules))
    made.watch({"catalog": (Expected(overlay="shadow-test"),)}, rules)
    found = made.feed(Chunk(1, delimited(traces), NOW_US), now_us=0)
    return made, found + made.flush(1)


def pair_of(branch: Response, *, redaction: Redaction | None = None, baseline: Response | None = None) -> Paired:
    """Return the pair that comes of a request, of which the branch answered so."""
    sides = (an_exchange(response=baseline or branch), an_exchange(Side.BRANCH, response=branch))
    _, found = collected(*map(tap_trace, sides), redaction=redaction)
    (pair,) = found
    assert isinstance(pair, Paired)
    return pair


@pytest.mark.parametrize("asked", ABSURD_S)
@pytest.mark.parametrize("answered", ABSURD_S)
def test_times_that_no_clock_says(asked: int, answered: int) -> None:
    """Also an answer before its question: latency is what it is, and nothing raises."""
    frames = []
    for side in (Side.BASELINE, Side.BRANCH):
        wrapper = tap_pb2.TraceWrapper.FromString(tap_trace(an_exchange(side)))
        trace = wrapper.http_buffered_trace
        trace.request.headers_received_time.seconds = asked
        trace.response.headers_received_time.seconds = answered
        trace.response.headers_received_time.nanos = -1
        frames.append(wrapper.SerializeToString())
    made, found = collected(*frames)
    aggregate = ServiceAggregate.empty()
    for command in found:
        if isinstance(command, Paired):
            aggregate.add(command.triple)
    assert ServiceAggregate.from_bytes(aggregate.to_bytes()).to_bytes() == aggregate.to_bytes()
    assert len(made.pairer) == len(made.identities) == 0


def test_ten_thousand_headers_of_odd_names_and_a_long_value() -> None:
    headers = (*((f"x-\x00{number}\xff", f"{number}") for number in range(10_000)), ("x-long", "v" * 1_000_000))
    pair = pair_of(a_response(headers=headers))
    assert pair.triple.branch.response is not None
    assert len(pair.triple.branch.response.headers) == 10_001


def test_a_stream_of_garbage_is_counted_and_holds_nothing() -> None:
    made = Collector(Pairer(), Redactor(Redaction(key=KEY)))
    for poll in range(50):
        made.feed(Chunk(poll, b"\xff" * 10_000, NOW_US), now_us=poll)
        made.feed(Chunk(poll, b"\x05garbage", NOW_US), now_us=poll)
    assert made.undecodable >= 49
    assert len(made.pairer) == len(made.identities) == 0


def stacked(body: bytes) -> bytes:
    return gzip.compress(gzip.compress(body))


BOMBS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "br": ("br", lambda body: brotli.compress(body, quality=5)),
    "zstd": ("zstd", zstandard.compress),
    "gzip in gzip": ("gzip, gzip", stacked),
    "zstd in br": ("zstd, br", lambda body: brotli.compress(zstandard.compress(body))),
}


@pytest.mark.parametrize(("encodings", "pack"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_no_more_memory_than_the_limit(encodings: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(100_000_000))
    assert len(bomb) < 110_000, "a ratio of about a thousand, or far more"
    tracemalloc.start()
    decoded = decode(bomb, encodings)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decoded.truncated
    assert len(decoded.body) <= MAX_EXPANDED_BYTES
    assert peak < 6 * MAX_EXPANDED_BYTES


def test_a_layer_that_is_cut_is_still_encoded() -> None:
    """Of three layers with one name the second is cut: what is left is gzip, in which no rule can look for secrets."""
    packed = gzip.compress(gzip.compress(gzip.compress(b'{"password": "x"}' * 5_000_000, 1)))
    decoded = decode(packed, "gzip, gzip, gzip", limit=10_000)
    assert decoded.truncated
    assert decoded.encoded


def test_a_cut_layer_is_hashed_where_bodies_have_rules() -> None:
    inner = gzip.compress(b'{"password": "hunter2"}')
    cut = gzip.compress(inner + bytes(20_000_000))
    response = a_response(cut, headers=(*JSON, ("content-encoding", "gzip, gzip")))
    pair = pair_of(response, redaction=Redaction(key=KEY, json_paths=("$.password",)))
    found = pair.triple.branch.response
    assert found is not None
    assert found.encoded
    assert found.body.startswith(b"redacted:")


@pytest.mark.parametrize(
    ("rules", "body"),
    [
        (Redaction(key=KEY, json_paths=("$.password",)), b'{"password":[' + b"1," * 30_000 + b"1]}"),
        (Redaction(key=KEY, patterns=(r"[\w.]+@[\w.]+",)), b'{"a":"' + b"a" * 60_000 + b'"}'),
    ],
    ids=["values", "pattern"],
)
def test_what_would_take_long_to_look_into_goes_as_a_whole_and_is_said_to(rules: Redaction, body: bytes) -> None:
    """It is counted as undecodable where the sides differ, and as the same where they do not."""
    same = pair_of(a_response(body), redaction=rules)
    assert ServiceAggregate.empty().add(same.triple).paired
    other = pair_of(
        a_response(body.replace(b"1]", b"2]").replace(b'aa"', b'ab"')), baseline=a_response(body), redaction=rules
    )
    for exchange in (other.triple.baseline, other.triple.branch):
        assert is_hash(exchange)
    outcome = ServiceAggregate.empty().add(other.triple)
    assert outcome.not_compared is NotCompared.UNDECODABLE


def is_hash(exchange: Exchange) -> bool:
    response = exchange.response
    return (
        response is not None and response.encoded and response.body.startswith(b"redacted:") and len(response.body) < 40
    )


def test_a_header_that_a_pattern_would_be_busy_with_goes_as_a_whole() -> None:
    redactor = Redactor(Redaction(key=KEY, patterns=(r"[\w.]+@[\w.]+",)))
    assert redactor.header("x-a", "a" * 60_000).startswith("redacted:")
    assert redactor.header("x-a", "to ann@shop.example") != "to ann@shop.example"
    assert redactor.header("x-a", "a" * 300) == "a" * 300


def test_nobody_waits_for_ever_for_traces_without_partners() -> None:
    """Copies of clients that nobody saw, and clients whose copies never come."""
    frames = [
        tap_trace(an_exchange(side, id=f"{side}-{number}"))
        for number in range(2_000)
        for side in (Side.BRANCH, Side.BASELINE)
    ]
    made, found = collected(*frames)
    assert all(isinstance(command, Lost) for command in found)
    assert made.identities.bytes == made.pairer.bytes == 0
