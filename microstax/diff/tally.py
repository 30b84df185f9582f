"""What is counted about one discrepancy: sums and small sketches only, so that it merges in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from microstax.diff.distinct import Distinct
from microstax.diff.forms import Forms
from microstax.diff.hottest import Hottest
from microstax.diff.origins import Origins
from microstax.diff.repeats import Repeats
from microstax.diff.samples import SEEN_PAIRS, Sample
from microstax.diff.wire import Packed, count, items, text

CONTEXTS: Final = 64
_EXAMPLES: Final = 8
"""No tally has more; what says so is damaged."""


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
    one for this pair: `alone`, of which `formatted` hold a value of a format that is made anew for every answer. Of a
    shift, `branch_only` counts where the branch's number is the larger and `control_only` where the control's is.
    `contexts` are the inputs of `branch_only` and `alone`, `seen` a sample of their pairs; `inputs` those that show it
    most often on either side. Of values that differ, `formats` counts those on the branch's side, `origins` what sets
    the control apart.
    """

    __slots__ = (
        "alone",
        "both",
        "branch_only",
        "contexts",
        "control_only",
        "examples",
        "formats",
        "formatted",
        "inputs",
        "origins",
        "repeats",
        "seen",
        "wanted",
    )

    def __init__(self, wanted: int = 1) -> None:
        self.branch_only = self.control_only = self.both = self.alone = self.formatted = 0
        self.contexts = Distinct(CONTEXTS)
        self.seen = Sample(SEEN_PAIRS)
        self.inputs = Hottest()
        self.formats = Forms()
        self.origins = Origins()
        self.repeats = Repeats()
        self.wanted = wanted
        self.examples: tuple[Example, ...] = ()

    @property
    def example(self) -> Example | None:
        """The best example, None while there is none."""
        return self.examples[0] if self.examples else None

    @property
    def branch(self) -> int:
        """In how many pairs the branch differs from the baseline."""
        return self.branch_only + self.both + self.alone

    @property
    def control(self) -> int:
        """In how many triples the control differs from the baseline: noise."""
        return self.control_only + self.both

    @property
    def hottest(self) -> tuple[tuple[int, int], ...]:
        """(branch_only + alone, control_only) of the inputs that show it most often; exact up to eight inputs."""
        return self.inputs.sightings()

    @property
    def forms(self) -> Mapping[str, int]:
        """Which formats stood on the two sides, how often: `uuid>hex`."""
        return self.formats.numbers

    @property
    def varies(self) -> bool:
        """Tell whether the baseline itself was seen to answer one input in two ways here."""
        return self.repeats.varied

    @property
    def unexplained(self) -> int:
        """How much more often it was seen on the branch than noise was: which discrepancies are worth describing."""
        return self.branch_only + self.alone - self.control_only - self.formatted

    @property
    def weight(self) -> int:
        """How often anything was counted."""
        return self.branch + self.control_only

    def add_branch(self, context: int) -> None:
        """Count a pair in which the branch differs and the control does not."""
        self.branch_only += 1
        self.contexts.add(context)
        self.inputs.add(context, 1)

    def add_control(self, context: int) -> None:
        """Count a pair in which the control differs and the branch does not."""
        self.control_only += 1
        self.inputs.add(context, 2)

    def add_both(self) -> None:
        """Count a triple in which branch and control differ."""
        self.both += 1

    def add_alone(self, context: int, *, formatted: bool) -> bool:
        """Count a pair that has no control; tell whether `repeats` wants to know what the baseline has there."""
        self.alone += 1
        self.formatted += formatted
        self.contexts.add(context)
        self.inputs.add(context, 1)
        return self.repeats.wants(context)

    def wants(self, rank: int) -> bool:
        """Tell whether an example of this rank would be kept."""
        return len(self.examples) < self.wanted or self.examples[-1].rank > rank

    def show(self, rank: int, pair: str, sides: tuple[str, str]) -> None:
        """Offer an example."""
        self.examples = tuple(sorted({*self.examples, Example(rank, pair, *sides)})[: self.wanted])

    def take_back(self, pair: str) -> None:
        """Forget an example that nobody wants."""
        self.examples = tuple(example for example in self.examples if example.pair != pair)

    def merge(self, other: "Tally") -> None:
        """Add another one's counts."""
        self.branch_only += other.branch_only
        self.control_only += other.control_only
        self.both += other.both
        self.alone += other.alone
        self.formatted += other.formatted
        self.contexts.merge(other.contexts)
        self.seen.merge(other.seen)
        self.inputs.merge(other.inputs)
        self.formats.merge(other.formats)
        self.origins.merge(other.origins)
        self.repeats.merge(other.repeats)
        self.wanted = max(self.wanted, other.wanted)
        self.examples = tuple(sorted({*self.examples, *other.examples})[: self.wanted])

    def pack(self) -> Packed:
        """Return all as plain values."""
        return [
            [self.branch_only, self.control_only, self.both, self.alone, self.formatted],
            self.contexts.pack(),
            [self.wanted, [[one.rank, one.pair, one.baseline, one.branch] for one in self.examples]],
            self.repeats.pack(),
            self.seen.pack(),
            self.inputs.pack(),
            self.formats.pack(),
            self.origins.pack(),
        ]

    @classmethod
    def unpack(cls, packed: Packed) -> "Tally":
        """Return what `pack` gave."""
        numbers, contexts, examples, repeats, seen, hottest, forms, origins = items(packed, 8)
        wanted, shown = items(examples, 2)
        made = cls(min(count(wanted), _EXAMPLES))
        made.branch_only, made.control_only, made.both, made.alone, made.formatted = map(count, items(numbers, 5))
        made.contexts = Distinct.unpack(contexts, CONTEXTS)
        made.seen = Sample.unpack(seen, SEEN_PAIRS)
        made.examples = tuple(sorted(map(_example, items(shown)))[: made.wanted])
        made.repeats = Repeats.unpack(repeats)
        made.inputs = Hottest.unpack(hottest)
        made.formats = Forms.unpack(forms)
        made.origins = Origins.unpack(origins)
        return made


def _example(packed: Packed) -> Example:
    rank, *texts = items(packed, 4)
    return Example(count(rank), *map(text, texts))
