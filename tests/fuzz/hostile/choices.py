"""Decisions read from bytes, so that a fuzzer that changes bytes changes decisions.

Not atheris' FuzzedDataProvider: an input that was found must mean the same where atheris is not installed.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Reads `data` from the front. When nothing is left, every answer is the first, the smallest or the empty one."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes were not read yet."""
        return max(0, len(self._data) - self._at)

    def number(self, low: int, high: int) -> int:
        """Return an integer of low..high."""
        size = ((high - low).bit_length() + 7) // 8
        value = int.from_bytes(self._take(size), "little")
        return low + value % (high - low + 1)

    def chance(self, of: int) -> bool:
        """Return True once in `of` times, about; False when nothing is left."""
        return self.left > 0 and self.number(1, of) == 1

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.number(0, len(options) - 1)]

    def data(self, most: int) -> bytes:
        """Return up to `most` bytes."""
        return self._take(self.number(0, most))

    def text(self, most: int) -> str:
        """Return a text of up to `most` bytes; bytes that are no UTF-8 are characters of their own."""
        raw = self.data(most)
        try:
            return raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def rest(self) -> bytes:
        """Return all that is left."""
        return self._take(self.left)

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken
