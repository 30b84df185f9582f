"""The log of what bridges refuse, as Envoy streams it (its gRPC access log service), on the xDS server's connection.

A branch decides how much there is to read, so only so much is read in a second; then Envoy's own buffer fills, and
Envoy drops entries rather than wait. What is lost are examples: counts come from Envoy's counters.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from microstax.control import layout, refused
from microstax.control.refused import RefusedCall
from microstax.envoy import names
from microstax.generated.wire import access_log_pb2 as wire

_log: Final = logging.getLogger(__name__)
SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"
METHOD: Final = "StreamAccessLogs"
BYTES_A_SECOND: Final = 256 * 1024
"""What is read of one service's log: some 1,000 calls of an ordinary size."""
_POLICY: Final = "rbac_access_denied_matched_policy["
_REASONS: Final = {names.UPGRADE: refused.UPGRADE, names.OVERRIDE: refused.OVERRIDE, names.BODY: refused.BODY}
Take = Callable[[str, Sequence[RefusedCall]], None]


class AccessLog:
    """Serves the log. `take` gets an overlay's name and its newest refused calls, which are not redacted yet."""

    def __init__(self, take: Take, *, bytes_a_second: int = BYTES_A_SECOND) -> None:
        self._take: Final = take
        self._budget: Final = bytes_a_second

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the service."""

        async def handle(requests: Any, context: Any) -> None:
            await self.read(requests, context)

        handler = grpc.stream_unary_rpc_method_handler(handle)  # messages stay bytes: they may be none
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))

    async def read(self, messages: AsyncIterator[bytes], context: Any) -> None:
        """Read one stream to its end: the log of one service as one overlay calls it."""
        loop = asyncio.get_running_loop()
        whose: tuple[str, str] | None = None
        until, left = loop.time() + 1, self._budget
        async for data in messages:
            try:
                message = wire.StreamAccessLogsMessage.FromString(data)
            except DecodeError:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a message cannot be read")
            whose = whose or _whose(message)
            if whose is None:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this log is of no bridge")
                return
            self._give(whose, message)
            left -= len(data)
            now = loop.time()
            if left <= 0 or now >= until:
                await asyncio.sleep(max(0.0, until - now))
                until, left = loop.time() + 1, self._budget

    def _give(self, whose: tuple[str, str], message: wire.StreamAccessLogsMessage) -> None:
        overlay, service = whose
        calls = [call for entry in message.http_logs.log_entry if (call := _call(service, entry)) is not None]
        try:
            self._take(overlay, calls)
        except Exception:  # noqa: BLE001  # whatever it is, the next message is another one
            _log.exception("refused calls of %s cannot be noted", overlay)


def _whose(message: wire.StreamAccessLogsMessage) -> tuple[str, str] | None:
    """Return overlay and service of a bridge's log; None for any other."""
    role, overlay = layout.node_parts(_text(message.identifier.node.id))
    service = names.logged_service(_text(message.identifier.log_name))
    return (overlay, service) if role == layout.BRIDGE and overlay and service else None


def _call(service: str, entry: wire.HttpEntry) -> RefusedCall | None:
    reason = _reason(_text(entry.response.response_code_details))
    if reason is None:
        return None  # the baseline's own answer
    start = entry.common_properties.start_time
    return RefusedCall(
        service=service,
        method=_text(entry.request.request_headers[":method"]),
        path=_text(entry.request.path),
        reason=reason,
        at_ms=start.seconds * 1000 + start.nanos // 1_000_000,
        user_agent=_text(entry.request.user_agent),
    )


def _reason(details: str) -> str | None:
    if details.startswith(_POLICY):
        return _REASONS.get(details.removeprefix(_POLICY).partition("]")[0], refused.METHOD)
    if details == "local_rate_limited":
        return refused.RATE
    if "overflow" in details:
        return refused.CONCURRENCY
    return refused.UPGRADE if "upgrade" in details else None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
