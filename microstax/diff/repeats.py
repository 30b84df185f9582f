"""Whether the baseline itself answers one input in several ways: all that tells noise where there is no control."""

from typing import Final

from microstax.diff.hashes import hash64
from microstax.diff.wire import Packed, hash_value, items

SIZE: Final = 8
"""Inputs of which the baseline's answers are compared among each other."""


class Repeats:
    """Of the inputs with the smallest hashes, the smallest value seen (as a hash) and whether there was another.

    That is a join, so the order does not matter.
    """

    __slots__ = ("_limit", "seen")

    def __init__(self) -> None:
        self._limit = 2**64
        self.seen: dict[int, tuple[int, bool]] = {}

    @property
    def varied(self) -> bool:
        """Tell whether any input had two values."""
        return any(varied for _, varied in self.seen.values())

    def wants(self, context: int) -> bool:
        """Tell whether the input is, or would be, one of those that are kept."""
        return context <= self._limit

    def note(self, context: int, value: int, *, varied: bool) -> None:
        """Note one value of an input; `varied`: another one was seen already."""
        known = self.seen.get(context)
        if known is not None:
            self.seen[context] = (min(known[0], value), varied or known[1] or known[0] != value)
        elif self.wants(context):
            self.seen[context] = (value, varied)
            if len(self.seen) > SIZE:
                del self.seen[max(self.seen)]
            if len(self.seen) == SIZE:
                self._limit = max(self.seen)

    def note_text(self, context: int, value: str) -> None:
        """Note what the baseline said to an input."""
        self.note(context, hash64(value.encode("utf-8", "surrogatepass")), varied=False)

    def merge(self, other: "Repeats") -> None:
        """Add what another one noted."""
        for context, (value, varied) in other.seen.items():
            self.note(context, value, varied=varied)

    def pack(self) -> Packed:
        """Return all as plain values."""
        return [[context, value, varied] for context, (value, varied) in sorted(self.seen.items())]

    @classmethod
    def unpack(cls, packed: Packed) -> "Repeats":
        """Return what `pack` gave."""
        made = cls()
        for repeat in items(packed):
            context, value, varied = items(repeat, 3)
            made.note(hash_value(context), hash_value(value), varied=bool(varied))
        return made
