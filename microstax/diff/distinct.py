"""Count distinct things in bounded memory, and compare such counts: a bottom-k sketch.

It keeps the k smallest of the 64-bit hashes it was shown (Bar-Yossef et al. 2002, "Counting distinct elements in a data
stream"). Up to k the count is exact; beyond, (k-1) / (k-th smallest hash as a share of 2^64), with a relative standard
error of 1/sqrt(k-2). Union is the k smallest of both, so it merges in any order. Unlike in a HyperLogLog, what is kept
is a uniform sample of the things themselves: the share of a subset is counted in the sample and never exceeds 1.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

from microstax.diff.wire import Packed, data

_HASH_BYTES: Final = 8
_SPACE: Final = 2.0**64


class Distinct:
    """A bottom-k sketch; `size` is k."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.hashes: list[int] = []

    def add(self, item: int) -> None:
        """Count a thing, given as a uniform 64-bit hash."""
        hashes = self.hashes
        if len(hashes) == self.size and item >= hashes[-1]:
            return
        at = bisect_left(hashes, item)
        if at < len(hashes) and hashes[at] == item:
            return
        insort(hashes, item)
        if len(hashes) > self.size:
            hashes.pop()

    def merge(self, other: "Distinct") -> None:
        """Become the union with another sketch of the same size."""
        self.hashes = sorted({*self.hashes, *other.hashes})[: self.size]

    def estimate(self) -> int:
        """Return how many distinct things were counted."""
        if not self.is_full:
            return len(self.hashes)
        return round((self.size - 1) / ((self.hashes[-1] + 1) / _SPACE))

    @property
    def is_full(self) -> bool:
        """Tell whether things may have been left out."""
        return len(self.hashes) >= self.size

    def pack(self) -> Packed:
        """Return the hashes as bytes."""
        return b"".join(item.to_bytes(_HASH_BYTES, "big") for item in self.hashes)

    @classmethod
    def unpack(cls, packed: Packed, size: int) -> "Distinct":
        """Return what `pack` gave, cut to `size`."""
        raw = data(packed)
        if len(raw) % _HASH_BYTES:
            raise ValueError("expected 64-bit hashes")
        made = cls(size)
        hashes = {int.from_bytes(raw[at : at + _HASH_BYTES], "big") for at in range(0, len(raw), _HASH_BYTES)}
        made.hashes = sorted(hashes)[:size]
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distinct) and (self.size, self.hashes) == (other.size, other.hashes)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def share_of(self, subsets: Iterable["Distinct"]) -> float | None:
        """Return which share of the things is in any of the subsets, None where nothing was counted.

        All sketches are cut at the smallest hash up to which each of them is complete: below it they hold the same
        uniform sample of things.
        """
        subsets = list(subsets)
        limit = min((sketch.hashes[-1] for sketch in (self, *subsets) if sketch.is_full), default=2**64)
        sample = {item for item in self.hashes if item <= limit}
        if not sample:
            return None
        hit = {item for subset in subsets for item in subset.hashes if item <= limit}
        return len(sample & hit) / len(sample)
