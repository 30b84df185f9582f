"""Undoing content-encodings, also of bodies that mean harm."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from microstax.capture.content_encoding import Decoded, decode


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def streamed_zstd(body: bytes) -> bytes:
    """Return a frame that does not say how long its content is."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "zstd-streamed": ("zstd", streamed_zstd),
}
every_encoding = pytest.mark.parametrize(("name", "pack"), PACKERS.values(), ids=PACKERS)
TEXT = b'{"name": "tea", "price": 3}' * 50


@every_encoding
@given(body=st.binary())
def test_round_trip(name: str, pack: Callable[[bytes], bytes], body: bytes) -> None:
    assert decode(pack(body), name) == Decoded(body)


@every_encoding
def test_a_bomb_is_cut_at_the_limit(name: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"\0" * 3_000_000)
    assert len(packed) < 10_000
    assert decode(packed, name, limit=100_000) == Decoded(b"\0" * 100_000, truncated=True)


@every_encoding
def test_a_body_of_just_the_limit_is_whole(name: str, pack: Callable[[bytes], bytes]) -> None:
    assert decode(pack(TEXT), name, limit=len(TEXT)) == Decoded(TEXT)


@every_encoding
def test_a_body_cut_off_on_the_way_is_kept_as_it_came(name: str, pack: Callable[[bytes], bytes]) -> None:
    cut = pack(TEXT)[:-6]
    assert decode(cut, name) == Decoded(cut, encoded=True)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
@given(body=st.binary(min_size=1, max_size=200))
def test_bytes_that_are_not_in_the_encoding_never_raise(name: str, body: bytes) -> None:
    decoded = decode(body, name)
    assert decoded.body == body or not decoded.encoded


@pytest.mark.parametrize("encodings", ["compress", "aws-chunked", "gzip, compress", "gzip,gzip,gzip,gzip,gzip"])
def test_an_encoding_we_do_not_know_is_kept(encodings: str) -> None:
    assert decode(b"packed", encodings) == Decoded(b"packed", encoded=True)


@pytest.mark.parametrize("encodings", ["", "identity", " , identity"])
def test_no_encoding(encodings: str) -> None:
    assert decode(b"plain", encodings) == Decoded(b"plain")


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_an_empty_body_is_empty(name: str) -> None:
    """A 304 or the answer to HEAD has the header without a body."""
    assert decode(b"", name) == Decoded(b"")


def test_stacked_encodings_are_undone_from_the_last_to_the_first() -> None:
    packed = brotli.compress(gzip.compress(TEXT))
    assert decode(packed, "gzip, BR") == Decoded(TEXT)


def test_a_bomb_inside_a_bomb_is_cut() -> None:
    packed = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    decoded = decode(packed, "gzip, gzip", limit=10_000)
    assert decoded.truncated
    assert len(decoded.body) <= 10_000


def test_members_and_frames_one_after_the_other() -> None:
    assert decode(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip").body == b"one two"
    assert decode(zstandard.compress(b"one ") + zstandard.compress(b"two"), "zstd").body == b"one two"
