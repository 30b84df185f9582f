"""What an Envoy's tap answers: frames, traces, whose they are, their exchanges, pairs, and what is counted of them."""

from collections.abc import Iterator
from typing import Final

from hostile.choices import Choices
from hostile.messages import fill, spoil
from hostile.target import Target
from microstax.capture import Chunk, Collector, Command, Expected, Lost, Paired, Pairer, Redaction, Redactor
from microstax.capture.redaction import DEFAULT_HEADERS
from microstax.diff import ServiceAggregate
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, Side
from microstax.model.shadow import ControlMode
from microstax.testing import a_request, a_response, an_exchange, delimited, tap_trace

RULES: Final = Redaction(key=b"k" * 32, json_paths=("$.password",), parameters=("token",))
EXPECTED: Final = {
    "catalog": (Expected(overlay="next", control=ControlMode.COPY), Expected(overlay="other", again=True)),
    "pricing": (Expected(overlay="next", control=ControlMode.SELF),),
}
START_US: Final = 1_700_000_000_000_000
_NAMES: Final = (
    b":method", b":path", b":authority", b":status", b"content-type", b"content-length", b"content-encoding",
    b"authorization", b"cookie", b"set-cookie", b"x-microstax-copy", b"x-microstax-local", b"grpc-status", b"X-Own",
)  # fmt: skip
_VALUES: Final = (
    b"GET", b"HEAD", b"/a?token=1", b"200", b"503", b"99", b"application/json", b"gzip", b"br, gzip", b"0", b"5",
    b"9" * 20, b"UT", b"a=b; c", b"catalog;branch;next;1;10.0.0.1:7;0;9999999999999999999", b"\xff\x00", b"",
    b"pricing;control;next;1;10.0.0.1:7;1;2", b"catalog;branch;other;2;10.0.0.1:7;0;1800000000000000000",
)  # fmt: skip
_WORDS: Final = {
    "address": (b"10.0.0.1", b"::1"),
    "port_value": (7, 8080, 0),
    "as_bytes": (b"{}", b'{"password":"x"}', b"\x1f\x8b\x08\x00", b"text"),
    "seconds": (START_US // 1_000_000, 0, -1, 253_402_300_800, 1 << 62),
    "nanos": (0, 999_999_999, -1),
}
_COUNT_EVERY: Final = 4
_SECRET: Final = frozenset(DEFAULT_HEADERS) - {"cookie", "set-cookie"}


def check(data: bytes) -> None:
    """Feed an answer in pieces; nothing raises, nothing is left over, no credential stays readable."""
    choices = Choices(data)
    answer = choices.rest() if choices.number(0, 3) == 0 else None
    collector = Collector(Pairer(), Redactor(RULES))
    collector.watch(EXPECTED, RULES)
    found: list[Command] = []
    now_us = 0
    for poll in range(1, 4):
        stream = _answer(choices) if answer is None else answer
        piece = choices.pick((len(stream) or 1, 1 + len(stream) // 3, 7))
        for at in range(0, len(stream), piece):
            found += collector.feed(Chunk(poll, stream[at : at + piece], START_US), now_us=now_us)
            now_us += choices.pick((0, 1, 1_000_000))
        found += collector.tick(now_us)
        now_us += choices.pick((0, 20_000_000))
        if answer is not None:
            break
    found += collector.flush(now_us)
    pairer, identities = collector.pairer, collector.identities
    assert (len(pairer), pairer.bytes, pairer.pending) == (0, 0, {}), "something waits after a flush"
    assert (len(identities), identities.bytes) == (0, 0), "a trace waits after a flush"
    aggregate = ServiceAggregate.empty()
    for command in found:
        _check_command(command)
        if isinstance(command, Paired) and len(data) % _COUNT_EVERY == 0:
            aggregate.add(command.triple)


def _check_command(command: Command) -> None:
    match command:
        case Paired(triple):
            for exchange in (triple.baseline, triple.branch, triple.control):
                if exchange is not None:
                    _check_hidden(exchange)
        case Lost(baseline=baseline) if baseline is not None:
            _check_hidden(baseline)


def _check_hidden(exchange: Exchange) -> None:
    response = exchange.response
    for name, value in (*exchange.request.headers, *(() if response is None else response.headers + response.trailers)):
        assert name == name.lower(), "a name that is not in lower case"
        assert name not in _SECRET or not value or value.startswith("redacted:"), f"{name} is readable"


def _answer(choices: Choices) -> bytes:
    return spoil(delimited(_trace(choices) for _ in range(choices.number(0, 6))), choices)


def _trace(choices: Choices) -> bytes:
    wrapper = tap_pb2.TraceWrapper()
    trace = wrapper.http_buffered_trace
    fill(trace, choices, _WORDS)
    for message in (trace.request, trace.response):
        for fields in (message.headers, message.trailers):
            del fields[:]
            fields.extend(_field(choices) for _ in range(choices.number(0, 4)))
    trace.request.headers.append(_pair(b":path", choices.pick((b"/a", b"/b?x=1"))))
    if choices.number(0, 3):
        trace.response.headers.append(_pair(b":status", b"200"))
    return spoil(wrapper.SerializeToString(), choices) if choices.chance(4) else wrapper.SerializeToString()


def _field(choices: Choices) -> bytes:
    if choices.chance(8):
        return choices.data(24)
    return _pair(choices.pick(_NAMES), choices.pick(_VALUES), raw=choices.chance(2))


def _pair(name: bytes, value: bytes, *, raw: bool = False) -> bytes:
    field = tap_pb2.HeaderValue(key=name, raw_value=value) if raw else tap_pb2.HeaderValue(key=name, value=value)
    made: bytes = field.SerializeToString()
    return made


def seeds() -> Iterator[bytes]:
    """Give whole answers as they are, and some decisions."""
    json, plain = (("content-type", "application/json"),), (("content-encoding", "gzip"), ("authorization", "Basic x"))
    request = a_request("/products/1?token=7", headers=(("authorization", "Bearer t"), ("cookie", "a=b")))
    for number, (headers, body) in enumerate(((json, b'{"a":1,"password":"x"}'), (plain, b"\x1f\x8b"), ((), b"text"))):
        traces = [
            tap_trace(
                an_exchange(
                    side, id=f"id-{number}", overlay="next" if side is not Side.BASELINE else None, request=request,
                    response=a_response(body, headers=headers, trailers=(("grpc-status", "0"),)),
                )
            )
            for side in Side
        ]  # fmt: skip
        yield b"\0" + delimited(traces)
        yield b"\0" + delimited(reversed(traces))
    yield b"\0" + delimited(traces)[:-3]
    yield b"\0\xff\xff\xff\xff\xff\xff"
    yield b"\1" + bytes(range(256)) * 3
    yield b"\1" + bytes(255 - byte for byte in range(256)) * 2


TARGET: Final = Target(check=check, seeds=seeds, tokens=(*_NAMES, *_VALUES), longest=512)
