"""The server over real gRPC: what needs a transport, a clock or several clients."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import pytest

from microstax.generated.wire import discovery_pb2 as wire
from microstax.xds import (
    Acked,
    Connected,
    Disconnected,
    Nacked,
    NackedError,
    Notice,
    Resource,
    Rules,
    Snapshot,
    Variant,
    XdsOptions,
)
from microstax.xds.playbook import thing
from microstax.xds.type_urls import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    ROUTE,
    SINGLE_TYPE_SERVICES,
)

if TYPE_CHECKING:
    from conftest import Site

Serve = Callable[..., Awaitable["Site"]]
both = pytest.mark.parametrize("variant", Variant)


def names(response: object) -> list[str]:
    """Return the names of a delta response, or the bodies of one in the state of the world."""
    if isinstance(response, wire.DeltaDiscoveryResponse):
        return sorted(r.name for r in response.resources)
    assert isinstance(response, wire.DiscoveryResponse)
    return sorted(r.value.decode() for r in response.resources)


@both
@pytest.mark.parametrize("type_url", [None, *SINGLE_TYPE_SERVICES])
async def test_all_variants_answer(serve: Serve, variant: Variant, type_url: str | None) -> None:
    """Aggregated and each single-type service, in both forms; on the latter the type is implied."""
    site = await serve()
    served = type_url or CLUSTER
    site.xds.set_snapshot("n", Snapshot.of([thing(served, "a", "a")]))
    client = await site.dial(variant, type_url=type_url)
    await client.ask(served if type_url is None else "", "a")
    response = await client.read()
    assert (response.type_url, names(response)) == (served, ["a"])


@both
async def test_a_node_gets_its_own_resources(serve: Serve, variant: Variant) -> None:
    site = await serve()
    for node in ("one", "two"):
        site.xds.set_snapshot(node, Snapshot.of([thing(CLUSTER, node, node)]))
    for node in ("two", "one"):
        client = await site.dial(variant, node)
        await client.ask(CLUSTER)
        assert names(await client.read()) == [node]


async def test_nodes_can_share_a_key(serve: Serve) -> None:
    site = await serve(XdsOptions(key=lambda node: "all" if node.id.startswith("edge") else ""))
    site.xds.set_snapshot("all", Snapshot.of([thing(CLUSTER, "a")]))
    clients = [await site.dial(Variant.DELTA, node) for node in ("edge-1", "edge-2")]
    for client in clients:
        await client.ask(CLUSTER)
        await client.answer(await client.read())
    await site.xds.wait_applied("all", 5)
    assert [s.node_id for s in site.xds.status()] == ["edge-1", "edge-2"]
    stranger = await site.dial(Variant.DELTA, "stranger")
    await stranger.ask(CLUSTER)
    assert await stranger.code() == "INVALID_ARGUMENT"


@both
async def test_changes_within_a_short_time_are_one_push(serve: Serve, variant: Variant) -> None:
    site = await serve(XdsOptions(debounce_s=0.1))
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a", "0")]))
    client = await site.dial(variant)
    await client.ask(CLUSTER)
    await client.answer(await client.read())
    await site.xds.wait_applied("n", 5)
    for content in "123456789":
        site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a", content)]))
    response = await client.read()
    await client.answer(response)
    await site.xds.wait_applied("n", 5)
    assert site.xds.totals()[CLUSTER].responses == 2
    body = response.resources[0].resource.value if variant is Variant.DELTA else response.resources[0].value
    assert body == b"9"


@both
async def test_a_nack_is_logged_counted_shown_and_raised(
    serve: Serve, variant: Variant, caplog: pytest.LogCaptureFixture
) -> None:
    site = await serve()
    notices: list[Notice] = []
    unsubscribe = site.xds.subscribe(notices.append)
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))
    client = await site.dial(variant)
    await client.ask(CLUSTER)
    response = await client.read()
    with caplog.at_level(logging.WARNING, "microstax.xds"):
        await client.answer(response, "no such filter")
        with pytest.raises(NackedError, match="refused its Cluster configuration: no such filter") as raised:
            await site.xds.wait_applied("n", 5)
    nack = raised.value.nack
    version = response.version_info if variant is Variant.SOTW else response.system_version_info
    assert (nack.type_url, nack.version, nack.nonce, nack.names) == (CLUSTER, version, response.nonce, ("a",))
    assert "n refused Cluster a: no such filter" in caplog.text
    assert site.xds.totals()[CLUSTER].nacks == 1
    assert site.xds.status()[0].types[0].nack == nack
    assert Nacked("n", "n", nack) in notices
    unsubscribe()
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a", "mended")]))
    await client.answer(await client.read())
    status = await site.xds.wait_applied("n", 5)
    assert (status.applied, status.nack) == (True, None)
    assert not any(isinstance(notice, Acked) for notice in notices)


async def test_a_nack_of_one_client_does_not_stop_another(serve: Serve) -> None:
    site = await serve()
    for node in ("bad", "good"):
        site.xds.set_snapshot(node, Snapshot.of([thing(CLUSTER, "a")]))
    clients = {node: await site.dial(Variant.DELTA, node) for node in ("bad", "good")}
    for node, client in clients.items():
        await client.ask(CLUSTER)
        await client.answer(await client.read(), "no" if node == "bad" else None)
    for node in clients:
        site.xds.set_snapshot(node, Snapshot.of([thing(CLUSTER, "a"), thing(CLUSTER, "b")]))
    response = await clients["good"].read()
    assert names(response) == ["b"]
    await clients["good"].answer(response)
    await site.xds.wait_applied("good", 5)


@both
async def test_waiting_tells_what_is_missing(serve: Serve, variant: Variant) -> None:
    site = await serve()
    with pytest.raises(TimeoutError, match="not applied within 0.05 s by n: it is not connected"):
        await site.xds.wait_applied("n", 0.05)
    assert site.xds.status() == ()
    client = await site.dial(variant)
    await client.ask(LISTENER)
    with pytest.raises(TimeoutError, match="there is no configuration for it"):
        await site.xds.wait_applied("n", 0.2)
    site.xds.set_snapshot("n", Snapshot.of([thing(LISTENER, "l", needs=[(ROUTE, "r")]), thing(ROUTE, "r")]))
    response = await client.read()
    with pytest.raises(TimeoutError, match="Listener is not acknowledged"):
        await site.xds.wait_applied("n", 0.05)
    await client.answer(response)
    with pytest.raises(TimeoutError, match="RouteConfiguration 'r' is missing"):
        await site.xds.wait_applied("n", 0.2)
    await client.ask(ROUTE, "r")
    await client.answer(await client.read())
    assert (await site.xds.wait_applied("n", 5)).applied
    dangling = thing(ROUTE, "r", "2", needs=[(CLUSTER, "not there")])
    site.xds.set_snapshot("n", Snapshot.of([thing(LISTENER, "l", needs=[(ROUTE, "r")]), dangling]))
    await client.ask(CLUSTER)
    await client.answer(await client.read())
    with pytest.raises(TimeoutError, match="RouteConfiguration r is held back"):
        await site.xds.wait_applied("n", 0.3)


async def test_waiting_can_ask_for_types_too(serve: Serve) -> None:
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([thing(LISTENER, "l")]))
    client = await site.dial(Variant.DELTA)
    await client.ask(LISTENER)
    await client.answer(await client.read())
    assert (await site.xds.wait_applied("n", 5)).applied
    with pytest.raises(TimeoutError, match="it has not asked for everything"):
        await site.xds.wait_applied("n", 0.05, types=frozenset({CLUSTER}))


async def test_waiting_can_be_for_some_types_alone(serve: Serve) -> None:
    """What an earlier refusal of something else keeps from being applied does not matter then."""
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a"), thing(LISTENER, "l")]))
    client = await site.dial(Variant.DELTA)
    for type_url, error in ((LISTENER, "address in use"), (CLUSTER, None)):
        await client.ask(type_url)
        await client.answer(await client.read(), error)
    with pytest.raises(NackedError, match="address in use"):
        await site.xds.wait_applied("n", 5)
    status = await site.xds.wait_applied("n", 5, only=frozenset({CLUSTER}))
    assert [one.type_url for one in status.types] == [CLUSTER]
    with pytest.raises(NackedError, match="address in use"):
        await site.xds.wait_applied("n", 5, only=frozenset({LISTENER}))
    with pytest.raises(TimeoutError, match="it has not asked for everything"):
        await site.xds.wait_applied("n", 0.05, only=frozenset({ROUTE}))


@both
async def test_what_has_ended_is_taken_from_clients_that_know_no_end(serve: Serve, variant: Variant) -> None:
    """And is not there for those that come later; what has no end stays."""
    time_of_day = 1000.0
    site = await serve(wall=lambda: time_of_day)
    ending = Resource("a", CLUSTER, b"a", expires_at=1000.1)
    site.xds.set_snapshot("n", Snapshot.of([ending, thing(CLUSTER, "b", "b")]))
    client = await site.dial(variant)
    await client.ask(CLUSTER)
    first = await client.read()
    await client.answer(first)
    time_of_day = 1000.2
    later = await client.read()
    await client.answer(later)
    await site.xds.wait_applied("n", 5)
    if variant is Variant.DELTA:
        assert (names(first), list(later.removed_resources)) == (["a", "b"], ["a"])
    else:
        assert (names(first), names(later)) == (["a", "b"], ["b"])
    other = await site.dial(variant)
    await other.ask(CLUSTER)
    assert names(await other.read()) == ["b"]


async def test_a_server_that_comes_back_has_nothing_new_to_say_of_an_end(serve: Serve) -> None:
    """The version is that of the end and not of what remains: the client keeps its own clock."""
    end = time.time() + 3600
    first = await serve()
    first.xds.set_snapshot("n", Snapshot.of([Resource("a", CLUSTER, b"a", expires_at=end)]))
    client = await first.dial(Variant.DELTA)
    await client.ask(CLUSTER)
    known = {one.name: one.version for one in (await client.read()).resources}
    second = await serve(socket="again.sock")
    second.xds.set_snapshot("n", Snapshot.of([Resource("a", CLUSTER, b"a", expires_at=end)]))
    back = await second.dial(Variant.DELTA)
    await back.ask(CLUSTER, initial_resource_versions=known)
    assert await back.silent()


@both
async def test_a_node_without_resources_waits_for_them(serve: Serve, variant: Variant) -> None:
    site = await serve()
    client = await site.dial(variant)
    await client.ask(CLUSTER)
    await site.until(lambda: bool(site.xds.status()))
    assert not site.xds.status()[0].has_snapshot
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a", "a")]))
    assert names(await client.read()) == ["a"]


@both
async def test_cleared_resources_stay_with_the_client(serve: Serve, variant: Variant) -> None:
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))
    client = await site.dial(variant)
    await client.ask(CLUSTER)
    await client.answer(await client.read())
    await site.xds.wait_applied("n", 5)
    site.xds.clear("n")
    assert site.xds.snapshot("n") is None
    assert await client.silent()


async def test_streams_end_with_ok_once_they_were_answered(serve: Serve) -> None:
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))
    answered, waiting = await site.dial(Variant.DELTA), await site.dial(Variant.DELTA, "unknown")
    for client in (answered, waiting):
        await client.ask(CLUSTER)
    await answered.read()
    await site.until(lambda: len(site.xds.status()) == 2)
    await site.xds.stop(0.1)
    assert (await answered.code(), await waiting.code()) == ("OK", "UNAVAILABLE")
    late = await site.dial(Variant.SOTW)
    await late.ask(CLUSTER)
    assert await late.code() == "UNAVAILABLE"


async def test_a_stream_that_is_too_old_ends_after_an_answer(serve: Serve) -> None:
    site = await serve(XdsOptions(rules=Rules(max_age_s=0.1)))
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))
    client = await site.dial(Variant.SOTW)
    await client.ask(CLUSTER)
    assert names(await client.read()) == ["1"]
    assert await client.code() == "OK"


async def test_too_many_streams_are_refused_unless_that_is_switched_off(serve: Serve) -> None:
    site = await serve(XdsOptions(max_streams=2))
    for i in range(2):
        await (await site.dial(Variant.DELTA, f"n{i}")).ask(CLUSTER)
    await site.until(lambda: len(site.xds.status()) == 2)
    third = await site.dial(Variant.DELTA, "n2")
    await third.ask(CLUSTER)
    assert await third.code() == "RESOURCE_EXHAUSTED"
    open_site = await serve(XdsOptions(max_streams=None), socket="open.sock")
    for i in range(20):
        await (await open_site.dial(Variant.DELTA, f"n{i}")).ask(CLUSTER)
    await open_site.until(lambda: len(open_site.xds.status()) == 20)


async def test_new_streams_are_let_in_at_a_bounded_rate(serve: Serve) -> None:
    """A burst of 4, then 20 a second: 12 more take at least half a second, while the first ones are served."""
    site = await serve(XdsOptions(admission_rate=20, admission_burst=4))
    site.xds.set_snapshot("n0", Snapshot.of([thing(CLUSTER, "a")]))
    first = await site.dial(Variant.DELTA, "n0")
    await first.ask(CLUSTER)
    await first.answer(await first.read())
    began = asyncio.get_running_loop().time()
    for i in range(1, 16):
        await (await site.dial(Variant.DELTA, f"n{i}")).ask(CLUSTER)
    site.xds.set_snapshot("n0", Snapshot.of([thing(CLUSTER, "b")]))
    assert names(await first.read()) == ["b"]
    waiting = 16 - len([s for s in site.xds.status() if s.connected])
    assert waiting > 0
    await site.until(lambda: len(site.xds.status()) == 16)
    assert asyncio.get_running_loop().time() - began >= 12 / 20 - 0.05


async def test_whoever_would_wait_too_long_for_admission_is_refused(serve: Serve) -> None:
    site = await serve(XdsOptions(admission_rate=0.1, admission_burst=1, admission_wait_s=1))
    one = await site.dial(Variant.DELTA, "one")
    await one.ask(CLUSTER)
    await site.until(lambda: bool(site.xds.status()))
    two = await site.dial(Variant.DELTA, "two")
    await two.ask(CLUSTER)
    assert await two.code() == "RESOURCE_EXHAUSTED"


async def test_a_stuck_client_costs_bounded_memory_and_holds_back_nobody(serve: Serve) -> None:
    """It reads nothing while 150 MiB of changes go by; another client gets the newest state meanwhile."""
    site = await serve()
    stuck, live = await site.dial(Variant.DELTA, "stuck"), await site.dial(Variant.DELTA, "live")
    for client in (stuck, live):
        await client.ask(CLUSTER)
    await site.until(lambda: len(site.xds.status()) == 2)
    before = resident_bytes()
    for change in range(150):
        big = Snapshot.of([Resource("big", CLUSTER, bytes([change]) * (1 << 20))])
        site.xds.set_snapshot("stuck", big)
        site.xds.set_snapshot("live", Snapshot.of([thing(CLUSTER, "a", str(change))]))
        response = await live.read()
        await live.answer(response)
        await site.xds.wait_applied("live", 5)
    assert response.resources[0].resource.value == b"149"
    sent = {s.node_id: s.types[0].responses for s in site.xds.status()}
    assert sent == {"stuck": 1, "live": 150}
    assert resident_bytes() - before < 48 << 20
    await stuck.answer(await stuck.read())  # once it reads again, it is owed the newest state only
    newest = await stuck.read()
    assert newest.resources[0].resource.value[:1] == bytes([149])


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_client_that_takes_no_data_is_given_up(serve: Serve) -> None:
    site = await serve(XdsOptions(rules=Rules(write_s=0.3)))
    site.xds.set_snapshot("n", Snapshot.of([Resource("big", CLUSTER, bytes(8 << 20))]))
    client = await site.dial(Variant.DELTA)
    await client.ask(CLUSTER)
    await site.until(lambda: any(s.connected for s in site.xds.status()))
    await site.until(lambda: not any(s.connected for s in site.xds.status()))


async def test_a_stuck_client_does_not_keep_the_server_from_stopping(serve: Serve) -> None:
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([Resource("big", CLUSTER, bytes(8 << 20))]))
    client = await site.dial(Variant.DELTA)
    await client.ask(CLUSTER)
    await site.until(lambda: CLUSTER in site.xds.totals())
    async with asyncio.timeout(5):
        await site.xds.stop(0.1)
        await site.server.stop(0)


async def test_a_subscriber_that_fails_ends_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    site = await serve()
    site.xds.subscribe(lambda _notice: 1 / 0)
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))
    client = await site.dial(Variant.DELTA)
    await client.ask(CLUSTER)
    await client.answer(await client.read())
    await site.xds.wait_applied("n", 5)
    assert "a subscriber of the xDS server's notices failed at Connected" in caplog.text


@both
async def test_a_stream_that_ends_leaves_nothing_behind(serve: Serve, variant: Variant) -> None:
    site = await serve()
    notices: list[Notice] = []
    site.xds.subscribe(notices.append)
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))
    tasks = len(asyncio.all_tasks())
    for node in ("n", "n", "without resources"):
        client = await site.dial(variant, node)
        await client.ask(CLUSTER)
        await site.until(lambda: any(s.connected for s in site.xds.status()))
        client.call.cancel()
        await client.channel.close()
        await site.until(lambda: not site.xds._connections)
    await site.until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert len(site.xds._nodes) == 1
    assert [type(notice) for notice in notices if not isinstance(notice, Acked)] == [Connected, Disconnected] * 3


async def test_a_client_that_closes_its_side_is_let_go(serve: Serve) -> None:
    site = await serve()
    client = await site.dial(Variant.DELTA)
    await client.ask(CLUSTER)
    await client.call.done_writing()
    assert await client.code() == "OK"
    assert not site.xds._connections


SLEEPER = """
import grpc, sys, time

def requests():
    yield bytes.fromhex(sys.argv[2])
    time.sleep(60)

channel = grpc.insecure_channel(sys.argv[1])
call = channel.stream_stream("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources")
for response in call(requests()):
    pass
"""


async def test_a_half_open_stream_is_noticed(serve: Serve) -> None:
    """The client's machine is gone without a word (here: stopped); unanswered pings end its streams."""
    site = await serve(XdsOptions(keepalive_s=0.3, keepalive_wait_s=0.3))
    request = wire.DeltaDiscoveryRequest(node=wire.Node(id="n"), type_url=CLUSTER).SerializeToString().hex()
    client = await asyncio.create_subprocess_exec(sys.executable, "-c", SLEEPER, site.target, request)
    try:
        await site.until(lambda: bool(site.xds.status()), 20)
        client.send_signal(signal.SIGSTOP)
        await site.until(lambda: not site.xds.status(), 10)
    finally:
        client.kill()
        await client.wait()


async def test_idle_streams_cost_no_threads(serve: Serve) -> None:
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))

    async def connect(count: int) -> int:
        for _ in range(count):
            client = await site.dial(Variant.DELTA)
            await client.ask(CLUSTER)
            await client.answer(await client.read())
        return len(os.listdir("/proc/self/task"))

    few, many = await connect(10), await connect(150)
    assert len(site.xds._connections) == 160
    assert many - few < 10  # what gRPC starts as it likes, whatever the number of streams
    assert threading.active_count() < 10


@both
async def test_a_resource_above_grpcs_default_limit_is_delivered(serve: Serve, variant: Variant) -> None:
    site = await serve()
    body = os.urandom(5 << 20)
    site.xds.set_snapshot("n", Snapshot.of([Resource("big", CLUSTER, body)]))
    client = await site.dial(variant)
    await client.ask(CLUSTER)
    response = await client.read()
    value = response.resources[0].resource.value if variant is Variant.DELTA else response.resources[0].value
    assert value == body


async def test_a_request_above_grpcs_default_limit_is_taken(serve: Serve) -> None:
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([thing(ENDPOINT, "a")]))
    client = await site.dial(Variant.DELTA)
    known = {f"a-cluster-with-quite-a-long-name-{i:08}": "0123456789abcdef" for i in range(80_000)}
    await client.ask(ENDPOINT, "a", initial_resource_versions=known)
    assert names(await client.read()) == ["a"]


def http2(path: str) -> tuple[socket.socket, h2.connection.H2Connection]:
    """Open a bare HTTP/2 connection."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(path.removeprefix("unix:"))
    raw.sendall(connection.data_to_send())
    raw.settimeout(0.1)
    return raw, connection


async def test_many_pings_are_no_reason_to_go_away(serve: Serve) -> None:
    site = await serve()
    raw, connection = http2(site.target)
    seen: list[h2.events.Event] = []
    with raw:
        for i in range(100):
            connection.ping(i.to_bytes(8, "big"))
            raw.sendall(connection.data_to_send())
        for _ in range(50):
            await asyncio.sleep(0.02)
            seen += receive(raw, connection)
    kinds = [type(event) for event in seen]
    assert h2.events.ConnectionTerminated not in kinds
    assert kinds.count(h2.events.PingAckReceived) == 100


async def test_the_server_pings_too(serve: Serve) -> None:
    site = await serve(XdsOptions(keepalive_s=0.2, keepalive_wait_s=5))
    raw, connection = http2(site.target)
    seen: list[h2.events.Event] = []
    with raw:
        async with asyncio.timeout(5):
            while not any(isinstance(event, h2.events.PingReceived) for event in seen):
                await asyncio.sleep(0.02)
                seen += receive(raw, connection)


def receive(raw: socket.socket, connection: h2.connection.H2Connection) -> list[h2.events.Event]:
    raw.setblocking(False)
    try:
        data = raw.recv(65536)
    except BlockingIOError:
        return []
    events = connection.receive_data(data)
    raw.setblocking(True)
    raw.sendall(connection.data_to_send())
    return list(events)


async def test_a_stream_that_says_nothing_is_closed(serve: Serve) -> None:
    site = await serve(XdsOptions(rules=Rules(first_request_s=0.2)))
    client = await site.dial(Variant.SOTW)
    await client.call.wait_for_connection()
    assert await client.code() == "UNAVAILABLE"


async def test_bytes_that_are_no_request_end_the_stream_with_a_sentence(serve: Serve) -> None:
    site = await serve()
    client = await site.dial(Variant.DELTA)
    raw = client.channel.stream_stream(
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
    )()
    await raw.write(b"\xff\xff\xff")
    assert (await raw.code()).name == "INVALID_ARGUMENT"
    assert "no discovery request" in await raw.details()


async def test_a_peer_that_may_not_be_this_node_is_refused(serve: Serve) -> None:
    site = await serve(XdsOptions(authorise=lambda node, peer: f"{peer.address or 'nobody'} is not {node.id}"))
    client = await site.dial(Variant.DELTA)
    await client.ask(CLUSTER)
    assert await client.code() == "PERMISSION_DENIED"
    assert site.xds.status() == ()


@both
async def test_a_client_that_comes_back_counts_once(serve: Serve, variant: Variant) -> None:
    """Its old stream may not be noticed as dead yet."""
    site = await serve()
    site.xds.set_snapshot("n", Snapshot.of([thing(CLUSTER, "a")]))
    old, new = await site.dial(variant), await site.dial(variant)
    await old.ask(CLUSTER)
    await old.read()
    await new.ask(CLUSTER)
    await new.answer(await new.read())
    status = await site.xds.wait_applied("n", 5)
    assert [t.type_url for t in status.types] == [CLUSTER]
    assert len(site.xds.status()) == 1
