"""Hashes of contents: without a key, equal in every process, so that aggregates of different workers merge."""

from hashlib import blake2b


def short_hash(data: bytes) -> str:
    """Return 32 bits of a BLAKE2b hash (RFC 7693) as 8 hex digits, for people to compare."""
    return blake2b(data, digest_size=4).hexdigest()


def hash64(data: bytes) -> int:
    """Return a 64-bit BLAKE2b hash, 0..2^64-1, uniform."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
