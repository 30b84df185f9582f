"""How much of the baseline a branch can use through a real Envoy, and what becomes of connections to a database."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from microstax.model.environment import Address
from microstax.model.plan import BridgePlan, BridgeService, TeePlan, TeeService

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]
GET = b"GET /prices HTTP/1.1\r\nHost: pricing\r\n\r\n"


def plan_of(*services: BridgeService) -> BridgePlan:
    return BridgePlan(node_id="bridge", overlay="next", baseline="production", services=services)


def database(lab: Any, upstream: Any, **options: Any) -> BridgeService:
    return BridgeService(name="db", listen=lab.address(), upstream=upstream.address, tcp=True, **options)


class Speaker:
    """A server that speaks first, as MySQL does, and then repeats what it hears."""

    def __init__(self, address: Address) -> None:
        self.address, self.connections = address, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError):
            writer.write(b"hello\n")
            while line := await reader.readline():
                writer.write(line)
        await close(writer)


@pytest.fixture
async def speaker(lab: Any) -> Any:
    made = Speaker(lab.address())
    async with await asyncio.start_server(made.serve, made.address.host, made.address.port):
        yield made


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def greeting(port: int) -> bytes:
    """Return what a server says first; nothing where the connection is closed."""
    reader, writer = await connect(port)
    try:
        async with asyncio.timeout(20):
            return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_more_calls_a_second_than_allowed_get_429_with_a_reason_and_are_counted(lab: Any) -> None:
    upstream = await lab.backend()
    service = BridgeService(name="pricing", listen=lab.address(), upstream=upstream.address, max_rps=5)
    node = await lab.node(plan_of(service))
    answers = [await lab.send(service.listen.port, GET) for _ in range(60)]
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {200, 429}
    told = json.loads(refused[0].body)
    assert told["error"] == "The overlay next may have at most 5 calls a second to pricing of the baseline production."
    assert "{limits: [{service: pricing, maxRps: 10}]}" in told["allow"]
    counted = (await node.counters()).bridges["pricing"]
    assert (counted.limited, counted.passed) == (len(refused), len(upstream.requests))
    assert dict(counted.passed_methods) == {"GET": len(upstream.requests)}


async def test_refused_calls_use_up_no_rate(lab: Any) -> None:
    upstream = await lab.backend()
    service = BridgeService(name="pricing", listen=lab.address(), upstream=upstream.address, max_rps=1)
    await lab.node(plan_of(service))
    post = b"POST / HTTP/1.1\r\nHost: pricing\r\nContent-Length: 0\r\n\r\n"
    assert {(await lab.send(service.listen.port, post)).status for _ in range(20)} == {403}
    assert (await lab.send(service.listen.port, GET)).status == 200


async def test_a_baseline_429_stays_its_own(lab: Any) -> None:
    upstream = await lab.backend(lambda _r: b"HTTP/1.1 429 Slow Down\r\nContent-Length: 4\r\n\r\nmine")
    service = BridgeService(name="pricing", listen=lab.address(), upstream=upstream.address)
    node = await lab.node(plan_of(service))
    assert (await lab.send(service.listen.port, GET)).body == b"mine"
    assert (await node.counters()).bridges["pricing"].limited == 0


async def test_a_service_that_hangs_costs_the_baseline_no_more_than_the_allowed_connections(lab: Any) -> None:
    hung = asyncio.Event()

    async def hang(_request: Any) -> bytes:
        await hung.wait()
        return lab.OK

    upstream = await lab.backend(hang)
    service = BridgeService(name="pricing", listen=lab.address(), upstream=upstream.address, max_concurrent=4)
    node = await lab.node(plan_of(service))
    calls = [asyncio.ensure_future(lab.send(service.listen.port, GET)) for _ in range(40)]
    await lab.eventually(lambda: sum(call.done() for call in calls) >= 32)
    assert upstream.connections <= 4
    told = json.loads(next(call.result().body for call in calls if call.done()))
    assert told["error"] == "The overlay next may have at most 4 calls to pricing of the baseline production under way."
    hung.set()
    answers = await asyncio.gather(*calls)
    counted = (await node.counters()).bridges["pricing"]
    assert counted.overflow == sum(answer.status == 503 for answer in answers)
    assert upstream.connections <= 4


async def test_connections_to_a_database_are_closed_at_once_unless_they_are_allowed(lab: Any, speaker: Any) -> None:
    refused = database(lab, speaker)
    node = await lab.node(plan_of(refused))
    assert [await greeting(refused.listen.port) for _ in range(3)] == [b"", b"", b""]
    assert speaker.connections == 0
    probes = 1  # that of the test's own, which waits for the listener
    counted = (await node.counters()).bridges["db"]
    assert dict(counted.blocked) == {"tcp": 3 + probes}
    assert (counted.passed, dict(counted.passed_methods)) == (0, {})


async def test_allowed_connections_pass_within_their_limits_and_are_counted(lab: Any, speaker: Any) -> None:
    allowed = database(lab, speaker, tcp_allowed=True, max_concurrent=2)
    node = await lab.node(plan_of(allowed))
    await lab.eventually(lambda: speaker.connections >= 1)  # the test's own probe
    before = speaker.connections
    held = [await connect(allowed.listen.port) for _ in range(2)]
    for reader, writer in held:
        assert await reader.readline() == b"hello\n"
        writer.write(b"ping\n")
        assert await reader.readline() == b"ping\n"
    assert await greeting(allowed.listen.port) == b""
    assert speaker.connections == before + 2
    for _, writer in held:
        await close(writer)
    counted = (await node.counters()).bridges["db"]
    assert (counted.passed, dict(counted.unsafe), counted.overflow) == (before + 2, {"tcp": before + 2}, 1)


async def test_new_connections_are_limited_a_second(lab: Any, speaker: Any) -> None:
    allowed = database(lab, speaker, tcp_allowed=True, max_rps=2)
    node = await lab.node(plan_of(allowed))
    heard = [await greeting(allowed.listen.port) for _ in range(30)]
    assert set(heard) == {b"", b"hello\n"}
    counted = (await node.counters()).bridges["db"]
    assert counted.limited == heard.count(b"")


async def test_a_tee_passes_a_database_on_as_it_is(lab: Any, speaker: Any) -> None:
    service = TeeService(name="db", listen=lab.address(), upstream=speaker.address, tcp=True)
    await lab.node(TeePlan(node_id="tee", environment="production", services=(service,)))
    reader, writer = await connect(service.listen.port)
    assert await reader.readline() == b"hello\n"
    writer.write(b"\x00\xff not HTTP\n")
    assert await reader.readline() == b"\x00\xff not HTTP\n"
    await close(writer)
