"""Which formats stood on the two sides where the branch had another value: the signature of a hidden behaviour."""

from typing import Final

from microstax.diff.formats import ANEW
from microstax.diff.wire import Packed, count, mapping

SIZE: Final = 6
OTHER: Final = "other>other"
MADE_ANEW: Final = frozenset(f"{name}>{name}" for name in ANEW)
_LONGEST: Final = 40


class Forms:
    """How often each pair of formats ("uuid>hex") was seen; the rarest beyond SIZE are one, OTHER."""

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def add(self, form: str) -> None:
        """Count one."""
        if form in self.numbers or len(self.numbers) < SIZE:
            self.numbers[form] = self.numbers.get(form, 0) + 1
        else:
            self.numbers[OTHER] = self.numbers.get(OTHER, 0) + 1

    def merge(self, other: "Forms") -> None:
        """Add another one's counts."""
        for form, number in other.numbers.items():
            self.numbers[form] = self.numbers.get(form, 0) + number
        ordered = sorted(self.numbers, key=lambda form: (form == OTHER, -self.numbers[form], form))
        rest = sum(self.numbers.pop(form) for form in ordered[SIZE:])
        if rest:
            self.numbers[OTHER] = self.numbers.get(OTHER, 0) + rest

    def pack(self) -> Packed:
        """Return the counts as plain values."""
        return dict(sorted(self.numbers.items()))

    @classmethod
    def unpack(cls, packed: Packed) -> "Forms":
        """Return what `pack` gave."""
        made = cls()
        for form, number in mapping(packed).items():
            if len(form) > _LONGEST or len(made.numbers) > SIZE:
                raise ValueError("expected a few pairs of formats")
            made.numbers[form] = count(number)
        return made
