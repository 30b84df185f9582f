"""All that is counted about one endpoint."""

from collections.abc import Callable, Iterable
from typing import Final

from microstax.diff.clocks import is_reading
from microstax.diff.discrepancy import HEADER, Discrepancy, discrepancy_of
from microstax.diff.distinct import Distinct
from microstax.diff.formats import format_of
from microstax.diff.latency import Latencies
from microstax.diff.tally import Example, Tally
from microstax.diff.wire import Packed, count, items, text
from microstax.model.difference import Difference

CONTEXTS: Final = 512
TALLIES: Final = 128
"""Discrepancies that are kept of one endpoint; twice as many while a flush lasts."""
_SIDES_SHOWN: Final = 200

MayShow = Callable[[Discrepancy, int], bool]
"""(discrepancy, rank): whether an example of it is wanted."""


class EndpointAggregate:
    """Counts of one endpoint. `folded` counts what was seen of discrepancies too rare to be kept."""

    __slots__ = ("contexts", "folded", "latencies", "pairs", "tallies", "triples")

    def __init__(self) -> None:
        self.pairs = self.triples = self.folded = 0
        self.contexts = Distinct(CONTEXTS)
        self.tallies: dict[Discrepancy, Tally] = {}
        self.latencies = Latencies()

    def add(
        self,
        branch: tuple[Difference, ...],
        control: tuple[Difference, ...] | None,
        *,
        pair: str,
        context: int,
        may_show: MayShow,
    ) -> bool:
        """Count a pair; `control` is None where no control answered. Tell whether it became an example of something."""
        self.pairs += 1
        self.triples += control is not None
        self.contexts.add(context)
        if not branch and not control:
            return False
        noise = _more_than_readings(control) if control else set()
        kept = False
        for discrepancy, difference in _by_discrepancy(branch).items():
            reading = control is not None and is_reading(difference)
            if reading and discrepancy in noise:
                continue  # the control's alone, below; taken the other way round it would be the branch's alone
            tally, sides = self._tally(discrepancy), _sides(difference)
            before = tally.example
            if control is None:
                tally.add_alone(pair, context, sides, formatted=_is_formatted(discrepancy, sides))
            elif reading or discrepancy in noise:
                tally.add_both(pair, sides)
                noise.discard(discrepancy)
            else:
                tally.add_branch(pair, context, sides)
            kept |= _settle_example(tally, before, discrepancy, may_show)
        for discrepancy in noise:
            self._tally(discrepancy).control_only += 1
        if len(self.tallies) > 2 * TALLIES:
            self.limit(TALLIES)
        return kept

    def merge(self, other: "EndpointAggregate") -> None:
        """Add another one's counts."""
        self.pairs += other.pairs
        self.triples += other.triples
        self.folded += other.folded
        self.contexts.merge(other.contexts)
        self.latencies.merge(other.latencies)
        for discrepancy, tally in other.tallies.items():
            self._tally(discrepancy).merge(tally)
        if len(self.tallies) > 2 * TALLIES:
            self.limit(TALLIES)

    def limit(self, most: int) -> None:
        """Keep the `most` discrepancies that were seen most often; of the rest, how often they were seen."""
        if len(self.tallies) <= most:
            return
        ordered = sorted(self.tallies.items(), key=lambda item: (-item[1].weight, item[0]))
        self.folded += sum(tally.weight for _, tally in ordered[most:])
        self.tallies = dict(ordered[:most])

    def pack(self) -> Packed:
        """Return all as plain values."""
        tallies = [[list(discrepancy), tally.pack()] for discrepancy, tally in sorted(self.tallies.items(), key=_first)]
        numbers = [self.pairs, self.triples, self.folded]
        return [numbers, self.contexts.pack(), tallies, self.latencies.pack()]

    @classmethod
    def unpack(cls, packed: Packed) -> "EndpointAggregate":
        """Return what `pack` gave."""
        numbers, contexts, tallies, latencies = items(packed, 4)
        made = cls()
        made.pairs, made.triples, made.folded = map(count, items(numbers, 3))
        made.contexts = Distinct.unpack(contexts, CONTEXTS)
        for entry in items(tallies):
            discrepancy, tally = items(entry, 2)
            made._tally(Discrepancy(*map(text, items(discrepancy, 4)))).merge(Tally.unpack(tally))
        made.latencies = Latencies.unpack(latencies)
        return made

    def _tally(self, discrepancy: Discrepancy) -> Tally:
        tally = self.tallies.get(discrepancy)
        if tally is None:
            tally = self.tallies[discrepancy] = Tally()
        return tally


def _first(item: tuple[Discrepancy, Tally]) -> Discrepancy:
    return item[0]


def _by_discrepancy(differences: Iterable[Difference]) -> dict[Discrepancy, Difference]:
    """Return each discrepancy once: a pair counts once. It shows the first difference that is more than the time."""
    found: dict[Discrepancy, Difference] = {}
    for difference in differences:
        discrepancy = discrepancy_of(difference)
        if discrepancy not in found or is_reading(found[discrepancy]):
            found[discrepancy] = difference
    return found


def _more_than_readings(differences: Iterable[Difference]) -> set[Discrepancy]:
    """Return the discrepancies of the control; two readings of a clock are none, for it as for the branch."""
    return {found for found, difference in _by_discrepancy(differences).items() if not is_reading(difference)}


def _settle_example(tally: Tally, before: Example | None, discrepancy: Discrepancy, may_show: MayShow) -> bool:
    """Tell whether the tally has a new example; take it back if nobody wants it."""
    if tally.example is before or tally.example is None:
        return False
    if may_show(discrepancy, tally.example.rank):
        return True
    tally.example = before
    return False


def _sides(difference: Difference) -> tuple[str, str]:
    before, after = difference.baseline, difference.branch
    return (
        "" if before is None else str(before)[:_SIDES_SHOWN],
        "" if after is None else str(after)[:_SIDES_SHOWN],
    )


def _is_formatted(discrepancy: Discrepancy, sides: tuple[str, str]) -> bool:
    """Tell whether both sides have the same format that is made anew for every answer."""
    before, after = (f'"{side}"' for side in sides) if discrepancy.family == HEADER else sides
    found = format_of(before)
    return found is not None and found is format_of(after)
