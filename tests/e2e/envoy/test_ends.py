"""What a real Envoy does at a shadow's end, and to the headers that its copies are to lack."""

import asyncio
import contextlib
import dataclasses
import json
import time
from typing import Any

import aiohttp
import pytest

from microstax.envoy import names
from microstax.model.exchange import Side
from microstax.model.plan import Mirror, TeePlan, TeeService
from microstax.xds.type_urls import RUNTIME

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]

GET = b"GET /items HTTP/1.1\r\nHost: shop\r\n\r\n"
METHODS = ("GET", "HEAD", "OPTIONS")
EVERYTHING = 1_000_000
SOON_S = 8
"""Long enough for what has to happen before the end, also on a machine that is very busy."""


def tee(lab: Any, baseline: Any, *mirrors: Mirror, **options: Any) -> TeePlan:
    service = TeeService(name="catalog", listen=lab.address(), upstream=baseline.address, mirrors=mirrors)
    return TeePlan(node_id="tee", environment="production", services=(service,), **options)


def in_ms(seconds: float) -> int:
    return round((time.time() + seconds) * 1000)


class Users:
    """Somebody who asks all the time, and is answered all the time."""

    def __init__(self, lab: Any, port: int) -> None:
        self.lab, self.port, self.answers, self.asking = lab, port, 0, asyncio.Event()

    async def __aenter__(self) -> "Users":
        self.task = asyncio.ensure_future(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.asking.set()
        await self.task

    async def _ask(self) -> None:
        while not self.asking.is_set():
            assert (await self.lab.send(self.port, GET)).status == 200
            self.answers += 1
            await asyncio.sleep(0.005)


async def stands_still(users: Users, branch: Any) -> None:
    """Wait until so many requests in a row were answered without a copy that mirroring must be over."""
    async with asyncio.timeout(40):
        copies, answers = len(branch.requests), users.answers
        while users.answers < answers + 100:
            await asyncio.sleep(0.02)
            if len(branch.requests) > copies:
                copies, answers = len(branch.requests), users.answers


@pytest.mark.parametrize("delta", [True, False], ids=["delta", "sotw"])
async def test_mirroring_goes_on_without_a_control_plane_and_ends_at_its_time(lab: Any, *, delta: bool) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    mirror = Mirror(overlay="next", side=Side.BRANCH, address=branch.address, ppm=EVERYTHING, methods=METHODS)
    plan = tee(lab, baseline, mirror)
    node = await lab.node(plan, delta=delta)
    end_ms = in_ms(SOON_S)
    await node.apply(dataclasses.replace(plan, mirrors_until_ms=end_ms))
    async with Users(lab, plan.services[0].listen.port) as users:
        await lab.eventually(lambda: len(branch.requests) >= 20)
        await node.lose_server()
        before = len(branch.requests)
        await lab.eventually(lambda: len(branch.requests) >= before + 20)
        await stands_still(users, branch)
        assert time.time() * 1000 >= end_ms
    assert names.fraction_key("catalog", Side.BRANCH, "next") not in await node.envoy.text("/runtime")
    assert users.answers == len(baseline.requests)


@pytest.mark.parametrize("delta", [True, False], ids=["delta", "sotw"])
async def test_no_other_change_moves_the_end(lab: Any, *, delta: bool) -> None:
    """Envoy is told once how much remains; a push of anything else, and a new stream, leave that as it is."""
    baseline, branch = await lab.backend(), await lab.backend()
    mirror = Mirror(overlay="next", side=Side.BRANCH, address=branch.address, ppm=EVERYTHING, methods=METHODS)
    node = await lab.node(plan := tee(lab, baseline, mirror), delta=delta)
    end_ms = in_ms(SOON_S)
    async with Users(lab, plan.services[0].listen.port) as users:
        for share in (400_000, 600_000, EVERYTHING):
            turned = dataclasses.replace(plan.services[0], mirrors=(dataclasses.replace(mirror, ppm=share),))
            await node.apply(dataclasses.replace(plan, services=(turned,), mirrors_until_ms=end_ms))
        await lab.eventually(lambda: len(branch.requests) >= 20)
        await node.lose_server()
        await stands_still(users, branch)
        assert end_ms <= time.time() * 1000


async def test_a_renewed_end_is_envoys_and_a_taken_one_too(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    mirror = Mirror(overlay="next", side=Side.BRANCH, address=branch.address, ppm=EVERYTHING, methods=METHODS)
    plan = tee(lab, baseline, mirror, mirrors_until_ms=in_ms(2))
    node = await lab.node(plan)
    later = dataclasses.replace(plan, mirrors_until_ms=in_ms(3600))
    never = dataclasses.replace(plan, mirrors_until_ms=0)
    async with Users(lab, plan.services[0].listen.port):
        for renewed in (later, never):
            await node.apply(renewed)
            await asyncio.sleep(max(0.0, plan.mirrors_until_ms / 1000 - time.time()) + 0.2)
            before = len(branch.requests)
            await lab.eventually(lambda before=before: len(branch.requests) >= before + 20)


async def test_a_server_that_is_there_and_slow_to_say_so_changes_nothing(lab: Any) -> None:
    """The end comes in Envoy and at the server at one time; both agree afterwards, and the next share is taken."""
    baseline, branch = await lab.backend(), await lab.backend()
    mirror = Mirror(overlay="next", side=Side.BRANCH, address=branch.address, ppm=EVERYTHING, methods=METHODS)
    plan = tee(lab, baseline, mirror, mirrors_until_ms=in_ms(2))
    node = await lab.node(plan)
    async with Users(lab, plan.services[0].listen.port) as users:
        await stands_still(users, branch)
        status = await node.xds.wait_applied("tee", 20)
        assert status.nack is None
        assert RUNTIME in {one.type_url for one in status.types}
        await node.apply(dataclasses.replace(plan, mirrors_until_ms=in_ms(3600)))
        before = len(branch.requests)
        await lab.eventually(lambda: len(branch.requests) >= before + 20)


async def test_an_envoy_that_starts_without_a_control_plane_serves_nothing_until_it_is_back(lab: Any) -> None:
    """It has no listener then: all that it knows comes from there. It waits, and does not give up."""
    baseline, branch = await lab.backend(), await lab.backend()
    mirror = Mirror(overlay="next", side=Side.BRANCH, address=branch.address, ppm=EVERYTHING, methods=METHODS)
    node = await lab.node(plan := tee(lab, baseline, mirror, mirrors_until_ms=in_ms(3600)))
    port = plan.services[0].listen.port
    await node.lose_server()
    await lab.restarted(node, plan)

    async def answers() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            return bool(json.loads(await node.envoy.text("/server_info"))["state"])
        return False

    await lab.eventually(answers)
    for _ in range(20):
        with pytest.raises(ConnectionRefusedError):
            await lab.send(port, GET)
        await asyncio.sleep(0.02)
    assert (baseline.requests, branch.requests) == ([], [])
    await node.regain_server(lab.stack)
    await node.xds.wait_applied("tee", 20)

    async def served() -> bool:
        with contextlib.suppress(ConnectionError):
            return (await lab.send(port, GET)).status == 200
        return False

    await lab.eventually(served)
    assert (await lab.send(port, GET)).status == 200
    await lab.eventually(lambda: branch.requests)


SECRET = (
    b"GET /items?x=1 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer canary\r\nCookie: a=1\r\nCOOKIE: b=2\r\n"
    b"X-Forwarded-For: 10.0.0.1\r\nX-Kept: yes\r\n\r\n"
)


async def test_copies_lack_what_was_stripped_and_the_baseline_has_it(lab: Any) -> None:
    baseline, branch, control = await lab.backend(), await lab.backend(), await lab.backend()
    mirrors = [
        Mirror(
            overlay="next",
            side=side,
            address=to.address,
            ppm=EVERYTHING,
            methods=METHODS,
            strip_headers=("authorization", "cookie", "x-forwarded-for"),
        )
        for side, to in ((Side.BRANCH, branch), (Side.CONTROL, control))
    ]
    node = await lab.node(plan := tee(lab, baseline, *mirrors))
    async with node.tapped() as tap:
        for _ in range(10):
            assert (await lab.send(plan.services[0].listen.port, SECRET)).status == 200
        await lab.eventually(lambda: len(branch.requests) == len(control.requests) == 10)
    assert sorted(map(len, tap.by_id().values())) == [3] * 10
    for request in baseline.requests:
        assert request["authorization"] == "Bearer canary"
        assert request["cookie"] in ("a=1, b=2", "a=1; b=2")
        assert request["x-forwarded-for"] == "10.0.0.1"
    for request in (*branch.requests, *control.requests):
        assert {"authorization", "cookie", "x-forwarded-for"}.isdisjoint(key.lower() for key, _ in request.headers)
        assert (request["x-kept"], request["host"]) == ("yes", "shop")


async def test_copies_of_http2_requests_lack_it_too(lab: Any) -> None:
    baseline, branch = await lab.start(lab.H2Backend()), await lab.start(lab.H2Backend())
    mirror = Mirror(
        overlay="next", side=Side.BRANCH, address=branch.address, ppm=EVERYTHING, methods=METHODS,
        strip_headers=("authorization", "cookie"),
    )  # fmt: skip
    node = await lab.node(plan := tee(lab, baseline, mirror))
    sent = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "shop")]
    sent += [("authorization", "Bearer canary"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-kept", "yes")]
    async with node.tapped() as tap:
        await lab.send_h2(plan.services[0].listen.port, sent)
        await lab.eventually(lambda: branch.requests)
    assert sorted(map(len, tap.by_id().values())) == [2]
    assert baseline.requests[0]["authorization"] == "Bearer canary"
    assert "a=1" in baseline.requests[0]["cookie"]
    assert (branch.requests[0]["authorization"], branch.requests[0]["cookie"]) == ("", "")
    assert branch.requests[0]["x-kept"] == "yes"
