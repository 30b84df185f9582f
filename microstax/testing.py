"""Builders and scripted fakes for tests of microstax, and of what is built on it."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

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
    """Return the trace that a tee's tap writes for `exchange`: a serialised TraceWrapper, without its length.

    A copy's answer says whose copy it is; a baseline's trace has its client and time only. Each id has its own client.
    """
    wrapper, trace = _trace(exchange, raw=raw_values)
    client, port = f"client-of-{exchange.id}", 1024
    if exchange.side is Side.BASELINE:
        remote = trace.downstream_connection.remote_address.socket_address
        remote.address, remote.port_value = client.encode(), port
        local = trace.downstream_connection.local_address.socket_address
        local.address, local.port_value = f"listener-of-{exchange.service}".encode(), 8080
    elif exchange.response is not None:
        place = f"{exchange.service};{exchange.side};{exchange.overlay}"
        told = f"{place};{exchange.id};{client}:{port};0;{1 << 62}"
        trace.response.headers.append(_field("x-microstax-copy", told))
    return wrapper.SerializeToString()


def _trace(exchange: Exchange, *, raw: bool) -> tuple[tap_pb2.TraceWrapper, tap_pb2.HttpBufferedTrace]:
    wrapper = tap_pb2.TraceWrapper()
    trace = wrapper.http_buffered_trace
    request, response = exchange.request, exchange.response
    pseudo = ((":method", request.method), (":path", request.path), (":authority", request.authority))
    _fill(trace.request, (*pseudo, *request.headers), request.body, truncated=request.truncated, raw=raw)
    _stamp(trace.request, exchange.started_us)
    if response is not None:
        local = (("x-microstax-local", response.local_reason),) if response.local_reason else ()
        fields = ((":status", str(response.status)), *response.headers, *local)
        _fill(trace.response, fields, response.body, truncated=response.truncated, raw=raw)
        for name, value in response.trailers:
            trace.response.trailers.append(_field(name, value))
        if exchange.started_us is not None and exchange.latency_us is not None:
            _stamp(trace.response, exchange.started_us + exchange.latency_us)
    return wrapper, trace


def delimited(traces: Iterable[bytes]) -> bytes:
    """Return traces as Envoy sends them: each after its length as a varint."""
    return b"".join(_varint(len(trace)) + trace for trace in traces)


def _fill(message: tap_pb2.HttpMessage, headers: Headers, body: bytes, *, truncated: bool, raw: bool) -> None:
    for name, value in headers:
        message.headers.append(_field(name, value, raw=raw))
    if body or truncated:
        message.body.as_bytes = body
        message.body.truncated = truncated


def _field(name: str, value: str, *, raw: bool = False) -> bytes:
    values = {"raw_value": value.encode()} if raw else {"value": value.encode()}
    return tap_pb2.HeaderValue(key=name.encode(), **values).SerializeToString()


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


Body = Callable[[web.Request, web.StreamResponse], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class TapStep:
    """How one poll is answered: the status, and what follows the head."""

    body: Body
    status: int = 200


class ScriptedTap:
    """An Envoy admin interface on a unix socket whose polls are answered as scripted, one step each.

    Without a step left, a poll is accepted and answered with nothing when its own timeout is over. As with Envoy, the
    head of an answer comes at once, and a poll that was sent ahead is looked at when the one before is over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = f"unix:{path}"
        self.stats = b'{"stats": []}'
        self.memory_bytes = 0
        self.polls: list[dict[str, object]] = []
        self._steps: deque[TapStep] = deque()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; also again after `stop`, as an Envoy that was restarted."""
        application = web.Application()
        application.add_routes(
            [web.post("/tap", self._tap), web.get("/stats", self._stats), web.get("/memory", self._memory)]
        )
        self._runner = web.AppRunner(application, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()

    async def stop(self) -> None:
        """Stop listening and break all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self.path.unlink(missing_ok=True)

    def send(self, *traces: bytes, piece: int | None = None, after_s: float = 0) -> Self:
        """Answer a poll with traces, in pieces of `piece` bytes."""
        return self.send_raw(delimited(traces), piece=piece, after_s=after_s)

    def send_raw(self, data: bytes, *, piece: int | None = None, after_s: float = 0) -> Self:
        """Answer a poll with any bytes."""
        size = piece or max(len(data), 1)

        async def step(_: web.Request, response: web.StreamResponse) -> None:
            await asyncio.sleep(after_s)
            for start in range(0, len(data), size):
                await response.write(data[start : start + size])

        return self._then(step)

    def cut(self, data: bytes) -> Self:
        """Send `data` and break the connection in the middle of the answer."""

        async def step(request: web.Request, response: web.StreamResponse) -> None:
            await response.write(data)
            if request.transport is not None:
                request.transport.close()

        return self._then(step)

    def hang(self) -> Self:
        """Accept a poll and never end it, as Envoy does when a listener update has detached the tap."""

        async def step(_: web.Request, __: web.StreamResponse) -> None:
            await asyncio.Event().wait()

        return self._then(step)

    def refuse(self, status: int, text: str) -> Self:
        """Refuse a poll."""

        async def step(_: web.Request, response: web.StreamResponse) -> None:
            await response.write(text.encode())

        return self._then(step, status=status)

    def _then(self, body: Body, *, status: int = 200) -> Self:
        self._steps.append(TapStep(body, status))
        return self

    async def _tap(self, request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        self.polls.append(asked)
        step = self._steps.popleft() if self._steps else _wait_out(asked)
        response = web.StreamResponse(status=step.status)
        await response.prepare(request)
        with suppress(ConnectionResetError):  # the client gave up
            await step.body(request, response)
        return response

    async def _memory(self, _: web.Request) -> web.Response:
        return web.json_response({"total_physical_bytes": str(self.memory_bytes)})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.Response(body=self.stats, content_type="application/json")


def _wait_out(asked: dict[str, object]) -> TapStep:
    sink = asked["tap_config"]["output_config"]["sinks"][0]["buffered_admin"]  # type: ignore[index]
    seconds = float(sink["timeout"].removesuffix("s"))

    async def step(_: web.Request, __: web.StreamResponse) -> None:
        await asyncio.sleep(seconds)

    return TapStep(step)
