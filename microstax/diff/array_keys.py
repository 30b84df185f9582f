"""What was learned about arrays: which members tell which elements belong together in nearly all pairs."""

from typing import Final

from microstax.diff.wire import Packed, counts, items, mapping

MAX_ARRAYS: Final = 256
MAX_NAMES: Final = 8
_ENOUGH: Final = 20
_NEARLY_ALL: Final = 0.95
_MOST: Final = 2**40


class ArrayKeys:
    """Counts, for each array and member, in how many pairs it was looked at and in how many it told elements apart.

    `seed` is what was learned before: it is consulted and handed on, but it is not counted again when deltas merge.
    """

    __slots__ = ("_best", "own", "seed")

    def __init__(self, seed: "_Looks | None" = None) -> None:
        self.seed = seed if seed is not None else _Looks()
        self.own = _Looks()
        self._best: dict[str, str | None] = {}

    def note(self, where: str, name: str, *, unique: bool) -> None:
        """Count one look at a member of the elements of the array `where` (endpoint and path)."""
        self.own.add(where, name, int(unique), 1)
        self._best.pop(where, None)

    def best(self, where: str) -> str | None:
        """Return the member that is a key in nearly all answers; None while too few were seen."""
        if where not in self._best:
            if len(self._best) >= MAX_ARRAYS:
                self._best.clear()
            names = {name for looks in (self.seed, self.own) for name in looks.arrays.get(where, ())}
            keys = [
                (-unique, name)
                for name in names
                for unique, seen in [self._looks(where, name)]
                if _is_key(unique, seen)
            ]
            self._best[where] = min(keys)[1] if keys else None
        return self._best[where]

    def merge(self, other: "ArrayKeys") -> None:
        """Add what another one counted itself."""
        self.own.merge(other.own)
        self._best.clear()

    def fresh(self) -> "ArrayKeys":
        """Return one that has counted nothing, and knows all that this one knows."""
        seed = _Looks()
        seed.merge(self.seed)
        seed.merge(self.own)
        return ArrayKeys(seed)

    def pack(self) -> Packed:
        """Return seed and counts as plain values."""
        return [self.seed.pack(), self.own.pack()]

    @classmethod
    def unpack(cls, packed: Packed) -> "ArrayKeys":
        """Return what `pack` gave."""
        seed, own = items(packed, 2)
        made = cls(_Looks.unpack(seed))
        made.own = _Looks.unpack(own)
        return made

    def _looks(self, where: str, name: str) -> tuple[int, int]:
        pairs = [looks.arrays.get(where, {}).get(name, (0, 0)) for looks in (self.seed, self.own)]
        return pairs[0][0] + pairs[1][0], pairs[0][1] + pairs[1][1]


class _Looks:
    """(unique, seen) by array and member, bounded; what comes when it is full is not learned."""

    __slots__ = ("arrays",)

    def __init__(self) -> None:
        self.arrays: dict[str, dict[str, tuple[int, int]]] = {}

    def add(self, where: str, name: str, unique: int, seen: int) -> None:
        names = self.arrays.get(where)
        if names is None:
            if len(self.arrays) >= MAX_ARRAYS:
                return
            names = self.arrays[where] = {}
        if name in names or len(names) < MAX_NAMES:
            before = names.get(name, (0, 0))
            names[name] = (min(before[0] + unique, _MOST), min(before[1] + seen, _MOST))

    def merge(self, other: "_Looks") -> None:
        for where, names in other.arrays.items():
            for name, (unique, seen) in names.items():
                self.add(where, name, unique, seen)

    def pack(self) -> Packed:
        return {where: {name: list(pair) for name, pair in names.items()} for where, names in self.arrays.items()}

    @classmethod
    def unpack(cls, packed: Packed) -> "_Looks":
        made = cls()
        for where, names in mapping(packed).items():
            for name, pair in mapping(names).items():
                unique, seen = counts(pair, 2)
                made.add(where, name, unique, seen)
        return made


def _is_key(unique: int, seen: int) -> bool:
    return seen >= _ENOUGH and unique >= _NEARLY_ALL * seen
