"""Undo content-encodings, with a limit on what a body may grow to.

A body that cannot be undone (an encoding we do not know, or bytes that are not what the header says) is kept as it
came: the differ then compares bytes with bytes, and a branch that sends a broken gzip is shown as the drift that it
is. A body that grows over the limit is cut there and marked as truncated; no more than the limit is ever held.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import brotli
import zstandard

MAX_EXPANDED_BYTES: Final = 8 * 1024 * 1024
MAX_STACKED: Final = 4
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
"""What RFC 9659 allows in HTTP."""
_READ_BYTES: Final = 1 << 20
_IDENTITY: Final = frozenset({"", "identity"})


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body without its encodings; `encoded` where they could not be undone; `truncated` where the limit cut it."""

    body: bytes
    encoded: bool = False
    truncated: bool = False


class _CorruptError(Exception):
    """The bytes are not in the encoding that the header names."""


def decode(body: bytes, encodings: str, *, limit: int = MAX_EXPANDED_BYTES) -> Decoded:
    """Return `body` with the content-encodings undone that the header value `encodings` lists (RFC 9110, 8.4).

    Encodings are undone from the last to the first. Never raises.
    """
    names = [name for name in (part.strip().lower() for part in encodings.split(",")) if name not in _IDENTITY]
    if not body or not names:
        return Decoded(body)
    if len(names) > MAX_STACKED or any(name not in _DECODERS for name in names):
        return Decoded(body, encoded=True)
    plain = body
    for place, name in reversed(list(enumerate(names))):
        try:
            plain = _DECODERS[name](plain, limit + 1)
        except (_CorruptError, zlib.error, brotli.error, zstandard.ZstdError, MemoryError):
            return Decoded(body, encoded=True)
        if len(plain) > limit:
            # Only the last layer to be undone gives the body; of another one that is cut, nothing can be decoded.
            return Decoded(plain[:limit], encoded=place > 0, truncated=True)
    return Decoded(plain)


def _gzip(body: bytes, limit: int) -> bytes:
    return _zlib_members(body, limit, _GZIP_WINDOW)


def _deflate(body: bytes, limit: int) -> bytes:
    """Undo `deflate`, which is zlib by RFC 9110 and raw deflate by some servers."""
    try:
        return _zlib_members(body, limit, zlib.MAX_WBITS)
    except zlib.error:
        return _zlib_members(body, limit, -zlib.MAX_WBITS)


def _zlib_members(body: bytes, limit: int, window: int) -> bytes:
    """Undo one member after the other (RFC 1952, 2.2), up to `limit` bytes in all."""
    out = bytearray()
    while body and len(out) < limit:
        member = zlib.decompressobj(window)
        out += member.decompress(body, limit - len(out))
        if not member.eof:
            if len(out) >= limit:
                break
            raise _CorruptError
        body = member.unused_data
    return bytes(out)


def _brotli(body: bytes, limit: int) -> bytes:
    """Undo `br` in steps, since the library's one-shot call has no limit."""
    decompressor = brotli.Decompressor()
    out = bytearray(decompressor.process(body, output_buffer_limit=limit))
    while len(out) < limit and not decompressor.is_finished():
        more = decompressor.process(b"", output_buffer_limit=limit - len(out))
        if not more and not decompressor.is_finished():
            raise _CorruptError
        out += more
    return bytes(out)


def _zstd(body: bytes, limit: int) -> bytes:
    """Undo `zstd`. The reader has a limit but does not tell a cut frame, the other object the other way round."""
    reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(body, read_across_frames=True)
    out = bytearray()
    while len(out) < limit:
        chunk = reader.read(min(limit - len(out), _READ_BYTES))
        if not chunk:
            _check_zstd_frames(body)
            break
        out += chunk
    return bytes(out)


def _check_zstd_frames(body: bytes) -> None:
    """Raise _CorruptError unless `body`, known to expand to no more than the limit, is whole frames."""
    while body:
        frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        frame.decompress(body)
        if not frame.eof:
            raise _CorruptError
        body = frame.unused_data


_DECODERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
