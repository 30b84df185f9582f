"""Finds a planted text wherever and however it was written down: as it is, encoded, packed, compressed, in a database.

A canary is letters and digits, so that no quoting changes it; what is looked for are also its forms in base64, in hex,
as JSON escapes, as percent escapes, and in UTF-16.
"""

import base64
import gzip
import os
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import msgpack
import zstandard

DEPTH = 6
LARGEST = 64 * 1024 * 1024
MAGICS = {b"\x1f\x8b\x08": 16 + zlib.MAX_WBITS, b"\x78\x01": zlib.MAX_WBITS, b"\x78\x9c": zlib.MAX_WBITS}
ZSTD = b"\x28\xb5\x2f\xfd"
ESCAPES = re.compile(rb"\\u([0-9a-fA-F]{4})")
Plain = bytes


def needles(text: str) -> tuple[bytes, ...]:
    """Return what a canary looks like, plain and encoded. In base64 it depends on where it begins: three ways."""
    raw = text.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]
    for shift in range(3):
        # Without the characters at both ends, which also depend on the neighbours.
        whole = base64.b64encode(b"\0" * shift + raw)
        found.append(whole[(8 * shift + 5) // 6 : (8 * (shift + len(raw))) // 6])
    return tuple(found)


def layers(data: Plain, depth: int = DEPTH) -> Iterator[Plain]:
    """Yield some bytes, and everything that can be unpacked out of them."""
    yield data
    if depth == 0 or not data:
        return
    for inner in (*_unescaped(data), *_inflated(data), *_packed(data)):
        yield from layers(inner, depth - 1)


def holds(data: Plain, wanted: Iterable[bytes]) -> bool:
    """Tell whether some bytes hold one of the forms of a canary, at whatever depth."""
    wanted = tuple(wanted)
    return any(needle in layer for layer in layers(data) for needle in wanted)


def _unescaped(data: Plain) -> Iterator[Plain]:
    if b"\\u" in data:
        yield ESCAPES.sub(lambda match: chr(int(match[1], 16)).encode("utf-8", "surrogatepass"), data)
    if b"%" in data and data.isascii():
        plain = unquote_to_bytes(data)
        if plain != data:
            yield plain


def _inflated(data: Plain) -> Iterator[Plain]:
    """Yield what stands compressed anywhere in it, as far as it can be read."""
    for magic, bits in MAGICS.items():
        for at in _places(data, magic):
            with suppress(zlib.error):
                if inner := zlib.decompressobj(bits).decompress(data[at:], LARGEST):
                    yield inner
    for at in _places(data, ZSTD):
        with suppress(zstandard.ZstdError), zstandard.ZstdDecompressor().stream_reader(data[at:]) as reader:
            if inner := reader.read(LARGEST):
                yield inner


def _places(data: Plain, magic: bytes) -> Iterator[int]:
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


def _packed(data: Plain) -> Iterator[Plain]:
    """Yield the texts of msgpack that may themselves be packed or compressed: plain ones are seen as they stand."""
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=LARGEST)
    with suppress(ValueError, msgpack.UnpackException, RecursionError):
        unpacker.feed(data)
        for found in unpacker:
            if isinstance(found, int):  # text, not msgpack
                return
            yield from _leaves(found)


def _leaves(found: Any) -> Iterator[Plain]:
    if isinstance(found, bytes) and len(found) > len(ZSTD):
        yield found
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from _leaves(key)
            yield from _leaves(value)
    elif isinstance(found, list | tuple):
        for one in found:
            yield from _leaves(one)


def rows(database: Path) -> Iterator[Plain]:
    """Yield all values of a database's tables, with what is in its write-ahead log only."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  # a name of our own
                yield from (one if isinstance(one, bytes) else str(one).encode() for one in row)


def files(folder: Path) -> Iterator[tuple[str, Plain]]:
    """Yield all files below a folder with their contents; of databases also the values."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
            if path.suffix == ".db":
                yield f"{path.relative_to(folder)} (values)", _framed(rows(path))


def _framed(values: Iterable[Plain]) -> Plain:
    """Join values so that each is looked into by itself."""
    return bytes(msgpack.packb(list(values)))


def held_by(pid: int) -> Iterator[tuple[str, Plain]]:
    """Yield what a process can be asked for without its memory: arguments, environment, the files that it has open."""
    process = Path(f"/proc/{pid}")
    for name in ("cmdline", "environ"):
        yield f"{name} of {pid}", (process / name).read_bytes()
    for descriptor in sorted((process / "fd").iterdir()):
        with suppress(OSError):  # closed meanwhile, or a socket
            target = os.readlink(descriptor)  # noqa: PTH115  # may name no path at all
            if descriptor.is_file():
                yield f"{target} of {pid}", descriptor.read_bytes()


def compressed(data: Plain) -> dict[str, Plain]:
    """Return the same bytes, compressed in each way that `layers` reads."""
    return {
        "gzip": gzip.compress(data),
        "zlib": zlib.compress(data),
        "zstd": zstandard.compress(data),
        "zstd without a size": zstandard.ZstdCompressor(write_content_size=False).compress(data),
    }
