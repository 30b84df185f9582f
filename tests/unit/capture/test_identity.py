"""Every trace is told whose it is, without a header that an application could see."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from microstax.capture.identity import Identities, Named
from microstax.capture.tap_trace import read_parsed
from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, Side

START_NS = 1_700_000_000_000_000_000
LISTENER = ("127.0.0.1", 8080)


def connection(trace: Any, remote: tuple[str, int]) -> None:
    for address, (host, port) in (
        (trace.downstream_connection.remote_address, remote),
        (trace.downstream_connection.local_address, LISTENER),
    ):
        address.socket_address.address = host.encode()
        address.socket_address.port_value = port


def a_trace(number: int) -> Any:
    trace = tap_pb2.HttpBufferedTrace()
    trace.request.headers.add(key=b":path", value=f"/{number}".encode())
    trace.response.headers.add(key=b":status", value=b"200")
    return trace


def a_baseline(number: int, seen_ns: int, client: tuple[str, int] = ("127.0.0.1", 50000)) -> Any:
    trace = a_trace(number)
    connection(trace, client)
    trace.request.headers_received_time.seconds = seen_ns // 1_000_000_000
    trace.request.headers_received_time.nanos = seen_ns % 1_000_000_000
    return trace


def a_copy(number: int, since: int, until: int, *, client: str = "127.0.0.1:50000", place: str = "branch;next") -> Any:
    trace = a_trace(number)
    told = f"catalog;{place};id-{number};{client};{since};{until}"
    trace.response.headers.add(key=b"x-microstax-copy", value=told.encode())
    return trace


def seen(named: Named) -> tuple[str, Side, str | None, str]:
    exchange = read_parsed(named.trace)
    assert isinstance(exchange, Exchange)
    return exchange.id, exchange.side, exchange.overlay, exchange.request.path


def take(identities: Identities, *traces: Any, now_us: int = 1) -> list[tuple[str, Side, str | None, str]]:
    return [seen(named) for trace in traces for named in identities.take(trace, at_us=1, now_us=now_us)]


def test_a_baseline_is_named_by_the_window_of_its_copy_whichever_comes_first() -> None:
    baseline, copy = a_baseline(1, START_NS + 5), a_copy(1, START_NS, START_NS + 9)
    for order in ((baseline, copy), (copy, baseline)):
        traces = [type(t).FromString(t.SerializeToString()) for t in order]
        assert sorted(take(Identities(), *traces)) == [
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


def test_traces_that_are_named_already_or_of_somebody_else_pass() -> None:
    named, foreign = a_trace(1), a_trace(2)
    named.request.headers.add(key=b"x-microstax-exchange", value=b"mine")
    foreign.response.headers.add(key=b"x-microstax-copy", value=b"a;b")
    identities = Identities()
    assert [len(identities.take(trace, at_us=1, now_us=1)) for trace in (named, foreign)] == [1, 1]


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
