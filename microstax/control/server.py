"""The gRPC server of the management API: methods by the table, errors as the table's clients expect them.

A mistake of ours becomes one sentence for the user and a traceback in the log. Health and reflection are served, so
that any gRPC tool can look around.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib import resources
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from microstax.api.client import OPTIONS
from microstax.api.methods import EXIT_CODE_TRAILER, MANAGEMENT, PACKAGE, WORKERS, Method
from microstax.errors import InternalError, MicrostaxError, UsageError

_log: Final = logging.getLogger(__name__)
_MAX_SENTENCE: Final = 16_000
"""Characters of an error's message: it travels as a header, and those have a limit."""
_DESCRIPTORS: Final = "descriptors.binpb"

Unary = Callable[[Any], Awaitable[Any]]
Streaming = Callable[[Any], AsyncIterator[Any]]


def make_server(methods: Mapping[Method[Any, Any], Unary | Streaming]) -> grpc.aio.Server:
    """Return a server with the methods, health and reflection; ports are the caller's to add."""
    server = grpc.aio.server(options=OPTIONS)
    pool = _descriptors()
    for service in (MANAGEMENT, WORKERS):
        handlers = {
            method.name: _handler(method, call, pool) for method, call in methods.items() if method.service == service
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    checker = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    names = (MANAGEMENT, WORKERS, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool=pool)
    return server


def _descriptors() -> descriptor_pool.DescriptorPool:
    packed = resources.files("microstax.generated.management").joinpath(_DESCRIPTORS).read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(packed).file:
        pool.Add(file)
    for module in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


def _handler(method: Method[Any, Any], call: Any, pool: descriptor_pool.DescriptorPool) -> Any:
    strict = GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{method.request.__name__}"))

    async def unary(data: bytes, context: Any) -> bytes:
        try:
            return bytes(await call(_parse(method, data, strict)))
        except Exception as error:  # noqa: BLE001  # the edge: whatever it is becomes a status
            await _abort(method, context, error)

    async def stream(data: bytes, context: Any) -> AsyncIterator[bytes]:
        answers = None
        try:
            answers = call(_parse(method, data, strict))
            async for answer in answers:
                yield bytes(answer)
        except Exception as error:  # noqa: BLE001  # as above
            await _abort(method, context, error)
        finally:
            if answers is not None:
                await answers.aclose()

    make = grpc.unary_stream_rpc_method_handler if method.streams else grpc.unary_unary_rpc_method_handler
    # Bytes in and out: what cannot be parsed is the caller's mistake, which grpc itself would call an internal error.
    return make(stream if method.streams else unary)


def _parse(method: Method[Any, Any], data: bytes, strict: Any) -> Any:
    """Parse a request by protobuf's own rules first: betterproto2 takes any bytes, and a number for a text."""
    try:
        message = strict.FromString(data)
        message.DiscardUnknownFields()
        return method.request.parse(message.SerializeToString())
    except (DecodeError, ValueError, EOFError) as error:
        raise UsageError(f"The request is no {method.request.__name__}: {error}.") from error


async def _abort(method: Method[Any, Any], context: Any, error: Exception) -> NoReturn:
    if not isinstance(error, MicrostaxError):
        _log.error("%s failed", method.path, exc_info=error)
        error = InternalError(
            f"The control plane made a mistake ({type(error).__name__} in {method.name}); its log has the details."
        )
    message = error.message if len(error.message) <= _MAX_SENTENCE else f"{error.message[:_MAX_SENTENCE]}..."
    trailer = ((EXIT_CODE_TRAILER, str(error.exit_code)),)
    await context.abort(grpc.StatusCode[error.grpc_status], message, trailer)
    raise AssertionError("abort raises")
