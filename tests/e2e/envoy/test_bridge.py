"""What a bridge lets pass on a real Envoy, and what it stops."""

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from microstax.model.plan import BridgePlan, BridgeService

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]


def bridge(lab: Any, upstream: Any, allowed: tuple[str, ...] = (), **options: Any) -> BridgePlan:
    service = BridgeService(
        name="pricing", listen=lab.address(), upstream=upstream.address, allowed_methods=allowed, **options
    )
    return BridgePlan(node_id="bridge", overlay="next", baseline="production", services=(service,))


def port_of(plan: BridgePlan) -> int:
    return plan.services[0].listen.port


def call(method: str, *headers: str) -> bytes:
    lines = [f"{method} /prices HTTP/1.1", "Host: pricing", "Content-Length: 0", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_safe_calls_pass_and_the_rest_is_refused_with_a_reason_and_counted(lab: Any) -> None:
    upstream = await lab.backend()
    plan = bridge(lab, upstream)
    node = await lab.node(plan)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert (await lab.send(port_of(plan), call(method, "X-Microstax-Exchange: forged"))).status == 200
    refused = [await lab.send(port_of(plan), call(method)) for method in ("POST", "POST", "PUT", "DELETE", "TRACE")]
    assert {answer.status for answer in refused} == {403}
    told = json.loads(refused[0].body)
    assert refused[0]["content-type"] == "application/json"
    assert (told["service"], told["method"]) == ("pricing", "POST")
    assert told["error"] == (
        "The overlay next may not send POST to pricing of the baseline production: "
        "it could change what production sees."
    )
    assert "{service: pricing, methods: [POST]}" in told["allow"]
    assert [request.method for request in upstream.requests] == ["GET", "HEAD", "OPTIONS"]
    assert not [request for request in upstream.requests if "x-microstax-exchange" in request]
    counted = (await node.counters()).bridges["pricing"]
    assert counted.passed == 3
    assert dict(counted.blocked) == {"POST": 2, "PUT": 1, "DELETE": 1, "other": 1}


async def test_upgrades_and_connect_are_refused(lab: Any) -> None:
    upstream = await lab.backend()
    plan = bridge(lab, upstream, ("POST",))
    node = await lab.node(plan)
    upgrade = call("GET", "Connection: Upgrade", "Upgrade: websocket")
    assert (await lab.send(port_of(plan), upgrade)).status == 403
    tunnel = b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n"
    assert (await lab.send(port_of(plan), tunnel)).status in (403, 404)
    assert upstream.requests == []
    assert sum((await node.counters()).bridges["pricing"].blocked.values()) == 2


async def test_what_the_overlay_allows_passes_and_a_403_of_the_baseline_stays_its_own(lab: Any) -> None:
    upstream = await lab.backend(lambda _r: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    plan = bridge(lab, upstream, ("POST", "PURGE"))
    node = await lab.node(plan)
    updates = await node.envoy.stat("listener_manager.lds.update_success")
    answer = await lab.send(port_of(plan), call("POST"))
    assert (answer.status, answer.body) == (403, b"no")
    assert (await lab.send(port_of(plan), call("PUT"))).body != b"no"
    stricter = dataclasses.replace(plan.services[0], allowed_methods=())
    await node.apply(dataclasses.replace(plan, services=(stricter,)))
    assert (await lab.send(port_of(plan), call("POST"))).body != b"no"
    assert [request.method for request in upstream.requests] == ["POST"]
    assert await node.envoy.stat("listener_manager.lds.update_success") == updates


async def test_a_branch_cannot_overload_what_it_depends_on(lab: Any) -> None:
    async def slow(_request: Any) -> bytes:
        await asyncio.sleep(0.5)
        return lab.OK

    upstream = await lab.backend(slow)
    plan = bridge(lab, upstream, max_concurrent=3)
    node = await lab.node(plan)
    answers = await asyncio.gather(*(lab.send(port_of(plan), call("GET")) for _ in range(30)))
    statuses = [answer.status for answer in answers]
    assert upstream.connections <= 3
    assert set(statuses) == {200, 503}
    counted = (await node.counters()).bridges["pricing"]
    assert counted.overflow == statuses.count(503)
    assert counted.passed == statuses.count(200)


async def test_grpc_is_refused_and_allowed_over_http2(lab: Any) -> None:
    upstream = await lab.start(lab.H2Backend())
    plan = bridge(lab, upstream)
    node = await lab.node(plan)
    headers = [
        (":method", "POST"),
        (":path", "/a.B/C"),
        (":scheme", "http"),
        (":authority", "pricing"),
        ("te", "trailers"),
    ]
    assert (await lab.send_h2(port_of(plan), headers, b"x"))[":status"] == "403"
    allowing = dataclasses.replace(plan.services[0], allowed_methods=("POST",))
    await node.apply(dataclasses.replace(plan, services=(allowing,)))
    assert (await lab.send_h2(port_of(plan), headers, b"x")).body == b"ok"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("delta", [True, False])
async def test_a_bridge_starts_by_either_variant_of_xds_and_keeps_its_admin_socket_to_itself(
    lab: Any, *, delta: bool
) -> None:
    upstream = await lab.backend()
    plan = bridge(lab, upstream)
    node = await lab.node(plan, delta=delta)
    assert (await lab.send(port_of(plan), call("GET"))).status == 200
    assert (node.envoy.folder / "admin.sock").stat().st_mode & 0o777 == 0o600
