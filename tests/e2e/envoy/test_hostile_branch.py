"""A branch that tries hard to change something on the baseline, against a server that is easily fooled.

Whatever is sent to the bridge, the baseline's service must see safe requests alone, and nothing in them that it could
take for another request. The server here is the worst case: it reads no body of a safe request, so whatever follows the
headers is its next request.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from microstax.model.environment import Address
from microstax.model.plan import BridgePlan, BridgeService

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]
EVIL = b"POST /evil HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVIL), EVIL)


@dataclass
class Gullible:
    """An HTTP/1.1 server that takes each line behind a safe request's headers for the next request."""

    address: Address
    seen: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while line := await reader.readline():
                if line.strip():
                    await self._answer(line, reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.append(line.decode("latin-1").strip())
        length = 0
        while (header := await reader.readline()).strip():
            name, _, value = header.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
        if not line.startswith((b"GET", b"HEAD", b"OPTIONS")):
            await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


@pytest.fixture
async def gullible(lab: Any) -> AsyncIterator[Gullible]:
    one = Gullible(lab.address())
    async with await asyncio.start_server(one.serve, one.address.host, one.address.port):
        yield one


def get(*headers: bytes, body: bytes = b"", line: bytes = b"GET /fine HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: a", *headers, b"", b""]) + body


LENGTH = b"Content-Length: %d" % len(EVIL)
CLEVER = b"A: b\r\n\r\n" + 2 * EVIL
"""A body of which a chunk's length is a request line and its beginning that request's headers."""
ATTACKS: dict[str, tuple[bytes, dict[str, int]]] = {
    # Another method than it looks like.
    "post": (EVIL, {"POST": 1}),
    "put": (get(line=b"PUT /evil HTTP/1.1"), {"PUT": 1}),
    "patch": (get(line=b"PATCH /evil HTTP/1.1"), {"PATCH": 1}),
    "delete": (get(line=b"DELETE /evil HTTP/1.1"), {"DELETE": 1}),
    "trace": (get(line=b"TRACE /evil HTTP/1.1"), {"other": 1}),
    "propfind": (get(line=b"PROPFIND /evil HTTP/1.1"), {"other": 1}),
    "lower case": (get(line=b"post /evil HTTP/1.1"), {}),
    "mixed case": (get(line=b"gET /evil HTTP/1.1"), {}),
    "unknown method": (get(line=b"EVIL /evil HTTP/1.1"), {}),
    "two blanks": (get(line=b"POST  /evil HTTP/1.1"), {"POST": 1}),
    "tab": (get(line=b"GET\tPOST /evil HTTP/1.1"), {}),
    "leading blank": (get(line=b" POST /evil HTTP/1.1"), {}),
    "http/1.0": (get(line=b"POST /evil HTTP/1.0"), {"POST": 1}),
    "http/0.9": (b"POST /evil\r\n\r\n", {"POST": 1}),
    "http/9": (get(line=b"POST /evil HTTP/9.9"), {"POST": 1}),
    "two lines in one": (get(line=b"GET /fine HTTP/1.1 POST /evil HTTP/1.1"), {}),
    "line feeds only": (b"POST /evil HTTP/1.1\nHost: a\nContent-Length: 0\n\n", {"POST": 1}),
    # A method that a header or a parameter asks for.
    "override": (get(b"X-HTTP-Method-Override: DELETE"), {"override": 1}),
    "override, underscores": (get(b"X_HTTP_METHOD_OVERRIDE: DELETE"), {"override": 1}),
    "override, short": (get(b"x-method-override: put"), {"override": 1}),
    "override, microsoft": (get(b"X-HTTP-Method: MERGE"), {"override": 1}),
    "override, twice": (get(b"X-HTTP-Method-Override: GET", b"X-HTTP-Method-Override: DELETE"), {"override": 1}),
    "override, a list": (get(b"X-HTTP-Method-Override: GET, DELETE"), {"override": 1}),
    "override, parameter": (get(line=b"GET /fine?_method=DELETE HTTP/1.1"), {"override": 1}),
    "override, encoded": (get(line=b"GET /fine?a=1&%5Fmetho%64=DELETE HTTP/1.1"), {"override": 1}),
    # A second request behind the first.
    "pipelined": (get() + EVIL, {"POST": 1}),
    "body": (get(LENGTH, body=EVIL), {"body": 1}),
    "body of head": (get(LENGTH, body=EVIL, line=b"HEAD /fine HTTP/1.1"), {"body": 1}),
    "body of options": (get(LENGTH, body=EVIL, line=b"OPTIONS /fine HTTP/1.1"), {"body": 1}),
    "body, expected": (get(LENGTH, b"Expect: 100-continue", body=EVIL), {"body": 1}),
    "body, http/1.0": (get(LENGTH, b"Connection: keep-alive", body=EVIL, line=b"GET /fine HTTP/1.0"), {"body": 1}),
    "body, its length hidden": (get(LENGTH, b"Connection: Content-Length", body=EVIL), {"body": 1}),
    "body, zeros": (get(b"Content-Length: 00%d" % len(EVIL), body=EVIL), {"body": 1}),
    "body, hidden and clever": (
        get(b"Content-Length: %d" % len(CLEVER), b"Connection: Content-Length", body=CLEVER),
        {"body": 1},
    ),
    "chunked": (get(b"Transfer-Encoding: chunked", body=CHUNK), {"body": 1}),
    "chunked, hidden": (get(b"Transfer-Encoding: chunked", b"Connection: Transfer-Encoding", body=CHUNK), {"body": 1}),
    "chunked, mark forged": (get(b"Transfer-Encoding: chunked", b"X-Microstax-Chunked:", body=CHUNK), {"body": 1}),
    "chunk extension": (get(b"Transfer-Encoding: chunked", body=b"1;a=\rb\r\nx\r\n0\r\n\r\n" + EVIL), {"body": 1}),
    "cl.te": (get(LENGTH, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + EVIL), {}),
    "te.cl": (get(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=CHUNK), {}),
    "te.te": (get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", body=b"0\r\n\r\n" + EVIL), {}),
    "xchunked": (get(b"Transfer-Encoding: xchunked", LENGTH, body=EVIL), {}),
    "vertical tab chunked": (get(b"Transfer-Encoding:\x0bchunked", LENGTH, body=EVIL), {}),
    "identity": (get(b"Transfer-Encoding: identity", LENGTH, body=EVIL), {}),
    "two lengths": (get(b"Content-Length: 0", LENGTH, body=EVIL), {}),
    "a list of lengths": (get(b"Content-Length: 0, %d" % len(EVIL), body=EVIL), {}),
    "signed length": (get(b"Content-Length: +%d" % len(EVIL), body=EVIL), {}),
    "length of zero": (get(b"Content-Length: 0", body=EVIL), {"POST": 1}),
    "folded": (get(b"Transfer-Encoding:\r\n chunked", body=CHUNK), {"body": 1}),
    "folded line": (get(b"X-A: b\r\n\tPOST /evil HTTP/1.1"), {}),
    "blank before the colon": (get(b"Content-Length : %d" % len(EVIL), body=EVIL), {}),
    "zero byte": (get(b"X-A: a\0POST /evil HTTP/1.1"), {}),
    "bare return": (get(b"X-A: a\rPOST /evil HTTP/1.1\r\r"), {}),
    "bare line feed": (get(b"X-A: a\nPOST /evil HTTP/1.1\n\n"), {}),
    "encoded line": (get(line=b"GET /fine%0d%0a%0d%0aPOST%20/evil HTTP/1.1"), {}),
    # Another place, or another protocol.
    "connect": (b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n", {"upgrade": 1}),
    "websocket": (get(b"Connection: Upgrade", b"Upgrade: websocket"), {"upgrade": 1}),
    "h2c": (get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"), {}),
    "grpc-web": (
        get(b"Content-Type: application/grpc-web", b"Content-Length: 0", line=b"POST /evil/Call HTTP/1.1"),
        {"POST": 1},
    ),
    "huge header": (get(b"X-A: " + b"a" * 120_000), {}),
    "many headers": (get(*(b"X-%d: a" % number for number in range(1_100))), {}),
    "huge path": (get(line=b"POST /evil" + b"a" * 60_000 + b" HTTP/1.1"), {"POST": 1}),
}


def bridge(lab: Any, address: Address, **options: Any) -> BridgePlan:
    service = BridgeService(name="orders", listen=lab.address(), upstream=address, **options)
    return BridgePlan(node_id="bridge~next", overlay="next", baseline="production", services=(service,))


async def attack(port: int, raw: bytes) -> None:
    """Send bytes, and then close: nothing waits for answers that may never come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError, TimeoutError):
        writer.write(raw)
        await writer.drain()
        async with asyncio.timeout(0.2):  # what is not answered by then is looked for in the counters
            while await reader.read(65536):
                pass
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def evil(seen: list[str]) -> list[str]:
    """Return what a server took for requests and should never have seen."""
    return [line for line in seen if not line.startswith(("GET /fine", "GET /alive", "HEAD /fine", "OPTIONS /fine"))]


async def test_nothing_unsafe_reaches_the_baseline_and_every_refusal_is_counted(lab: Any, gullible: Gullible) -> None:
    plan = bridge(lab, gullible.address)
    node = await lab.node(plan)
    port = plan.services[0].listen.port
    expected: Counter[str] = Counter()
    for name, (raw, refused) in ATTACKS.items():
        await attack(port, raw)
        expected.update(refused)

        async def counted() -> bool:
            return Counter((await node.counters()).bridges["orders"].blocked) == expected

        try:
            await lab.eventually(counted)
        except (AssertionError, TimeoutError):
            pytest.fail(f"{name}: {Counter((await node.counters()).bridges['orders'].blocked)} is not {expected}")
        assert evil(gullible.seen) == [], name
        assert (await lab.send(port, get(line=b"GET /alive HTTP/1.1"))).status == 200, name
    counters = (await node.counters()).bridges["orders"]
    assert counters.passed == sum(counters.passed_methods.values())
    assert dict(counters.unsafe) == {}


async def test_where_bodies_are_allowed_they_pass_as_one_request(lab: Any) -> None:
    upstream = await lab.backend()
    plan = bridge(lab, upstream.address, bodies=True)
    await lab.node(plan)
    await attack(plan.services[0].listen.port, get(LENGTH, body=EVIL))
    await lab.eventually(lambda: len(upstream.requests) == 1)
    assert upstream.requests[0].body == EVIL


async def test_other_hosts_and_services_are_out_of_reach(lab: Any) -> None:
    upstream, other = await lab.backend(), await lab.backend()
    plan = bridge(lab, upstream.address)
    await lab.node(plan)
    port = plan.services[0].listen.port
    host = str(other.address).encode()
    for raw in (
        b"GET http://%s/x HTTP/1.1\r\nHost: %s\r\n\r\n" % (host, host),
        b"GET /x HTTP/1.1\r\nHost: %s\r\n\r\n" % host,
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: %s\r\nX-Envoy-Original-Dst-Host: %s\r\n\r\n" % (host, host),
        b"POST http://%s/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n" % (host, host),
        b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (host, host),
    ):
        await attack(port, raw)
    await lab.eventually(lambda: len(upstream.requests) == 3)
    assert {request.method for request in upstream.requests} == {"GET"}
    assert other.connections == 0


H2 = [(":scheme", "http"), (":authority", "a")]
H2_ATTACKS: dict[str, list[tuple[str, str]]] = {
    "post": [(":method", "POST"), (":path", "/evil"), *H2],
    "lower case": [(":method", "post"), (":path", "/evil"), *H2],
    "trailing blank": [(":method", "POST "), (":path", "/evil"), *H2],
    "patch": [(":method", "PATCH"), (":path", "/evil"), *H2],
    "propfind": [(":method", "PROPFIND"), (":path", "/evil"), *H2],
    "unknown": [(":method", "EVIL"), (":path", "/evil"), *H2],
    "two methods": [(":method", "GET"), (":method", "POST"), (":path", "/evil"), *H2],
    "line in the method": [(":method", "GET / HTTP/1.1\r\nPOST"), (":path", "/evil"), *H2],
    "line in the path": [(":method", "GET"), (":path", "/ HTTP/1.1\r\n\r\nPOST /evil"), *H2],
    "line in a header": [(":method", "GET"), (":path", "/evil"), *H2, ("x-a", "a\r\n\r\nPOST /evil HTTP/1.1")],
    "method as a header": [(":method", "GET"), (":path", "/evil"), *H2, ("x-http-method-override", "DELETE")],
    "length of a body": [(":method", "GET"), (":path", "/evil"), *H2, ("content-length", "5")],
    "extended connect": [(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/evil"), *H2],
    "grpc": [
        (":method", "POST"),
        (":path", "/a.B/Evil"),
        *H2,
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ],
}


async def test_nothing_unsafe_passes_over_http2(lab: Any) -> None:
    upstream = await lab.start(lab.H2Backend())
    plan = bridge(lab, upstream.address)
    node = await lab.node(plan)
    port = plan.services[0].listen.port
    fine = [(":method", "GET"), (":path", "/fine"), *H2]
    for name, headers in H2_ATTACKS.items():
        before = sum((await node.counters()).bridges["orders"].blocked.values()) if name != "post" else 0
        stream = await lab.send_h2(port, headers, b"body!")
        seen = [(request[":method"], request[":path"]) for request in upstream.requests]
        assert {method for method, _ in seen} <= {"GET"}, name
        assert "/evil" not in {path for _, path in seen}, name
        status = stream[":status"]
        assert status in {"", "400", "403", "404", "200"}, (name, status)
        blocked = sum((await node.counters()).bridges["orders"].blocked.values())
        # A gRPC client gets its refusal as a gRPC status, in an answer with 200.
        refused = status == "403" or stream["grpc-status"] == "7"
        assert blocked - before == (1 if refused else 0), (name, status, blocked, before)
        assert status != "200" or refused, name
        assert (await lab.send_h2(port, fine))[":status"] == "200", name
    assert len(upstream.requests) == len(H2_ATTACKS)


async def test_over_http2_a_body_needs_no_header_to_be_refused(lab: Any) -> None:
    upstream = await lab.start(lab.H2Backend())
    plan = bridge(lab, upstream.address)
    node = await lab.node(plan)
    headers = [(":method", "GET"), (":path", "/fine"), *H2]
    answers = [await lab.send_h2(plan.services[0].listen.port, headers, body) for body in (EVIL, b"x" * 60_000)]
    assert [answer[":status"] for answer in answers] == ["403", "403"]
    assert upstream.requests == []
    assert dict((await node.counters()).bridges["orders"].blocked) == {"body": 2}


async def test_connect_over_http2_goes_nowhere(lab: Any) -> None:
    upstream = await lab.start(lab.H2Backend())
    plan = bridge(lab, upstream.address)
    await lab.node(plan)
    port = plan.services[0].listen.port
    asked = asyncio.ensure_future(lab.send_h2(port, [(":method", "CONNECT"), (":authority", "elsewhere:443")], EVIL))
    fine = [(":method", "GET"), (":path", "/fine"), *H2]
    assert (await lab.send_h2(port, fine))[":status"] == "200"
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert [request[":method"] for request in upstream.requests] == ["GET"]
