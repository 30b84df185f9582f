"""As much of RFC 6455 as an echo needs: the handshake's key, and frames of one message each."""

import asyncio
import base64
import hashlib
import os
import struct
from typing import Final

TEXT: Final = 1
CLOSE: Final = 8
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_SHORT, _LONG = 126, 127


def accept_of(key: str) -> str:
    """Return what a server answers to a key."""
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()  # noqa: S324  # RFC 6455, 4.2.2


def frame(kind: int, payload: bytes, *, masked: bool) -> bytes:
    """Return a final frame; clients mask theirs."""
    size, bit = len(payload), _MASKED if masked else 0
    if size < _SHORT:
        head = struct.pack("!BB", _FINAL | kind, bit | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", _FINAL | kind, bit | _SHORT, size)
    else:
        head = struct.pack("!BBQ", _FINAL | kind, bit | _LONG, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + _xor(payload, mask)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return kind and payload of the next frame. Raises IncompleteReadError at the end."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == _SHORT:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == _LONG:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4) if second & _MASKED else b""
    payload = await reader.readexactly(size)
    return first & 0x0F, _xor(payload, mask) if mask else payload


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every frame with itself until the client closes."""
    while True:
        kind, payload = await read_frame(reader)
        writer.write(frame(kind, payload, masked=False))
        await writer.drain()
        if kind == CLOSE:
            return


def _xor(payload: bytes, mask: bytes) -> bytes:
    long_mask = mask * (len(payload) // 4 + 1)
    whole = int.from_bytes(payload, "big") ^ int.from_bytes(long_mask[: len(payload)], "big")
    return whole.to_bytes(len(payload), "big")
