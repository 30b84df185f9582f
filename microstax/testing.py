"""Builders and scripted fakes for tests of microstax, and of what is built on it."""

from collections.abc import Iterable

from microstax.generated.wire import tap_pb2
from microstax.model.exchange import Exchange, Headers, Request, Response, Side, Triple

JSON: Headers = (("content-type", "application/json"),)


def a_request(
    path: str = "/products/1", *, method: str = "GET", headers: Headers = (), body: bytes = b"", truncated: bool = False
) -> Request:
    """Return a request; what is not given is ordinary."""
    return Request(method=method, path=path, authority="catalog:8080", headers=headers, body=body, truncated=truncated)


def a_response(
    body: bytes = b"{}",
    *,
    status: int = 200,
    headers: Headers = JSON,
    truncated: bool = False,
    trailers: Headers = (),
    local_reason: str | None = None,
) -> Response:
    """Return a response; what is not given is ordinary."""
    return Response(
        status=status,
        headers=headers,
        body=body,
        truncated=truncated,
        trailers=trailers,
        local_reason=local_reason,
        body_size=len(body),
    )


def an_exchange(
    side: Side = Side.BASELINE,
    *,
    id: str = "id-1",  # noqa: A002 - the field's name
    service: str = "catalog",
    overlay: str | None = None,
    request: Request | None = None,
    response: Response | None = None,
    answered: bool = True,
    started_us: int = 1_700_000_000_000_000,
    latency_us: int = 5_000,
) -> Exchange:
    """Return an exchange of `side`; copies belong to the overlay `shadow-test` if nothing else is said."""
    if overlay is None and side is not Side.BASELINE:
        overlay = "shadow-test"
    return Exchange(
        id=id,
        side=side,
        service=service,
        overlay=overlay,
        request=request or a_request(),
        response=(response or a_response()) if answered else None,
        started_us=started_us,
        latency_us=latency_us if answered else None,
    )


def a_triple(
    baseline: Response | None = None,
    branch: Response | None = None,
    control: Response | None = None,
    *,
    id: str = "id-1",  # noqa: A002 - the field's name
    service: str = "catalog",
    overlay: str = "shadow-test",
    request: Request | None = None,
) -> Triple:
    """Return the triple of one request; without `control` there is no control."""

    def side(which: Side, response: Response | None) -> Exchange:
        name = None if which is Side.BASELINE else overlay
        return an_exchange(which, id=id, service=service, overlay=name, request=request, response=response)

    return Triple(
        id=id,
        service=service,
        overlay=overlay,
        baseline=side(Side.BASELINE, baseline),
        branch=side(Side.BRANCH, branch),
        control=side(Side.CONTROL, control) if control is not None else None,
    )


def tap_trace(exchange: Exchange, *, raw_values: bool = False) -> bytes:
    """Return the trace that Envoy's tap writes for `exchange`: a serialised TraceWrapper, without its length."""
    wrapper = tap_pb2.TraceWrapper()
    trace = wrapper.http_buffered_trace
    request, response = exchange.request, exchange.response
    own = (
        ("x-microstax-exchange", exchange.id),
        ("x-microstax-side", f"{exchange.service};{exchange.side};{exchange.overlay or ''}"),
    )
    pseudo = ((":method", request.method), (":path", request.path), (":authority", request.authority))
    _fill(trace.request, (*pseudo, *request.headers, *own), request.body, truncated=request.truncated, raw=raw_values)
    _stamp(trace.request, exchange.started_us)
    if response is not None:
        local = (("x-microstax-local", response.local_reason),) if response.local_reason else ()
        fields = ((":status", str(response.status)), *response.headers, *local)
        _fill(trace.response, fields, response.body, truncated=response.truncated, raw=raw_values)
        for name, value in response.trailers:
            trace.response.trailers.add(key=name.encode(), value=value.encode())
        if exchange.started_us is not None and exchange.latency_us is not None:
            _stamp(trace.response, exchange.started_us + exchange.latency_us)
    return wrapper.SerializeToString()


def delimited(traces: Iterable[bytes]) -> bytes:
    """Return traces as Envoy sends them: each after its length as a varint."""
    return b"".join(_varint(len(trace)) + trace for trace in traces)


def _fill(message: tap_pb2.HttpMessage, headers: Headers, body: bytes, *, truncated: bool, raw: bool) -> None:
    for name, value in headers:
        field = "raw_value" if raw else "value"
        message.headers.add(**{"key": name.encode(), field: value.encode()})
    if body or truncated:
        message.body.as_bytes = body
        message.body.truncated = truncated


def _stamp(message: tap_pb2.HttpMessage, micros: int | None) -> None:
    if micros is not None:
        message.headers_received_time.seconds, rest = divmod(micros, 1_000_000)
        message.headers_received_time.nanos = rest * 1000


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
