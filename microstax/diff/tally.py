"""What is counted about one discrepancy: sums and small sketches only, so that it merges in any order."""

from dataclasses import dataclass
from typing import Final

from microstax.diff.distinct import Distinct
from microstax.diff.hashes import hash64
from microstax.diff.samples import SEEN_PAIRS, Sample
from microstax.diff.wire import Packed, count, items, text

CONTEXTS: Final = 64
_REPEATS: Final = 8
"""Inputs of which the baseline's answers are compared among each other, where there is no control."""


@dataclass(frozen=True, slots=True, order=True)
class Example:
    """A pair that shows the discrepancy, with what stood on the two sides. Rank 0: the branch alone differs."""

    rank: int
    pair: str
    baseline: str
    branch: str


class Tally:
    """Counts over the pairs of one endpoint; every pair counts once.

    With a control: `branch_only` (b: the branch differs, the control does not), `control_only` (c), `both`. Without
    one for this pair: `alone`, of which `formatted` hold a value of a format that is made anew for every answer.
    `contexts` are the inputs of `branch_only` and `alone`, `seen` a sample of their pairs.
    """

    __slots__ = ("alone", "both", "branch_only", "contexts", "control_only", "example", "formatted", "repeats", "seen")

    def __init__(self) -> None:
        self.branch_only = self.control_only = self.both = self.alone = self.formatted = 0
        self.contexts = Distinct(CONTEXTS)
        self.seen = Sample(SEEN_PAIRS)
        self.example: Example | None = None
        self.repeats: dict[int, tuple[int, bool]] = {}

    @property
    def branch(self) -> int:
        """In how many pairs the branch differs from the baseline."""
        return self.branch_only + self.both + self.alone

    @property
    def control(self) -> int:
        """In how many triples the control differs from the baseline: noise."""
        return self.control_only + self.both

    @property
    def varies(self) -> bool:
        """Tell whether the baseline itself was seen to answer one input in two ways here."""
        return any(varied for _, varied in self.repeats.values())

    @property
    def unexplained(self) -> int:
        """How much more often it was seen on the branch than noise was: which discrepancies are worth describing."""
        return self.branch_only + self.alone - self.control_only - self.formatted

    @property
    def weight(self) -> int:
        """How often anything was counted."""
        return self.branch + self.control_only

    def add_branch(self, pair: str, context: int, sides: tuple[str, str]) -> bool:
        """Count a pair in which the branch differs and the control does not; tell whether it became the example."""
        self.branch_only += 1
        self.contexts.add(context)
        return self._show(0, pair, sides)

    def add_alone(self, pair: str, context: int, sides: tuple[str, str], *, formatted: bool) -> bool:
        """Count a pair that has no control; tell whether it became the example."""
        self.alone += 1
        self.formatted += formatted
        self.contexts.add(context)
        if context in self.repeats or len(self.repeats) < _REPEATS or context < max(self.repeats):
            self._note_repeat(context, hash64(sides[0].encode("utf-8", "surrogatepass")), varied=False)
        return self._show(0, pair, sides)

    def add_both(self, pair: str, sides: tuple[str, str]) -> bool:
        """Count a triple in which branch and control differ; tell whether it became the example."""
        self.both += 1
        return self._show(1, pair, sides)

    def merge(self, other: "Tally") -> None:
        """Add another one's counts."""
        self.branch_only += other.branch_only
        self.control_only += other.control_only
        self.both += other.both
        self.alone += other.alone
        self.formatted += other.formatted
        self.contexts.merge(other.contexts)
        self.seen.merge(other.seen)
        self.example = min((one for one in (self.example, other.example) if one is not None), default=None)
        for context, (value, varied) in other.repeats.items():
            self._note_repeat(context, value, varied=varied)

    def pack(self) -> Packed:
        """Return all as plain values."""
        example = self.example
        return [
            [self.branch_only, self.control_only, self.both, self.alone, self.formatted],
            self.contexts.pack(),
            None if example is None else [example.rank, example.pair, example.baseline, example.branch],
            [[context, value, varied] for context, (value, varied) in sorted(self.repeats.items())],
            self.seen.pack(),
        ]

    @classmethod
    def unpack(cls, packed: Packed) -> "Tally":
        """Return what `pack` gave."""
        numbers, contexts, example, repeats, seen = items(packed, 5)
        made = cls()
        made.branch_only, made.control_only, made.both, made.alone, made.formatted = map(count, items(numbers, 5))
        made.contexts = Distinct.unpack(contexts, CONTEXTS)
        made.seen = Sample.unpack(seen, SEEN_PAIRS)
        if example is not None:
            rank, *texts = items(example, 4)
            made.example = Example(count(rank), *map(text, texts))
        for repeat in items(repeats):
            context, value, varied = items(repeat, 3)
            made._note_repeat(_hash(context), _hash(value), varied=bool(varied))
        return made

    def _show(self, rank: int, pair: str, sides: tuple[str, str]) -> bool:
        if self.example is not None and self.example.rank <= rank:
            return False
        self.example = Example(rank, pair, *sides)
        return True

    def _note_repeat(self, context: int, value: int, *, varied: bool) -> None:
        """Keep, for the inputs with the smallest hashes, whether the baseline's side was always the same.

        That is the smallest value seen and whether there was another: a join, so order does not matter.
        """
        known = self.repeats.get(context)
        if known is not None:
            self.repeats[context] = (min(known[0], value), varied or known[1] or known[0] != value)
        elif len(self.repeats) < _REPEATS or context < max(self.repeats):
            self.repeats[context] = (value, varied)
            if len(self.repeats) > _REPEATS:
                del self.repeats[max(self.repeats)]


def _hash(value: Packed) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**64:
        raise ValueError("expected a 64-bit hash")
    return value
