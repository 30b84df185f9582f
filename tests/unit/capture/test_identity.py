"""Every trace is told whose it is, without a header that an application could see."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.capture import Redaction, Redactor
from microstax.capture.identity import Identities, Named
from microstax.capture.tap_trace import Trace, parse_trace
from microstax.capture.trace_reader import TraceReader
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, Side

START_NS = 1_700_000_000_000_000_000
READER = TraceReader(Redactor(Redaction(key=b"k" * 32)))
LISTENER = ("127.0.0.1", 8080)


def connection(trace: Trace, remote: tuple[str, int]) -> None:
    ends = trace.message.downstream_connection
    for address, (host, port) in ((ends.remote_address, remote), (ends.local_address, LISTENER)):
        address.socket_address.address = host.encode()
        address.socket_address.port_value = port


def a_trace(number: int, told: str = "") -> Trace:
    wrapper = tap_pb2.TraceWrapper()
    message = wrapper.http_buffered_trace
    message.request.headers.append(field(":path", f"/{number}"))
    message.response.headers.append(field(":status", "200"))
    if told:
        message.response.headers.append(field("x-microstax-copy", told))
    trace = parse_trace(wrapper.SerializeToString())
    assert isinstance(trace, Trace)
    return trace


def field(name: str, value: str) -> bytes:
    return tap_pb2.HeaderValue(key=name.encode(), value=value.encode()).SerializeToString()


def a_baseline(number: int, seen_ns: int, client: tuple[str, int] = ("127.0.0.1", 50000)) -> Trace:
    trace = a_trace(number)
    connection(trace, client)
    trace.message.request.headers_received_time.seconds = seen_ns // 1_000_000_000
    trace.message.request.headers_received_time.nanos = seen_ns % 1_000_000_000
    return trace


def a_copy(
    number: int, since: int, until: int, *, client: str = "127.0.0.1:50000", place: str = "branch;next"
) -> Trace:
    return a_trace(number, f"catalog;{place};id-{number};{client};{since};{until}")


def seen(named: Named) -> tuple[str, Side, str | None, str]:
    exchange = READER.read(named.trace)
    assert isinstance(exchange, Exchange)
    return exchange.id, exchange.side, exchange.overlay, exchange.request.path


def take(identities: Identities, *traces: Trace, now_us: int = 1) -> list[tuple[str, Side, str | None, str]]:
    return [seen(named) for trace in traces for named in identities.take(trace, at_us=1, now_us=now_us)]


def test_a_baseline_is_named_by_the_window_of_its_copy_whichever_comes_first() -> None:
    baseline, copy = a_baseline(1, START_NS + 5), a_copy(1, START_NS, START_NS + 9)
    for order in ((baseline, copy), (copy, baseline)):
        assert sorted(take(Identities(), *order)) == [
            ("id-1", Side.BASELINE, None, "/1"),
            ("id-1", Side.BRANCH, "next", "/1"),
        ]


def test_branch_and_control_share_one_baseline() -> None:
    identities = Identities()
    window = (START_NS, START_NS + 9)
    found = take(
        identities,
        a_copy(1, *window),
        a_baseline(1, START_NS),
        a_copy(1, *window, place="control;next"),
        a_copy(1, *window, place="branch;other"),
    )
    assert [(side, overlay) for _, side, overlay, _ in found] == [
        (Side.BRANCH, "next"),
        (Side.BASELINE, None),
        (Side.CONTROL, "next"),
        (Side.BRANCH, "other"),
    ]


def test_another_connection_at_the_same_moment_is_another_request() -> None:
    identities = Identities()
    found = take(
        identities,
        a_baseline(1, START_NS + 5, ("127.0.0.1", 50000)),
        a_baseline(2, START_NS + 5, ("127.0.0.1", 50001)),
        a_copy(2, START_NS, START_NS + 9, client="127.0.0.1:50001"),
    )
    assert [path for *_, path in found] == ["/2", "/2"]
    assert len(identities) == 1


def test_ipv6_clients_are_written_as_envoy_writes_them() -> None:
    found = take(
        Identities(), a_baseline(1, START_NS, ("::1", 50000)), a_copy(1, START_NS, START_NS, client="[::1]:50000")
    )
    assert len(found) == 2


def test_a_baseline_that_stays_alone_is_told_by_its_listener() -> None:
    identities = Identities(lifetime_us=100)
    take(identities, a_baseline(1, START_NS), a_copy(1, START_NS, START_NS))
    assert take(identities, a_baseline(2, START_NS + 50), now_us=2) == []
    ((identity, side, _, path),) = (seen(named) for named in identities.tick(103))
    assert (side, path) == (Side.BASELINE, "/2")
    assert identity.startswith("alone-")
    assert (len(identities), identities.bytes) == (0, 0)


def test_a_baseline_of_an_unknown_listener_is_counted() -> None:
    identities = Identities(lifetime_us=100)
    take(identities, a_baseline(2, START_NS))
    assert list(identities.flush()) == []
    assert identities.unmatched == 1


def test_what_waits_is_bounded() -> None:
    identities = Identities(max_waiting=10)
    for number in range(1000):
        take(identities, a_baseline(number, START_NS + number))
    assert len(identities) <= 11


def test_a_copy_without_an_answer_is_nobodys() -> None:
    """It was given up before it had one, and its connection to the internal listener has no port."""
    (named,) = Identities().take(a_trace(1), at_us=1, now_us=1)
    assert named.trace.identity is None


@pytest.mark.parametrize(
    "told", ["a;b", "catalog;sideways;next;id;c:1;0;9", "catalog;branch;next;id;c:1;x;9", ";;;;;;"]
)
def test_an_applications_own_header_of_that_name_makes_no_copy(told: str) -> None:
    (named,) = Identities().take(a_trace(1, told), at_us=1, now_us=1)
    assert named.trace.identity is None


def test_a_baseline_that_was_named_is_held_no_longer() -> None:
    identities = Identities()
    baseline = a_baseline(1, START_NS)
    take(identities, baseline, a_copy(1, START_NS, START_NS))
    held = [waiting for _, waiting in identities._ages if getattr(waiting, "trace", None) is not None]
    assert (held, identities.bytes) == ([], 0)


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 3))
def test_no_order_and_no_loss_makes_a_wrong_pair(seed: int, requests: int, clients: int) -> None:
    """Requests of one connection have disjoint windows; a third of all traces is lost; the rest comes in any order."""
    chance = random.Random(seed)
    traces, clock = [], START_NS
    for number in range(requests):
        port = 50000 + chance.randrange(clients)
        since, width = clock, chance.randrange(3)
        clock += width + chance.randrange(1, 4)
        traces.append(a_baseline(number, since + chance.randint(0, width), ("127.0.0.1", port)))
        traces.append(a_copy(number, since, since + width, client=f"127.0.0.1:{port}"))
    kept = [trace for trace in traces if chance.random() > 1 / 3]
    chance.shuffle(kept)
    identities = Identities()
    found = take(identities, *kept)
    for identity, _, _, path in found:
        assert identity == f"id-{path[1:]}"
    assert len(found) + len(identities) == len(kept)
