"""Check plain values that came out of msgpack: bytes from a disk or a socket are not to be trusted in their shape.

Every function raises ValueError with what it expected; microstax.diff.aggregate turns it into an error for users.
"""

from typing import Any, Final

Packed = Any
"""Plain values that msgpack carries: None, bool, int, float, str, bytes, list, dict."""
MOST: Final = 2**64 - 1
"""What msgpack can carry; larger counts are written as this one."""
_SATURATED: Final = 2**63 - 1
"""Larger ones are read as this one: nobody counts so far, and sums of what liars send can still be read."""


def mapping(value: Packed) -> dict[str, Packed]:
    """Return a dict with text keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError("expected a map with text keys")
    return value


def items(value: Packed, length: int | None = None) -> list[Packed]:
    """Return a list, of `length` items if given."""
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise ValueError(f"expected a list of {'any number of' if length is None else length} items")
    return value


def count(value: Packed) -> int:
    """Return an integer of 0..MOST, at most _SATURATED."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise ValueError("expected a count")
    return min(value, _SATURATED)


def counts(value: Packed, length: int) -> list[int]:
    """Return a list of `length` counts."""
    return [count(item) for item in items(value, length)]


def hash_value(value: Packed) -> int:
    """Return a 64-bit hash."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**64:
        raise ValueError("expected a 64-bit hash")
    return value


def text(value: Packed) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ValueError("expected a text")  # noqa: TRY004  # one error for everything that is not as it should be
    return value


def data(value: Packed) -> bytes:
    """Return bytes."""
    if not isinstance(value, bytes):
        raise ValueError("expected bytes")  # noqa: TRY004  # as above
    return value
