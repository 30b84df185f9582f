"""Bodies under content-encodings, right, stacked, cut and broken."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import brotli
import zstandard

from hostile.choices import Choices
from hostile.messages import spoil
from hostile.target import Target
from microstax.capture.content_encoding import decode


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": _gzip,
    "deflate": zlib.compress,
    "br": lambda data: bytes(brotli.compress(data, quality=1)),
    "zstd": lambda data: bytes(zstandard.ZstdCompressor(level=1).compress(data)),
    "identity": bytes,
}
_NAMES: Final = tuple(_ENCODERS)
_LIMITS: Final = (65_536, 64, 4_096, 1, 0)


def check(data: bytes) -> None:
    """Decode; never more than the limit comes out, and what was encoded comes out as it was."""
    choices = Choices(data)
    limit = choices.pick(_LIMITS)
    if choices.number(0, 1):
        plain = choices.data(255) * choices.pick((1, 1, 100, 1_000))
        names = [choices.pick(_NAMES) for _ in range(choices.number(1, 4))]
        body = plain
        for name in names:
            body = _ENCODERS[name](body)
        header = ", ".join(names)
        spoilt = spoil(body, choices)
        if spoilt == body:
            _check_whole(body, header, plain, limit)
        body = spoilt
    else:
        header = choices.pick((*_NAMES, "gzip, gzip, gzip, gzip", "br,deflate", "x-gzip", "compress", choices.text(30)))
        body = choices.rest()
    decoded = decode(body, header, limit=limit)
    encoded_as_it_came = decoded.encoded and decoded.body == body
    assert len(decoded.body) <= limit or encoded_as_it_came or decoded.body == body, "more than the limit came out"


def _check_whole(body: bytes, header: str, plain: bytes, limit: int) -> None:
    decoded = decode(body, header, limit=limit)
    if not decoded.encoded and not decoded.truncated:
        assert decoded.body == plain, "a body changes on its way"
    elif not decoded.encoded:
        assert decoded.body == plain[:limit], "a cut body is not the beginning of the whole"
    else:
        assert decoded.truncated, "what was encoded cannot be decoded"


def seeds() -> Iterator[bytes]:
    """Give one body for each encoding, by hand and by decision."""
    for number, name in enumerate(_NAMES):
        yield bytes([0, 0, number]) + _ENCODERS[name](b'{"a": [1, 2, 3]}' * 4)
        yield bytes([0, 1, 20]) + b"0123456789abcdef----" + bytes([2, 0, number, 0, 0])
    yield bytes([0, 0, 5]) + _gzip(_gzip(_gzip(_gzip(b"\0" * 100_000))))
    yield bytes([0, 0, 0]) + _gzip(b"a") + _gzip(b"b")


TARGET: Final = Target(
    check=check, seeds=seeds, tokens=(b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x78\x9c"), longest=1024
)
