"""What applications and clients get is what they would get without a tee.

Every request goes through a plain Envoy, written by hand, and through a tee that mirrors it. The baseline has to get
exactly what the client sent, the branch the same in lower case (its way there is HTTP/2), and the client what the plain
Envoy gives it.
"""

import gzip
from typing import Any

import pytest

from microstax.model.exchange import Side
from microstax.model.plan import Mirror, TeePlan, TeeService

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]

PLAIN_ADDS = {"x-forwarded-proto", "x-request-id", "x-envoy-expected-rq-timeout-ms"}
PLAIN_ADDS_TO_ANSWERS = {"x-envoy-upstream-service-time", "server", "date"}
METHODS = ("GET", "HEAD", "OPTIONS", "PUT")
ZIPPED = gzip.compress(b'{"a": 1}' * 20, mtime=0)

REQUESTS = {
    "simple": "GET /items HTTP/1.1\nHost: shop\n\n",
    "casing": "GET /items HTTP/1.1\nHost: shop\nX-oDD-CasE: VaLue\nUSER-AGENT: Test/1.0\naccept: */*\n\n",
    "twice": "GET /items HTTP/1.1\nHost: shop\nX-Tag: one\nX-Other: x\nX-Tag: two\nCookie: a=1; b=2\n\n",
    "forwarded": (
        "GET / HTTP/1.1\nHost: shop\nX-Forwarded-For: 10.1.2.3, 10.0.0.1\nX-Forwarded-Proto: https\n"
        "X-Request-Id: mine\nX-Forwarded-Host: a\nForwarded: for=1.2.3.4\nVia: 1.1 a\n\n"
    ),
    "forged": (
        "GET / HTTP/1.1\nHost: shop\nX-Microstax-Exchange: mine\nX-Microstax-Side: a;b;c\nX-Microstax-Proto: ftp\n"
        "X-Microstax-Chunked: a\nX-Microstax-Forwarded: b\n\n"
    ),
    "path": "GET /a//b/../c/./%2e%2E/%2fd;x=1?q=%20+&a[]=1&&b HTTP/1.1\nHost: shop\n\n",
    "absolute": "GET http://shop.example/x?y HTTP/1.1\nHost: shop.example\n\n",
    "port": "GET / HTTP/1.1\nHost: shop.example:8080\n\n",
    "head": "HEAD /items HTTP/1.1\nHost: shop\n\n",
    "options": "OPTIONS /items HTTP/1.1\nHost: shop\nOrigin: http://a\nAccess-Control-Request-Method: PUT\n\n",
    "empty body": "PUT /items HTTP/1.1\nHost: shop\nContent-Length: 0\n\n",
    "body": "PUT /items HTTP/1.1\nHost: shop\nContent-Type: text/plain\nContent-Length: 61440\n\n" + "x" * 61440,
    "expect": "PUT /items HTTP/1.1\nHost: shop\nExpect: 100-continue\nContent-Length: 3\n\nabc",
    "encoding": "GET /gzip HTTP/1.1\nHost: shop\nAccept-Encoding: gzip, br\n\n",
    "no content": "GET /204 HTTP/1.1\nHost: shop\n\n",
    "not modified": 'GET /304 HTTP/1.1\nHost: shop\nIf-None-Match: "a"\n\n',
    "redirect": "GET /302 HTTP/1.1\nHost: shop\n\n",
    "chunked answer": "GET /chunked HTTP/1.1\nHost: shop\nTE: trailers\n\n",
    "teapot": "GET /418 HTTP/1.1\nHost: shop\nAuthorization: Basic YTpi\n\n",
    "empty value": "GET / HTTP/1.1\nHost: shop\nX-Empty:\nX-Last: 1\n\n",
}

ANSWERS = {
    "/gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(ZIPPED), ZIPPED),
    "/204": b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
    "/304": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
    "/302": b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/x\r\nContent-Length: 0\r\n\r\n",
    "/chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"
    ),
    "/418": b"HTTP/1.1 418 I am a Teapot\r\nServer: Kettle/1\r\nX-Microstax-Local: UT\r\nContent-Length: 1\r\n\r\n!",
}
DEFAULT = (
    b"HTTP/1.1 200 Fine\r\nServer: App/2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-CaSe: Y\r\n"
    b"Content-Length: 2\r\n\r\nok"
)


def answer(request: Any) -> bytes:
    raw = ANSWERS.get(request.start.split()[1], DEFAULT)
    return raw.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else raw


def plain_envoy(port: int, upstream: int, *, http2: bool) -> dict[str, Any]:
    """Return the smallest configuration that proxies, as a user would write it."""
    kind = "type.googleapis.com/envoy.extensions"
    manager = {
        "@type": f"{kind}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain",
        "merge_slashes": False,
        "http_protocol_options": {"enable_trailers": True},
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}
            ]
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{kind}.filters.http.router.v3.Router"}},
        ],
    }
    options = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {"enable_trailers": True}}
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}}
    cluster = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{kind}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": options,
            }
        },
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def mirrored(lab: Any, baseline: Any, branch: Any, methods: tuple[str, ...] = METHODS) -> TeePlan:
    mirror = Mirror(overlay="next", side=Side.BRANCH, address=branch.address, ppm=1_000_000, methods=methods)
    service = TeeService(name="catalog", listen=lab.address(), upstream=baseline.address, mirrors=(mirror,))
    return TeePlan(node_id="tee", environment="production", services=(service,))


def without(headers: list[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in names]


def added(sent: list[tuple[str, str]]) -> set[str]:
    """Return what the plain proxy adds of its own, the client not having sent it."""
    return PLAIN_ADDS - {name.lower() for name, _ in sent}


async def test_http1_is_what_the_client_sent_and_what_a_plain_proxy_gives(lab: Any) -> None:
    baseline, branch, alone = await lab.backend(answer), await lab.backend(answer), await lab.backend(answer)
    plan = mirrored(lab, baseline, branch)
    await lab.node(plan)
    plain = lab.free_port()
    await lab.plain(plain_envoy(plain, alone.port, http2=False))
    for name, text in REQUESTS.items():
        head, body = text.split("\n\n", 1)
        raw = head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.encode()
        expected = await lab.send(plain, raw)
        got = await lab.send(plan.services[0].listen.port, raw)
        await lab.eventually(lambda: branch.requests)
        reference, original, copy = alone.requests.pop(), baseline.requests.pop(), branch.requests.pop()

        sent = [tuple(line.split(": ", 1)) if ": " in line else (line[:-1], "") for line in head.split("\n")[1:]]
        wanted = [pair for pair in sent if not pair[0].lower().startswith("x-microstax-")]
        if name == "options":
            wanted.append(("content-length", "0"))  # any Envoy says so of a request that could have had a body
        if name == "absolute":
            assert original.start == "GET /x?y HTTP/1.1"
        else:
            assert original.start == head.split("\n")[0], name
        assert sorted(without(original.headers, "te")) == sorted(without(wanted, "te")), name
        assert (original.body, original.start) == (reference.body, reference.start), name
        assert without(original.sorted(fold=True), "expect") == [
            pair
            for pair in without(reference.sorted(fold=True), *added(sent), "expect")
            if not pair[0].startswith("x-microstax-")
        ], name

        assert (copy.start, copy.body) == (original.start, original.body), name
        assert copy.sorted() == original.sorted(fold=True), name

        assert (got.status, got.body, got.trailers) == (expected.status, expected.body, expected.trailers) or (
            name == "chunked answer" and [(k.lower(), v) for k, v in got.trailers] == expected.trailers
        ), name
        promised = answer(original).split(b"\r\n\r\n", maxsplit=1)[0].decode().split("\r\n")
        assert got.start == promised[0], name
        ours = without(got.headers, "date", "x-microstax-local", "transfer-encoding")
        theirs = [tuple(line.split(": ", 1)) for line in promised[1:]]
        assert sorted(ours) == sorted(without(theirs, "x-microstax-local", "transfer-encoding")), name
        assert sorted(without([(k.lower(), v) for k, v in ours], "server")) == sorted(
            without(
                [(k.lower(), v) for k, v in expected.headers],
                *PLAIN_ADDS_TO_ANSWERS,
                "x-microstax-local",
                "transfer-encoding",
            )
        ), name


H2_REQUESTS: dict[str, tuple[list[tuple[str, str]], bytes, list[tuple[str, str]] | None]] = {
    "simple": ([(":method", "GET"), (":path", "/a//b?x=%20")], b"", None),
    "headers": (
        [
            (":method", "GET"),
            (":path", "/"),
            ("x-tag", "one"),
            ("x-tag", "two"),
            ("user-agent", "t/1"),
            ("te", "trailers"),
        ],
        b"",
        None,
    ),
    "forwarded": (
        [
            (":method", "GET"),
            (":path", "/"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-request-id", "mine"),
            ("x-forwarded-proto", "https"),
        ],
        b"",
        None,
    ),
    "body": ([(":method", "POST"), (":path", "/u"), ("content-length", "40000")], b"y" * 40000, None),
    "grpc": (
        [(":method", "POST"), (":path", "/shop.Catalog/Get"), ("content-type", "application/grpc"), ("te", "trailers")],
        b"\x00\x00\x00\x00\x03abc",
        None,
    ),
    "trailers": ([(":method", "POST"), (":path", "/t")], b"abc", [("x-sum", "9")]),
}


def grpc_answer(stream: Any) -> tuple[Any, bytes, Any]:
    trailers = [("grpc-status", "0"), ("grpc-message", "fine")]
    headers = [(":status", "200"), ("content-type", "application/grpc"), ("x-a", "1"), ("x-a", "2")]
    return headers, b"\x00\x00\x00\x00\x02ok", trailers


async def test_http2_and_grpc_reach_both_sides_as_http2(lab: Any) -> None:
    backends = [await lab.start(lab.H2Backend(grpc_answer)) for _ in range(3)]
    baseline, branch, alone = backends
    plan = mirrored(lab, baseline, branch, ("GET", "POST"))
    node = await lab.node(plan)
    plain = lab.free_port()
    await lab.plain(plain_envoy(plain, alone.port, http2=True))
    async with node.tapped() as tap:
        for name, (headers, body, trailers) in H2_REQUESTS.items():
            sent = [*headers[:2], (":scheme", "http"), (":authority", "shop"), *headers[2:]]
            expected = await lab.send_h2(plain, sent, body, trailers)
            got = await lab.send_h2(plan.services[0].listen.port, sent, body, trailers)
            await lab.eventually(lambda: branch.requests)
            reference, original, copy = alone.requests.pop(), baseline.requests.pop(), branch.requests.pop()
            assert original.regular() == sorted(headers[2:]), name
            assert (original.body, original.trailers) == (body, trailers or []), name
            assert original.regular() == without(reference.regular(), *added(headers)), name
            assert sorted(original.headers[:4]) == sorted(reference.headers[:4]), name
            assert (copy.regular(), copy.body, copy.trailers) == (original.regular(), body, original.trailers), name
            assert sorted(copy.headers[:4]) == sorted(original.headers[:4]), name
            assert (got.body, got.trailers) == (expected.body, expected.trailers), name
            assert [p for p in got.regular() if p[0] != "date"] == [
                p for p in expected.regular() if p[0] not in PLAIN_ADDS_TO_ANSWERS
            ], name
    pairs = tap.by_id()
    assert len(pairs) == len(H2_REQUESTS)
    for both in pairs.values():
        assert [exchange.side for exchange in both] == [Side.BASELINE, Side.BRANCH]
        assert both[1].response.trailers == (("grpc-status", "0"), ("grpc-message", "fine"))
