"""Clients of the management API over grpc: a blocking one for commands, an asyncio one for the worker.

A failed call becomes the error of `microstax.errors` that the server meant: its message is the sentence for the
user, and its exit code comes from the trailer. A server that does not answer is a ControlPlaneUnreachableError.
"""

import errno
import os
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Final, Self

import grpc
import grpc.aio

from microstax.api.methods import EXIT_CODE_TRAILER, Method, Request, Response
from microstax.errors import EXIT_FAULT, ControlPlaneUnreachableError, FaultError, MicrostaxError

_NEVER_CONNECTED: Final = "failed to connect"
"""What gRPC says where there was no connection; a call that was cut off has other words (grpc/grpc, subchannel)."""
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # An error's sentence, with the end of a log in it, travels as a header; gRPC takes 8 KiB of those by default.
    ("grpc.max_metadata_size", 128 * 1024),
    ("grpc.absolute_max_metadata_size", 256 * 1024),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # It is also how long one attempt may take (grpc, subchannel.cc): on a busy machine a server greets late.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class RemoteError(MicrostaxError):
    """An error that the control plane reported; keeps its exit code."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # a property of this one error, not of the class


def translate(error: grpc.RpcError, address: str) -> MicrostaxError:
    """Return the user's error for a failed call to `address`."""
    exit_code = {str(key): value for key, value in (error.trailing_metadata() or ())}.get(EXIT_CODE_TRAILER)
    if exit_code is not None:
        return RemoteError(error.details() or "the control plane gave no reason", exit_code=int(exit_code))
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return ControlPlaneUnreachableError(_unreachable(error.details() or "", address))
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ControlPlaneUnreachableError(
            f"The control plane at {address} did not answer in time: it is very busy, or it hangs."
        )
    if error.code() is grpc.StatusCode.CANCELLED:
        return FaultError("The call was cancelled; the control plane may be shutting down.")
    name = getattr(error.code(), "name", "UNKNOWN")
    return RemoteError(f"The control plane failed ({name}): {error.details()}", exit_code=EXIT_FAULT)


def _unreachable(details: str, address: str) -> str:
    if os.strerror(errno.EACCES) in details:
        return (
            f"You may not use the control plane at {address}: it is another user's. Start your own, or name its folder."
        )
    if _NEVER_CONNECTED in details:
        return (
            f"No control plane answers at {address}: start one with 'microstax up --detach', or name its state folder "
            "with --state."
        )
    return (
        f"The control plane at {address} went away before it was done: 'microstax up --detach' starts it again, and "
        "'microstax status' shows what is there."
    )


class Client:
    """A blocking client. Use as a context manager; one channel, made at the first call."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel: grpc.Channel | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def call(self, method: Method[Request, Response], request: Request, *, timeout_s: float | None = 30.0) -> Response:
        """Make a unary call; raises MicrostaxError."""
        try:
            answer: Response = self._stub(method)(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise translate(error, self.address) from error
        return answer

    def stream(
        self, method: Method[Request, Response], request: Request, *, timeout_s: float | None = None
    ) -> Iterator[Response]:
        """Make a call that is answered by a stream; closing the iterator cancels it. Raises MicrostaxError.

        After `timeout_s` it ends as one that nobody answers; None waits as long as it takes.
        """
        call = self._stub(method)(request, timeout=timeout_s)
        try:
            yield from call
        except grpc.RpcError as error:
            raise translate(error, self.address) from error
        finally:
            call.cancel()

    def _stub(self, method: Method[Any, Any]) -> Any:
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.address, options=OPTIONS)
        make = self._channel.unary_stream if method.streams else self._channel.unary_unary
        return make(method.path, request_serializer=bytes, response_deserializer=method.response.parse)


class AsyncClient:
    """The same for asyncio."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)

    async def close(self) -> None:
        """Close the channel and end all calls."""
        await self._channel.close()

    async def call(self, method: Method[Request, Response], request: Request, *, timeout_s: float = 30.0) -> Response:
        """Make a unary call; raises MicrostaxError."""
        stub = self._channel.unary_unary(
            method.path, request_serializer=bytes, response_deserializer=method.response.parse
        )
        try:
            answer: Response = await stub(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise translate(error, self.address) from error
        return answer

    async def stream(self, method: Method[Request, Response], request: Request) -> AsyncIterator[Response]:
        """Make a call that is answered by a stream; raises MicrostaxError."""
        stub = self._channel.unary_stream(
            method.path, request_serializer=bytes, response_deserializer=method.response.parse
        )
        call = stub(request)
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise translate(error, self.address) from error
        finally:
            call.cancel()
