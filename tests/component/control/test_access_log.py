"""The log of refused calls over real gRPC: who may write it, what is taken of it, and what a flood of it costs."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc.aio
import pytest

from microstax.control.access_log import METHOD, SERVICE, AccessLog
from microstax.control.refused import RefusedCall
from microstax.generated.wire import access_log_pb2 as wire

DENIED = b"rbac_access_denied_matched_policy[POST]"


class Taken:
    """Keeps what was taken in."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, RefusedCall]] = []

    def __call__(self, overlay: str, calls: Sequence[RefusedCall]) -> None:
        self.calls += [(overlay, call) for call in calls]


@pytest.fixture
async def served(tmp_path: Any) -> AsyncIterator[Any]:
    """Return what serves a log; it gives a function that streams messages into it until the server has had enough."""
    stack: list[Any] = []

    async def serve(log: AccessLog) -> Any:
        server = grpc.aio.server()
        log.add_to(server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        stack.extend((channel.close(), server.stop(None)))
        return channel.stream_unary(f"/{SERVICE}/{METHOD}")

    yield serve
    for ending in stack:
        await ending


def message(*entries: wire.HttpEntry, node: bytes = b"bridge~next", log: bytes = b"bridge/orders") -> bytes:
    identifier = wire.Identifier(node=wire.Node(id=node), log_name=log)
    return wire.StreamAccessLogsMessage(
        identifier=identifier, http_logs=wire.HttpEntries(log_entry=entries)
    ).SerializeToString()


def entry(details: bytes = DENIED, path: bytes = b"/orders/17", method: bytes = b"POST") -> wire.HttpEntry:
    return wire.HttpEntry(
        common_properties=wire.CommonProperties(start_time=wire.Timestamp(seconds=7, nanos=5_000_000)),
        request=wire.RequestProperties(path=path, user_agent=b"me", request_headers={":method": method}),
        response=wire.ResponseProperties(response_code_details=details),
    )


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # what it waits for is elsewhere
            await asyncio.sleep(0.01)


async def test_what_was_refused_is_taken_with_its_reason_and_the_baselines_own_answers_are_not(served: Any) -> None:
    taken = Taken()
    call = (await served(AccessLog(taken)))()
    details = {
        DENIED: "method",
        b"rbac_access_denied_matched_policy[other]": "method",
        b"rbac_access_denied_matched_policy[override]": "override",
        b"rbac_access_denied_matched_policy[body]": "body",
        b"rbac_access_denied_matched_policy[upgrade]": "upgrade",
        b"upgrade_failed": "upgrade",
        b"local_rate_limited": "rate",
        b"upstream_reset_before_response_started{overflow}": "concurrency",
        b"via_upstream": None,
        b"route_not_found": None,
    }
    await call.write(message(*(entry(one) for one in details)))
    expected = [reason for reason in details.values() if reason]
    await until(lambda: len(taken.calls) == len(expected))
    assert [one.reason for _, one in taken.calls] == expected
    overlay, first = taken.calls[0]
    assert (overlay, first.service, first.method, first.path) == ("next", "orders", "POST", "/orders/17")
    assert (first.at_ms, first.user_agent) == (7_005, "me")
    call.cancel()


async def test_bytes_that_are_no_text_are_taken_as_they_are(served: Any) -> None:
    taken = Taken()
    call = (await served(AccessLog(taken)))()
    await call.write(message(entry(path=b"/\xff\xfe", method=b"\xff")))
    await until(lambda: taken.calls)
    assert taken.calls[0][1].path == "/\\xff\\xfe"
    call.cancel()


@pytest.mark.parametrize(
    "sent", [b"\xff\xff", message(node=b"tee~prod"), message(log=b"elsewhere"), message(node=b"\xff")]
)
async def test_others_are_turned_away(served: Any, sent: bytes) -> None:
    call = (await served(AccessLog(Taken())))()
    await call.write(sent)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_of_a_flood_so_much_is_read_in_a_second_and_no_more(served: Any) -> None:
    taken = Taken()
    call = (await served(AccessLog(taken, bytes_a_second=20_000)))()
    batch = message(*(entry() for _ in range(100)))
    began = time.monotonic()

    async def flood() -> None:
        while True:
            await call.write(batch)

    flooding = asyncio.ensure_future(flood())
    await until(lambda: len(taken.calls) >= 1_000)
    took = time.monotonic() - began
    flooding.cancel()
    call.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    assert took * (20_000 / len(batch) + 1) >= 8  # ten batches; the first second's are free


async def test_a_mistake_of_the_taker_ends_no_stream(served: Any) -> None:
    seen: list[int] = []

    def take(_overlay: str, calls: Sequence[RefusedCall]) -> None:
        seen.append(len(calls))
        if len(seen) == 1:
            raise ValueError

    call = (await served(AccessLog(take)))()
    await call.write(message(entry()))
    await call.write(message(entry(), entry()))
    await until(lambda: seen == [1, 2])
    call.cancel()
