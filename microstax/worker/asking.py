"""Ask a process directly, once: no redirect, no retry, no header of ours, and nothing decoded on the way.

HTTP/1.1 by h11, on a connection of its own that is closed after the answer.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import h11

from microstax.capture import RawAnswer, RawRequest

_READ_BYTES: Final = 64 * 1024
_CLOSE_S: Final = 0.2


class UnansweredError(Exception):
    """There is no answer that can be used. Its text says nothing of request and answer."""


async def ask(address: str, request: RawRequest, *, most_bytes: int) -> RawAnswer:
    """Return the answer of the process at `address` (`host:port`); its body has at most `most_bytes`.

    Raises UnansweredError. The caller sets a limit to the time.
    """
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=_READ_BYTES)
    except (OSError, ValueError) as error:
        raise UnansweredError("no connection") from error
    try:
        return await _converse(reader, writer, request, most_bytes=most_bytes)
    except (OSError, h11.ProtocolError) as error:
        raise UnansweredError(type(error).__name__) from None
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), _CLOSE_S)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: RawRequest, *, most_bytes: int
) -> RawAnswer:
    connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_READ_BYTES)
    head = h11.Request(method=request.method, target=request.target, headers=list(request.fields))
    writer.write(connection.send(head) or b"")
    if request.body:
        writer.write(connection.send(h11.Data(data=request.body)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    return await _receive(reader, connection, most_bytes=most_bytes)


async def _receive(reader: asyncio.StreamReader, connection: h11.Connection, *, most_bytes: int) -> RawAnswer:
    status, body = 0, bytearray()
    fields: tuple[tuple[bytes, bytes], ...] = ()
    while True:
        match await _next(reader, connection):
            case h11.Response() as answer:
                status, fields = answer.status_code, tuple(answer.headers)
            case h11.Data(data=data):
                body += data
                if len(body) > most_bytes:
                    raise UnansweredError("an answer that is too large")
            case h11.EndOfMessage(headers=trailers):
                return RawAnswer(status, fields, bytes(body), tuple(trailers))
            case h11.InformationalResponse():
                pass
            case _:
                raise UnansweredError("the connection was closed")


async def _next(reader: asyncio.StreamReader, connection: h11.Connection) -> Any:
    """Return the next event, or PAUSED."""
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(_READ_BYTES))
    return event
