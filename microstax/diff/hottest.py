"""Which inputs show a discrepancy most often, in bounded memory: one hot request must not decide alone.

A Misra-Gries summary, merged as in Agarwal et al. 2012 ("Mergeable summaries"): after n sightings every input with more
than n / (SIZE + 1) of them is in it. It is exact while no more than SIZE inputs occur.
"""

from typing import Final

from microstax.diff.wire import Packed, counts, hash_value, items

SIZE: Final = 8


class Hottest:
    """Of each kept input: a weight that decides who stays, and its sightings on the branch's and the control's side.

    Sightings are counted from when the input was kept, so they are never more than there were.
    """

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[int, list[int]] = {}

    def add(self, context: int, side: int) -> None:
        """Count a sighting of an input (a 64-bit hash) on the branch's side (1) or the control's (2)."""
        entry = self.entries.get(context)
        if entry is not None:
            entry[0] += 1
            entry[side] += 1
        elif len(self.entries) < SIZE:
            self.entries[context] = [1, 2 - side, side - 1]
        else:
            self._lower(1)

    def merge(self, other: "Hottest") -> None:
        """Add another one's sightings."""
        for context, theirs in other.entries.items():
            ours = self.entries.get(context)
            self.entries[context] = (
                theirs.copy() if ours is None else [a + b for a, b in zip(ours, theirs, strict=True)]
            )
        if len(self.entries) > SIZE:
            self._lower(sorted((entry[0] for entry in self.entries.values()), reverse=True)[SIZE])

    def sightings(self) -> tuple[tuple[int, int], ...]:
        """Return (branch's side, control's side) of the kept inputs, the hottest first."""
        ordered = sorted(((entry[1], entry[2]) for entry in self.entries.values()), key=_hottest_first)
        return tuple(ordered)

    def pack(self) -> Packed:
        """Return all as plain values."""
        return [[context, *entry] for context, entry in sorted(self.entries.items())]

    @classmethod
    def unpack(cls, packed: Packed) -> "Hottest":
        """Return what `pack` gave; more than SIZE inputs or impossible counts are refused."""
        made = cls()
        for one in items(packed):
            context, *numbers = items(one, 4)
            weight, branch, control = counts(numbers, 3)
            if not 0 < weight <= branch + control:
                raise ValueError("expected the sightings of an input")
            made.entries[hash_value(context)] = [weight, branch, control]
        if len(made.entries) > SIZE:
            raise ValueError(f"expected at most {SIZE} inputs")
        return made

    def _lower(self, weight: int) -> None:
        self.entries = {
            context: [entry[0] - weight, *entry[1:]] for context, entry in self.entries.items() if entry[0] > weight
        }


def _hottest_first(sightings: tuple[int, int]) -> tuple[int, int]:
    return -sum(sightings), -sightings[0]
