"""Requests and answers at the edges of the protocol: through the tee they are what they are without it."""

import asyncio
import socket
from typing import Any

import pytest
from matrix.answers import filler
from matrix.child import Child
from matrix.h1_client import check
from matrix.h2_client import Client

from microstax.model.exchange import Side
from microstax.model.plan import Mirror, TeePlan, TeeService

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT")
UPLOAD = 600_000


def tee(lab: Any, baseline: Any, branch: Any) -> TeePlan:
    mirror = Mirror(
        overlay="next",
        side=Side.BRANCH,
        address=branch.address,
        ppm=1_000_000,
        methods=METHODS,
        max_body_bytes=1024 * 1024,
    )
    service = TeeService(name="shop", listen=lab.address(), upstream=baseline.address, mirrors=(mirror,))
    return TeePlan(node_id="tee", environment="production", services=(service,))


async def port_of(lab: Any, baseline: Any, branch: Any) -> int:
    plan = tee(lab, baseline, branch)
    await lab.node(plan)
    return int(plan.services[0].listen.port)


async def test_large_response_headers_pass(lab: Any) -> None:
    large = b"".join(b"x-large-%d: %s\r\n" % (nth, b"v" * 1000) for nth in range(200))
    baseline = await lab.backend(lambda _r: b"HTTP/1.1 200 OK\r\n" + large + b"content-length: 2\r\n\r\nok")
    port = await port_of(lab, baseline, await lab.backend())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(b"GET /items HTTP/1.1\r\nHost: shop\r\n\r\n")
    response = await lab.read_head(reader)
    writer.close()
    assert (response.status, response["x-large-199"]) == (200, "v" * 1000)


async def test_a_baseline_that_closes_idle_connections_costs_no_request(lab: Any) -> None:
    """Application servers close idle connections after a time of their own; two seconds is the shortest usual one."""
    closed: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout(2.0):
                        await reader.readuntil(b"\r\n\r\n")
                except TimeoutError:
                    closed.append(1)
                    break
                writer.write(lab.OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    backend = lab.Backend(port=server.sockets[0].getsockname()[1])
    port = await port_of(lab, backend, await lab.backend())
    ask = b"GET /items HTTP/1.1\r\nHost: shop\r\n\r\n"

    async def user(pause_s: float) -> list[int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        seen = []
        for _ in range(4):
            writer.write(ask)
            head = await lab.read_head(reader)
            await reader.readexactly(int(head["content-length"]))
            seen.append(head.status)
            await asyncio.sleep(pause_s)
        writer.close()
        return seen

    found = await asyncio.gather(*(user(1.99 + 0.0005 * nth) for nth in range(60)))
    server.close()
    assert {status for seen in found for status in seen} == {200}


async def test_an_answer_before_the_upload_ends_reaches_the_client(lab: Any) -> None:
    """413 at once, and then the connection closes: the copy of the upload has no say in it."""
    said = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno!"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    backend = lab.Backend(port=server.sockets[0].getsockname()[1])
    port = await port_of(lab, backend, await lab.backend())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /items HTTP/1.1\r\nHost: shop\r\nContent-Length: {UPLOAD}\r\n\r\n"
    writer.write(head.encode() + bytes(UPLOAD // 2))
    async with asyncio.timeout(10):
        answered = await lab.read_head(reader)
        body = await reader.readexactly(3)
    writer.close()
    server.close()
    assert (answered.status, body) == (413, b"no!")


async def test_an_upload_that_is_reset_by_its_client_harms_no_other(lab: Any) -> None:
    baseline, branch = await lab.start(lab.H2Backend()), await lab.start(lab.H2Backend())
    port = await port_of(lab, baseline, branch)
    headers = [(":method", "POST"), (":scheme", "http"), (":authority", "shop"), (":path", "/items")]
    whole = [lab.send_h2(port, headers, b"b" * 20_000, [("x-end", "1")]) for _ in range(10)]

    async def give_up() -> None:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"POST /items HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000))
            await asyncio.sleep(0.05)

    *streams, _, _ = await asyncio.gather(*whole, give_up(), give_up())
    assert {stream["\u200b:status".strip("\u200b")] for stream in streams} == {"200"}
    await lab.eventually(lambda: len([one for one in branch.requests if one.ended.is_set()]) >= 10)
    assert all(one.trailers == [("x-end", "1")] for one in baseline.requests if one.ended.is_set() and one.trailers)


async def test_many_large_http2_uploads_do_not_wait_for_a_branch_that_never_reads(lab: Any) -> None:
    """Their copies share connections inside of the tee, and each of them may be as large as a copy can be."""
    body, each, connections = filler("payload", 1024 * 1024), 30, 3
    async with Child("matrix.server", port := lab.free_port()) as server:
        await server.heard()
        tee_port = await port_of(lab, lab.Backend(port=port), await lab.backend(reads=False))

        async def user() -> None:
            async with Client.open(tee_port) as client:
                length = [("content-length", str(len(body)))]
                numbers = [client.begin("POST", f"/upload/n{nth}", length, body=True) for nth in range(each)]
                await asyncio.gather(*(client.send(number, body) for number in numbers))
                for nth, number in enumerate(numbers):
                    check("POST", f"/upload/n{nth}", length, len(body), await client.response(number))

        async with asyncio.timeout(40):
            await asyncio.gather(*(user() for _ in range(connections)))
