"""Mismatches that are asked again: of real servers, by a worker between a scripted Envoy and a control plane."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from worker_harness import ControlPlane, WorkerProcess, until

from microstax.diff.aggregate import ServiceAggregate
from microstax.generated.management.microstax.management.v1 import Target
from microstax.model.exchange import Side
from microstax.testing import ScriptedTap, a_request, a_response, an_exchange, tap_trace

SECRETS = ("s3cr3t-bearer", "s3cr3t-query", "s3cr3t-cookie", "s3cr3t-fresh")
SENT = (("authorization", "Bearer s3cr3t-bearer"), ("cookie", "sid=s3cr3t-cookie"), ("x-tenant", "7"))


@dataclass
class Server:
    """A service on a port of its own: `answer` is its document; what it was asked stands in `requests`."""

    answer: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    broken: bool = False
    requests: list[web.Request] = field(default_factory=list)
    address: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.hang:
            await self.over.wait()
        if self.broken:
            response = web.StreamResponse(headers={"content-length": "100"})
            await response.prepare(request)
            await response.write(b"{")
            assert request.transport is not None
            request.transport.abort()
            return response
        return web.json_response(self.answer, status=self.status, headers=self.headers)


StartServer = Callable[..., Awaitable[Server]]


@pytest.fixture
async def serve() -> AsyncIterator[StartServer]:
    runners: list[web.ServerRunner] = []
    servers: list[Server] = []

    async def start(answer: Any = None, **fields: Any) -> Server:
        made = Server(answer, **fields)
        runner = web.ServerRunner(web.Server(made.handle), shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        servers.append(made)
        made.address = "{}:{}".format(*runner.addresses[0])
        return made

    yield start
    for made in servers:
        made.over.set()
    for runner in runners:
        await runner.cleanup()


class Shop:
    """Three sides that answer alike by now, and the tap of the Envoy before them."""

    def __init__(self, tap: ScriptedTap, control: ControlPlane, sides: dict[Side, Server]) -> None:
        self.tap, self.control, self.sides = tap, control, sides

    def aim(self, target: Target, *, rps: int = 50) -> None:
        shadow = target.shadows[0]
        shadow.recheck_rps = rps
        shadow.control = "copy" if Side.CONTROL in self.sides else "none"
        shadow.baseline_address = self.sides[Side.BASELINE].address
        shadow.branch_address = self.sides[Side.BRANCH].address
        shadow.control_address = self.sides[Side.CONTROL].address if Side.CONTROL in self.sides else ""
        self.control.aim(target)

    def see(self, *names: str, method: str = "GET", **answers: Any) -> None:
        """Let the tap see requests that were answered with `answers`, by side."""
        now_us = time.time_ns() // 1000
        request = a_request("/stock?token=s3cr3t-query", method=method, headers=SENT)
        traces: list[bytes] = []
        for name, side in itertools.product(names, self.sides):
            response = a_response(json.dumps(answers.get(side.value, {"n": 1})).encode())
            traces.append(tap_trace(an_exchange(side, id=name, request=request, response=response, started_us=now_us)))
        self.tap.send(*traces)

    @property
    def rechecks(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for delta in self.control.deltas:
            for service in delta.services:
                for name, count in service.rechecks.items():
                    found[name] = found.get(name, 0) + count
        return found

    @property
    def differing(self) -> int:
        """How many pairs count as different in the branch alone, or at all where there is no control."""
        merged = ServiceAggregate.empty()
        for delta in self.control.deltas:
            for service in delta.services:
                if service.aggregate:
                    merged.merge(ServiceAggregate.from_bytes(service.aggregate))
        tallies = [tally for endpoint in merged.endpoints.values() for tally in endpoint.tallies.values()]
        return max((tally.branch_only + tally.alone for tally in tallies), default=0)

    def asked(self, side: Side) -> int:
        return len(self.sides[side].requests)


@pytest.fixture
async def shop(serve: StartServer, tap: ScriptedTap, control: ControlPlane, worker: WorkerProcess) -> Shop:
    assert worker.process.pid
    return Shop(tap, control, {side: await serve({"n": 1}) for side in (Side.BASELINE, Side.BRANCH, Side.CONTROL)})


async def test_what_comes_back_counts_and_the_rest_vanishes(shop: Shop, target: Target) -> None:
    shop.aim(target)
    shop.see("race", branch={"n": 2})
    shop.see("noise of the control", control={"n": 2})
    shop.see("equal")
    await shop.control.until_paired(3)
    assert shop.rechecks == {"asked": 2, "vanished": 2}
    assert shop.differing == 0
    shop.sides[Side.BRANCH].answer = {"n": "1"}
    shop.see("bug", branch={"n": "1"})
    await shop.control.until_paired(4)
    assert shop.rechecks == {"asked": 3, "vanished": 2, "persisted": 1}
    assert shop.differing == 1
    assert [shop.asked(side) for side in shop.sides] == [3, 3, 3]


async def test_the_request_goes_out_as_it_came_and_no_secret_leaves_the_worker(
    shop: Shop, target: Target, worker: WorkerProcess
) -> None:
    target.redaction = b""
    for server in shop.sides.values():
        server.headers = {"set-cookie": "sid=s3cr3t-fresh"}
    shop.sides[Side.BRANCH].answer = {"n": 2}
    shop.aim(target)
    shop.see("bug", branch={"n": 2})
    await shop.control.until_paired(1)
    await worker.end()
    assert shop.rechecks == {"asked": 1, "persisted": 1}
    for server in shop.sides.values():
        (request,) = server.requests
        assert request.raw_path == "/stock?token=s3cr3t-query"
        assert [(name.lower(), value) for name, value in request.headers.items()] == [
            ("host", "catalog:8080"),
            *SENT,
        ]
    # The query is not named by any rule here, so a pair that is shown has it; credentials and cookies never do.
    sent = b"".join(map(bytes, shop.control.deltas))
    assert not [secret for secret in SECRETS if secret.encode() in sent and secret != "s3cr3t-query"]
    assert not [secret for secret in SECRETS if secret in worker.log]


@pytest.mark.parametrize("trouble", ["dead", "broken", "large"])
async def test_a_side_that_does_not_answer_leaves_the_pair_as_it_was(shop: Shop, target: Target, trouble: str) -> None:
    branch = shop.sides[Side.BRANCH]
    branch.broken = trouble == "broken"
    branch.answer = {"n": "x" * 2_000_000} if trouble == "large" else branch.answer
    if trouble == "dead":
        branch.address = "127.0.0.1:1"
    shop.aim(target)
    shop.see("race", branch={"n": 2})
    await shop.control.until_paired(1)
    assert shop.rechecks == {"asked": 1, "failed": 1}
    assert shop.differing == 1


async def test_a_side_that_hangs_costs_its_time_and_holds_up_no_equal_pair(shop: Shop, target: Target) -> None:
    shop.sides[Side.CONTROL].hang = True
    shop.aim(target)
    shop.see("race", branch={"n": 2})
    await until(lambda: shop.asked(Side.CONTROL) == 1)
    shop.see(*(f"equal-{number}" for number in range(20)))
    await shop.control.until_paired(20)
    assert shop.rechecks == {}
    await shop.control.until_paired(21)
    assert shop.rechecks == {"asked": 1, "failed": 1}


async def test_a_redirect_is_an_answer(shop: Shop, target: Target) -> None:
    shop.sides[Side.BRANCH].status = 302
    shop.sides[Side.BRANCH].headers = {"location": f"http://{shop.sides[Side.BASELINE].address}/elsewhere"}
    shop.aim(target)
    shop.see("moved", branch={"n": 2})
    await shop.control.until_paired(1)
    assert shop.rechecks == {"asked": 1, "vanished": 1}  # the value that differed did not come back
    assert shop.asked(Side.BASELINE) == 1


async def test_unsafe_requests_are_never_asked_again(shop: Shop, target: Target) -> None:
    shop.aim(target)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        shop.see(method, method=method, branch={"n": 2})
    shop.see("OPTIONS", method="OPTIONS", branch={"n": 2})
    await shop.control.until_paired(5)
    assert shop.rechecks == {"asked": 1, "vanished": 1}
    assert {request.method for server in shop.sides.values() for request in server.requests} == {"OPTIONS"}


async def test_the_budget_holds_and_every_mismatch_is_accounted_for(shop: Shop, target: Target) -> None:
    shop.aim(target, rps=2)
    shop.see(*(f"race-{number}" for number in range(100)), branch={"n": 2})
    await shop.control.until_paired(100)
    found = shop.rechecks
    assert found["asked"] == found["vanished"] == shop.asked(Side.BASELINE)
    assert 2 <= found["asked"] <= 12  # two a second, for as long as any may wait
    assert found["asked"] + found["over_budget"] == 100
    assert shop.differing == found["over_budget"]


async def test_without_a_control_two_sides_are_asked(shop: Shop, target: Target) -> None:
    del shop.sides[Side.CONTROL]
    shop.aim(target)
    shop.see("race", branch={"n": 2})
    await shop.control.until_paired(1)
    assert shop.rechecks == {"asked": 1, "vanished": 1}
    assert shop.differing == 0


async def test_an_end_counts_what_waits_and_what_is_under_way(
    shop: Shop, target: Target, worker: WorkerProcess
) -> None:
    for server in shop.sides.values():
        server.hang = True
    shop.aim(target)
    shop.see(*(f"race-{number}" for number in range(10)), branch={"n": 2})
    await until(lambda: shop.asked(Side.BRANCH) == 2)
    assert await worker.end() == 0
    assert shop.control.paired == 10
    assert shop.rechecks == {"asked": 2, "failed": 2, "over_budget": 8}
    assert shop.differing == 10
    assert "Traceback" not in worker.log
    assert "exception" not in worker.log.lower()


async def test_a_shadow_that_asks_no_more_counts_what_waits(shop: Shop, target: Target) -> None:
    for server in shop.sides.values():
        server.hang = True
    shop.aim(target)
    shop.see(*(f"race-{number}" for number in range(5)), branch={"n": 2})
    await until(lambda: shop.asked(Side.BRANCH) == 2)
    target.shadows[0].recheck_rps = 0
    shop.control.aim(target)
    await shop.control.until_paired(5)
    assert shop.rechecks == {"asked": 2, "failed": 2, "over_budget": 3}


async def test_what_copies_lacked_is_lacking_when_they_are_asked_again(shop: Shop, target: Target) -> None:
    """Else a branch that answers 401 without credentials would be asked another question than the first time."""
    target.shadows[0].strip_headers = ["authorization", "cookie"]
    shop.sides[Side.BRANCH].answer = {"n": 2}
    shop.aim(target)
    shop.see("bug", branch={"n": 2})
    await shop.control.until_paired(1)
    sent = {side: {name.lower() for name in server.requests[0].headers} for side, server in shop.sides.items()}
    assert sent[Side.BASELINE] == {"host", "authorization", "cookie", "x-tenant"}
    assert sent[Side.BRANCH] == sent[Side.CONTROL] == {"host", "x-tenant"}
