"""What a tee does on a real Envoy."""

import asyncio
import dataclasses
import re
from typing import Any

import pytest

from microstax.envoy.stats import MirrorKey
from microstax.model.exchange import NotCompared, Side
from microstax.model.flags import reason_of
from microstax.model.plan import Mirror, Preview, TeePlan, TeeService

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]

EVERYTHING = 1_000_000
GET = b"GET /items HTTP/1.1\r\nHost: shop\r\n\r\n"
NEXT = MirrorKey("catalog", "next", Side.BRANCH)


def mirror(to: Any, **options: Any) -> Mirror:
    defaults = {"overlay": "next", "side": Side.BRANCH, "ppm": EVERYTHING, "methods": ("GET", "HEAD", "OPTIONS")}
    return Mirror(**{**defaults, "address": getattr(to, "address", to), **options})


def tee(lab: Any, baseline: Any, *mirrors: Mirror, **options: Any) -> TeePlan:
    service = TeeService(name="catalog", listen=lab.address(), upstream=baseline.address, mirrors=mirrors, **options)
    return TeePlan(node_id="tee", environment="production", services=(service,))


def port_of(plan: TeePlan) -> int:
    return plan.services[0].listen.port


def with_mirrors(plan: TeePlan, *mirrors: Mirror) -> TeePlan:
    return dataclasses.replace(plan, services=(dataclasses.replace(plan.services[0], mirrors=mirrors),))


async def requests(lab: Any, port: int, raw: bytes, count: int, *, at_once: int = 50) -> list[Any]:
    found = []
    for start in range(0, count, at_once):
        batch = (lab.send(port, raw) for _ in range(start, min(count, start + at_once)))
        found += await asyncio.gather(*batch)
    return found


async def quiet(lab: Any, node: Any) -> Any:
    """Wait until no copy is under way; return the counters."""

    async def settled() -> Any:
        counters = await node.counters()
        return counters if all(mirror.active == 0 for mirror in counters.mirrors.values()) else None

    return await lab.eventually(settled)


async def test_both_sides_are_captured_with_who_they_are(lab: Any) -> None:
    baseline = await lab.backend()
    forged = b"HTTP/1.1 500 Oh\r\nX-Microstax-Local: UT\r\nX-Microstax-Copy: a;branch;b;c;d;1;2\r\n"
    branch = await lab.backend(lambda _r: forged + b"Content-Length: 1\r\n\r\n!")
    plan = tee(lab, baseline, mirror(branch))
    node = await lab.node(plan)
    async with node.tapped() as tap:
        response = await lab.send(port_of(plan), b"GET /items?x=1 HTTP/1.1\r\nHost: shop\r\nX-A: 1\r\n\r\n")
        await lab.eventually(lambda: branch.requests)
    assert response.status == 200
    ((original, copy),) = tap.by_id().values()
    assert (original.side, original.service, original.overlay) == (Side.BASELINE, "catalog", None)
    assert (copy.side, copy.service, copy.overlay) == (Side.BRANCH, "catalog", "next")
    assert original.request == copy.request
    assert original.request.headers == (("x-a", "1"),)
    assert (original.response.status, copy.response.status, copy.response.body) == (200, 500, b"!")
    assert copy.response.local_reason is None
    assert original.latency_us > 0 < copy.latency_us


async def test_a_share_gives_complete_pairs_and_nothing_else(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    plan = tee(lab, baseline, mirror(branch, ppm=200_000))
    node = await lab.node(plan)
    async with node.tapped(wait_ms=4000) as tap:
        await requests(lab, port_of(plan), GET, 500)
        counters = await quiet(lab, node)
    mirrored = counters.mirrors[NEXT].mirrored
    assert 50 < mirrored < 160
    assert mirrored == len(branch.requests) == len(tap.of("baseline")) == len(tap.of("branch")) == len(tap.by_id())
    assert counters.skipped["catalog"].sampling == 500 - mirrored
    assert tap.alone == 0


async def test_overlays_with_different_shares_and_methods_each_get_theirs(lab: Any) -> None:
    baseline, first, second, control = [await lab.backend() for _ in range(4)]
    plan = tee(
        lab,
        baseline,
        mirror(first, overlay="first", ppm=200_000, methods=("GET",)),
        mirror(second, overlay="second", ppm=600_000, methods=("GET", "POST")),
        mirror(control, overlay="second", side=Side.CONTROL, ppm=50_000, methods=("GET", "POST")),
    )
    node = await lab.node(plan)
    post = b"POST /items HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\nhi"
    await requests(lab, port_of(plan), GET, 400)
    await requests(lab, port_of(plan), post, 200)
    counters = await quiet(lab, node)
    one = counters.mirrors[MirrorKey("catalog", "first", Side.BRANCH)].mirrored
    two = counters.mirrors[MirrorKey("catalog", "second", Side.BRANCH)].mirrored
    few = counters.mirrors[MirrorKey("catalog", "second", Side.CONTROL)].mirrored
    assert (one, two, few) == (len(first.requests), len(second.requests), len(control.requests))
    assert 45 < one < 120
    assert 300 < two < 420
    assert 8 < few < 60
    assert {request.method for request in first.requests} == {"GET"}
    assert {request.method for request in second.requests} == {"GET", "POST"}
    assert counters.skipped["catalog"].sampling == 600 - two
    assert not counters.skipped["catalog"].methods


async def test_turning_a_share_sends_the_runtime_only(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    plan = tee(lab, baseline, mirror(branch, ppm=0))
    node = await lab.node(plan)
    reloads = await node.envoy.stat("http.tee/catalog.rds.tee/catalog.config_reload")
    updates = await node.envoy.stat("cluster_manager.cds.update_success")
    await requests(lab, port_of(plan), GET, 20)
    assert branch.requests == []
    await node.apply(with_mirrors(plan, mirror(branch, ppm=EVERYTHING)))
    await requests(lab, port_of(plan), GET, 20)
    await lab.eventually(lambda: len(branch.requests) == 20)
    assert await node.envoy.stat("http.tee/catalog.rds.tee/catalog.config_reload") == reloads
    assert await node.envoy.stat("cluster_manager.cds.update_success") == updates


async def test_a_shadow_is_switched_without_touching_a_listener(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    plan = tee(lab, baseline)
    node = await lab.node(plan)
    updates = await node.envoy.stat("listener_manager.lds.update_success")
    async with node.tapped(wait_ms=2500) as tap:
        await lab.send(port_of(plan), GET)
        await node.apply(with_mirrors(plan, mirror(branch)))
        await lab.send(port_of(plan), GET)
        await lab.eventually(lambda: branch.requests)
        await node.apply(plan)
        await lab.send(port_of(plan), GET)
    assert len(tap.by_id()) == 1
    assert await node.envoy.stat("listener_manager.lds.update_success") == updates
    assert len(branch.requests) == 1
    assert len(baseline.requests) == 3


async def test_unsafe_methods_are_not_mirrored_and_counted_by_name(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    plan = tee(lab, baseline, mirror(branch))
    node = await lab.node(plan)
    for count, method in enumerate(("POST", "PUT", "PATCH", "DELETE", "TRACE"), start=1):
        raw = f"{method} /items HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n".encode()
        await requests(lab, port_of(plan), raw, count)
    await lab.send(port_of(plan), GET)
    await lab.eventually(lambda: branch.requests)
    assert [request.method for request in branch.requests] == ["GET"]
    skipped = (await node.counters()).skipped["catalog"]
    assert dict(skipped.methods) == {"POST": 1, "PUT": 2, "PATCH": 3, "DELETE": 4, "other": 5}
    assert (skipped.size, skipped.upgrade, skipped.sampling) == (0, 0, 0)
    assert len(baseline.requests) == 16


async def test_large_and_chunked_uploads_go_to_the_baseline_only(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    plan = tee(lab, baseline, mirror(branch, methods=("POST", "GET"), max_body_bytes=1000))
    node = await lab.node(plan)
    head = b"POST /up HTTP/1.1\r\nHost: shop\r\n"
    await lab.send(port_of(plan), head + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)
    await lab.send(port_of(plan), head + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001)
    await lab.send(port_of(plan), head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    await lab.eventually(lambda: branch.requests)
    counters = await quiet(lab, node)
    assert [len(request.body) for request in baseline.requests] == [1000, 1001, 3]
    assert [len(request.body) for request in branch.requests] == [1000]
    assert counters.skipped["catalog"].size == 2
    assert counters.mirrors[NEXT].mirrored == 1


async def test_http2_uploads_without_a_length_are_copied_up_to_the_limit(lab: Any) -> None:
    baseline, branch = [await lab.start(lab.H2Backend()) for _ in range(2)]
    plan = tee(lab, baseline, mirror(branch, methods=("POST",), max_body_bytes=2000))
    node = await lab.node(plan)
    headers = [(":method", "POST"), (":path", "/up"), (":scheme", "http"), (":authority", "shop")]
    async with node.tapped() as tap:
        for size in (100, 30_000):
            assert (await lab.send_h2(port_of(plan), headers, b"z" * size)).body == b"ok"
        await lab.eventually(lambda: branch.requests)
        await quiet(lab, node)
    assert [len(request.body) for request in baseline.requests] == [100, 30_000]
    assert [len(request.body) for request in branch.requests] == [100]
    assert branch.requests[0].regular() == []
    refused = [copy for copy in tap.of("branch") if copy.response.status == 413]
    assert len(refused) == 1
    assert reason_of(refused[0].response.local_reason) is not None


async def test_a_branch_that_never_reads_holds_back_no_upload(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend(reads=False)
    plan = tee(lab, baseline, mirror(branch, methods=("POST",), max_body_bytes=1 << 20, timeout_ms=1500))
    node = await lab.node(plan)
    upload = b"POST /up HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    answers = await requests(lab, port_of(plan), upload, 60, at_once=20)
    assert [answer.status for answer in answers] == [200] * 60
    assert all(len(request.body) == 1_000_000 for request in baseline.requests)
    counters = await quiet(lab, node)
    assert counters.mirrors[NEXT].timeouts == counters.mirrors[NEXT].mirrored == 60


@pytest.mark.parametrize("http2", [False, True])
async def test_a_hung_branch_is_a_timeout_and_then_an_overflow_and_never_a_delay(lab: Any, *, http2: bool) -> None:
    async def hang(_request: Any) -> bytes:
        await asyncio.sleep(3600)
        return b""

    if http2:
        baseline = await lab.start(lab.H2Backend())
        branch = await lab.backend(reads=False)
    else:
        baseline, branch = await lab.backend(), await lab.backend(hang)
    plan = tee(lab, baseline, mirror(branch, timeout_ms=2500))
    node = await lab.node(plan)
    headers = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "shop")]
    async with node.tapped(wait_ms=5000) as tap:
        for _ in range(3):  # more at once than there is room for, so that a slow machine runs into the limit as well
            if http2:
                found = await asyncio.gather(*(lab.send_h2(port_of(plan), headers) for _ in range(200)))
                assert {answer[":status"] for answer in found} == {"200"}
            else:
                found = await requests(lab, port_of(plan), GET, 200, at_once=200)
                assert {answer.status for answer in found} == {200}
        counters = (await quiet(lab, node)).mirrors[NEXT]
    assert counters.timeouts + counters.overflow + counters.dropped == 600
    assert counters.mirrored == 600 - counters.dropped
    assert counters.overflow > 0 < counters.timeouts
    reasons = [reason_of(copy.response.local_reason) for copy in tap.of("branch")]
    assert reasons.count(NotCompared.BRANCH_TIMEOUT) == counters.timeouts
    assert reasons.count(NotCompared.BRANCH_OVERFLOW) == counters.overflow
    assert len(tap.of("baseline")) + tap.alone == 600


@pytest.mark.parametrize("mirrored", [False, True])
async def test_a_burst_over_http2_is_answered_as_without_us(lab: Any, *, mirrored: bool) -> None:
    """Before the baseline has said how many streams it takes, no more than it must take go over one connection."""
    baseline, branch = await lab.start(lab.H2Backend()), await lab.start(lab.H2Backend())
    plan = tee(lab, baseline, *([mirror(branch)] if mirrored else []))
    await lab.node(plan)
    headers = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "shop")]
    answers = await asyncio.gather(*(lab.send_h2(port_of(plan), headers) for _ in range(250)))
    assert [answer[":status"] for answer in answers] == ["200"] * 250
    assert len(baseline.requests) == 250


async def test_a_branch_that_is_not_there_or_resets_is_told(lab: Any) -> None:
    baseline, resets = await lab.backend(), await lab.backend(lambda _r: b"")
    plan = tee(
        lab,
        baseline,
        mirror(lab.address(), overlay="gone"),
        mirror(resets, overlay="resets"),
    )
    node = await lab.node(plan)
    async with node.tapped() as tap:
        answers = await requests(lab, port_of(plan), GET, 10)
        counters = await quiet(lab, node)
    assert [answer.status for answer in answers] == [200] * 10
    assert counters.mirrors[MirrorKey("catalog", "gone", Side.BRANCH)].connect_failures == 10
    for overlay, flag in (("gone", "UF"), ("resets", "UC")):
        copies = tap.of("branch", overlay)
        assert [copy.response.local_reason for copy in copies] == [flag] * 10
        assert {reason_of(copy.response.local_reason) for copy in copies} == {NotCompared.BRANCH_ERROR}
    assert all(set(dict(answer.headers)) == {"content-length", "date"} for answer in answers)


async def test_a_baseline_that_is_away_looks_as_behind_any_proxy(lab: Any) -> None:
    branch = await lab.backend()
    gone = lab.address()
    service = TeeService(name="catalog", listen=lab.address(), upstream=gone, mirrors=(mirror(branch),))
    plan = TeePlan(node_id="tee", environment="production", services=(service,))
    node = await lab.node(plan)
    answer = await lab.send(port_of(plan), GET)
    assert answer.status == 503
    assert not [name for name, _ in answer.headers if name.lower().startswith("x-")]
    assert node.envoy.process.returncode is None


async def test_websockets_pass_and_are_not_mirrored(lab: Any) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lab.read_head(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while data := await reader.read(100):
            writer.write(data.upper())
        writer.close()

    branch = await lab.backend()
    upstream = lab.address()
    server = await asyncio.start_server(echo, upstream.host, upstream.port)
    service = TeeService(name="catalog", listen=lab.address(), upstream=upstream, mirrors=(mirror(branch),))
    plan = TeePlan(node_id="tee", environment="production", services=(service,))
    node = await lab.node(plan)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(plan))
    writer.write(
        b"GET /chat HTTP/1.1\r\nHost: shop\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert (await lab.read_head(reader)).status == 101
    for word in (b"hello", b"again"):
        writer.write(word)
        assert await reader.readexactly(5) == word.upper()
    writer.close()
    server.close()
    assert branch.requests == []
    assert (await node.counters()).skipped["catalog"].upgrade == 1


async def test_a_preview_goes_to_the_overlay_and_is_never_mirrored(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    plan = tee(lab, baseline, mirror(branch), previews=(Preview(overlay="next", address=branch.address),))
    plan = dataclasses.replace(plan, environment_header="x-env")
    node = await lab.node(plan)
    for value in (b"next", b"unknown"):
        await lab.send(port_of(plan), b"GET / HTTP/1.1\r\nHost: shop\r\nX-Env: " + value + b"\r\n\r\n")
    await lab.send(port_of(plan), b"POST / HTTP/1.1\r\nHost: shop\r\nX-Env: next\r\nContent-Length: 0\r\n\r\n")
    await quiet(lab, node)
    await lab.eventually(lambda: len(branch.requests) == 3)
    assert [request["x-env"] for request in baseline.requests] == ["unknown"]
    assert sorted((request.method, request["x-env"]) for request in branch.requests) == [
        ("GET", "next"),
        ("GET", "unknown"),
        ("POST", "next"),
    ]
    assert (await node.counters()).mirrors[NEXT].mirrored == 1


async def test_envoy_ends_cleanly_with_copies_under_way(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend(reads=False)
    plan = tee(lab, baseline, mirror(branch))
    node = await lab.node(plan)
    await requests(lab, port_of(plan), GET, 400, at_once=100)
    assert (await node.counters()).mirrors[NEXT].active > 0
    assert await node.envoy.terminate() == 0


async def uptime_of(node: Any, least: int) -> bool:
    return (await node.counters()).uptime_s >= least


async def test_counters_are_absolute_and_a_restart_shows(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    plan = tee(lab, baseline, mirror(branch))
    node = await lab.node(plan)
    await requests(lab, port_of(plan), GET, 7)
    first = await quiet(lab, node)
    await asyncio.sleep(1.1)
    await node.apply(with_mirrors(plan, mirror(branch, timeout_ms=999)))
    await requests(lab, port_of(plan), GET, 3)
    second = await quiet(lab, node)
    assert (first.mirrors[NEXT].mirrored, second.mirrors[NEXT].mirrored) == (7, 10)
    await lab.eventually(lambda: uptime_of(node, first.uptime_s + 1))
    assert re.search("critical|error", node.envoy.log()) is None
