"""Two different requests never become a pair, whatever clocks, ports and connections do."""

import random

from hypothesis import given
from hypothesis import strategies as st

from microstax.capture import Chunk, Collector, Command, Expected, Lost, Paired, Pairer, Redaction, Redactor
from microstax.capture.reasons import are_one_request
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import NotCompared
from microstax.testing import a_request, delimited

RULES = Redaction(key=b"k" * 32)
START_NS = 1_700_000_000_000_000_000
HEADERS = ((b":method", b"GET"), (b":authority", b"catalog"))
Window = tuple[int, int]


def collector() -> Collector:
    made = Collector(Pairer(), Redactor(RULES))
    made.watch({service: (Expected(overlay="next"),) for service in ("catalog", "pricing")}, RULES)
    return made


def field(name: bytes, value: bytes) -> bytes:
    return tap_pb2.HeaderValue(key=name, value=value).SerializeToString()


def a_trace(path: str, told: str = "", *, client: int = 0, listener: int = 8080, seen_ns: int = 0) -> bytes:
    """Return a baseline's trace, or with `told` a copy's."""
    wrapper = tap_pb2.TraceWrapper()
    trace = wrapper.http_buffered_trace
    trace.request.headers.extend(field(*pair) for pair in (*HEADERS, (b":path", path.encode())))
    trace.request.headers_received_time.seconds, trace.request.headers_received_time.nanos = divmod(seen_ns, 10**9)
    trace.response.headers.append(field(b":status", b"200"))
    if told:
        trace.response.headers.append(field(b"x-microstax-copy", told.encode()))
    else:
        for address, port in (
            (trace.downstream_connection.remote_address, client),
            (trace.downstream_connection.local_address, listener),
        ):
            address.socket_address.address, address.socket_address.port_value = b"10.0.0.1", port
    return wrapper.SerializeToString()


def a_request_of(number: int, client: int, window: Window, seen_ns: int, *, service: str = "catalog") -> list[bytes]:
    """Return both traces of a request whose path is its number."""
    told = f"{service};branch;next;{number};10.0.0.1:{client};{window[0]};{window[1]}"
    listener = 8080 if service == "catalog" else 8081
    return [
        a_trace(f"/{number}", client=client, seen_ns=seen_ns, listener=listener),
        a_trace(f"/{number}", told),
    ]


def fed(traces: list[bytes]) -> list[Command]:
    made = collector()
    found = made.feed(Chunk(1, delimited(traces), START_NS // 1000), now_us=1)
    return found + made.flush(2)


def check(commands: list[Command]) -> None:
    for command in commands:
        if isinstance(command, Paired):
            triple = command.triple
            assert triple.baseline.request.path == triple.branch.request.path == f"/{triple.id}"


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 3))
def test_no_clock_makes_a_wrong_pair(seed: int, requests: int, clients: int) -> None:
    """The clock is set back and forth at any moment, also inside a window; traces are lost and come in any order."""
    chance = random.Random(seed)
    traces, clock = [], START_NS
    for number in range(requests):
        times = []
        for _ in range(3):
            clock += chance.choice([0, 1, 2, 5, -1, -4, -20])
            times.append(clock)
        since, seen, until = times
        traces += a_request_of(number, 50000 + chance.randrange(clients), (since, until), seen)
    chance.shuffle(traces)
    check(fed([trace for trace in traces if chance.random() > 0.2]))


@given(st.integers(0, 2**32), st.integers(2, 30))
def test_a_client_port_that_two_listeners_share_makes_no_wrong_pair(seed: int, requests: int) -> None:
    """One source port may be connected to two listeners at once: their windows overlap, on two threads."""
    chance = random.Random(seed)
    traces = []
    for number in range(requests):
        since = START_NS + chance.randrange(20)
        seen, until = since + chance.randrange(5), since + 5
        service = chance.choice(["catalog", "pricing"])
        traces += a_request_of(number, 50000, (since, until), seen, service=service)
    chance.shuffle(traces)
    check(fed(traces))


def test_streams_of_one_connection_are_told_apart() -> None:
    """HTTP/2: a hundred requests on one connection, within microseconds, answered in any order."""
    traces = []
    for number in range(100):
        since = START_NS + 3_000 * number
        traces.append(a_request_of(number, 50000, (since, since + 2_000), since + 1_000))
    shuffled = [trace for both in traces for trace in both]
    random.Random(1).shuffle(shuffled)
    found = fed(shuffled)
    check(found)
    assert len([one for one in found if isinstance(one, Paired)]) == 100


def test_a_port_that_is_used_again_is_another_connection() -> None:
    first = a_request_of(1, 50000, (START_NS, START_NS + 9), START_NS + 5)
    second = a_request_of(2, 50000, (START_NS + 10**9, START_NS + 10**9 + 9), START_NS + 10**9 + 5)
    found = fed([second[1], first[0], first[1], second[0]])
    check(found)
    assert len(found) == 2


def test_a_baseline_of_another_request_is_a_gap() -> None:
    told = f"catalog;branch;next;1;10.0.0.1:50000;{START_NS};{START_NS + 9}"
    made = collector()
    data = delimited([a_trace("/other", client=50000, seen_ns=START_NS), a_trace("/1", told)])
    (lost,) = made.feed(Chunk(1, data, START_NS // 1000), now_us=1)
    assert isinstance(lost, Lost)
    assert (lost.service, lost.overlay, lost.reason) == ("catalog", "next", NotCompared.CAPTURE_GAP)
    assert made.pairer.mismatched == 1


def test_what_makes_two_sides_one_request() -> None:
    asked = a_request("/a", method="POST", body=b"hello")
    assert are_one_request(asked, asked)
    assert are_one_request(asked, a_request("/a", method="POST", body=b"hel"))  # an upload that was answered early
    assert not are_one_request(asked, a_request("/a", method="POST", body=b"world"))
    assert not are_one_request(asked, a_request("/a", method="PUT", body=b"hello"))
    assert not are_one_request(asked, a_request("/b", method="POST", body=b"hello"))
