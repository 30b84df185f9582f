"""All that is counted about one endpoint."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from microstax.diff.clocks import is_reading
from microstax.diff.discrepancy import HEADER, Discrepancy, discrepancy_of
from microstax.diff.distinct import Distinct
from microstax.diff.formats import format_of
from microstax.diff.hashes import hash64
from microstax.diff.latency import Latencies
from microstax.diff.samples import DESCRIBED_PAIRS, ENDPOINT_PAIRS, REQUESTS, Requests, Sample
from microstax.diff.tally import Example, Tally
from microstax.diff.wire import Packed, count, items, text
from microstax.model.difference import Difference

CONTEXTS: Final = 512
TALLIES: Final = 128
"""Discrepancies that are kept of one endpoint; twice as many while a flush lasts."""
_SIDES_SHOWN: Final = 200

Describe = Callable[[], tuple[str, ...]]
"""Returns the features of the request at hand; it is asked only for pairs that enter a sample."""
MayShow = Callable[[Discrepancy, int], bool]
"""(discrepancy, rank): whether an example of it is wanted."""


class EndpointAggregate:
    """Counts of one endpoint. `folded` counts what was seen of discrepancies too rare to be kept.

    `sample` holds some of the pairs, `requests` what their requests and those of discrepancies were like. `told` are
    the samples of discrepancies that earlier deltas held and this one has not seen yet.
    """

    __slots__ = ("contexts", "folded", "latencies", "pairs", "requests", "sample", "tallies", "told", "triples")

    def __init__(self) -> None:
        self.pairs = self.triples = self.folded = 0
        self.contexts = Distinct(CONTEXTS)
        self.tallies: dict[Discrepancy, Tally] = {}
        self.latencies = Latencies()
        self.sample = Sample(ENDPOINT_PAIRS)
        self.requests = Requests()
        self.told: dict[Discrepancy, Sample] = {}

    def rest(self) -> "EndpointAggregate":
        """Return what the next delta begins with: no counts, and what need not be told again."""
        made = EndpointAggregate()
        made.sample = self.sample.rest()
        made.told = {} if len(self.told) > TALLIES else self.told.copy()
        made.told.update((discrepancy, tally.seen.rest()) for discrepancy, tally in self.tallies.items())
        return made

    def add(
        self,
        branch: tuple[Difference, ...],
        control: tuple[Difference, ...] | None,
        *,
        pair: str,
        context: int,
        may_show: MayShow,
        describe: Describe = tuple,
    ) -> bool:
        """Count a pair; `control` is None where no control answered. Tell whether it became an example of something."""
        self.pairs += 1
        self.triples += control is not None
        self.contexts.add(context)
        number = hash64(pair.encode("utf-8", "surrogatepass"))
        wanted = self.sample.take(number)
        if not branch and not control:
            if wanted:
                self.requests.describe(number, describe())
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
                wanted |= tally.seen.take(number)
            elif reading or discrepancy in noise:
                tally.add_both(pair, sides)
                noise.discard(discrepancy)
            else:
                tally.add_branch(pair, context, sides)
                wanted |= tally.seen.take(number)
            kept |= _settle_example(tally, before, discrepancy, may_show)
        for discrepancy in noise:
            self._tally(discrepancy).control_only += 1
        if wanted:
            self.requests.describe(number, describe())
        if len(self.tallies) > 2 * TALLIES or len(self.requests) > 2 * REQUESTS:
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
        self.sample.merge(other.sample)
        self.requests.merge(other.requests)
        if len(self.tallies) > 2 * TALLIES or len(self.requests) > 2 * REQUESTS:
            self.limit(TALLIES)

    def limit(self, most: int) -> None:
        """Keep the `most` discrepancies that were seen most often; of the rest, how often they were seen."""
        self._limit_tallies(most)
        self.limit_requests(REQUESTS)

    def limit_requests(self, most: int) -> None:
        """Forget what the requests were like that no sample holds, and beyond `most` those that serve least."""
        self.requests = self.requests.kept(self._described(), most)

    def _described(self) -> Iterator[int]:
        """Yield the pairs whose requests should be described, the ones first that serve most.

        Half of the endpoint's own; then those of the discrepancies that noise explains least, which share them if they
        come together; then the other half.
        """
        own = self.sample.hashes
        ordered = sorted(self.tallies.items(), key=lambda item: (-item[1].unexplained, item[0]))
        seen = (pair for _, tally in ordered for pair in tally.seen.hashes[:DESCRIBED_PAIRS])
        return chain(own[: ENDPOINT_PAIRS // 2], seen, own[ENDPOINT_PAIRS // 2 :])

    def _limit_tallies(self, most: int) -> None:
        if len(self.tallies) <= most:
            return
        ordered = sorted(self.tallies.items(), key=lambda item: (-item[1].weight, item[0]))
        self.folded += sum(tally.weight for _, tally in ordered[most:])
        self.tallies = dict(ordered[:most])

    def pack(self) -> Packed:
        """Return all as plain values."""
        tallies = [[list(discrepancy), tally.pack()] for discrepancy, tally in sorted(self.tallies.items(), key=_first)]
        numbers = [self.pairs, self.triples, self.folded]
        return [
            numbers,
            self.contexts.pack(),
            tallies,
            self.latencies.pack(),
            self.sample.pack(),
            self.requests.kept(self._described(), REQUESTS).pack(),
        ]

    @classmethod
    def unpack(cls, packed: Packed) -> "EndpointAggregate":
        """Return what `pack` gave."""
        numbers, contexts, tallies, latencies, sample, requests = items(packed, 6)
        made = cls()
        made.pairs, made.triples, made.folded = map(count, items(numbers, 3))
        made.contexts = Distinct.unpack(contexts, CONTEXTS)
        for entry in items(tallies):
            discrepancy, tally = items(entry, 2)
            made._tally(Discrepancy(*map(text, items(discrepancy, 4)))).merge(Tally.unpack(tally))
        made.latencies = Latencies.unpack(latencies)
        made.sample = Sample.unpack(sample, ENDPOINT_PAIRS)
        made.requests = Requests.unpack(requests)
        return made

    def _tally(self, discrepancy: Discrepancy) -> Tally:
        tally = self.tallies.get(discrepancy)
        if tally is None:
            tally = self.tallies[discrepancy] = Tally()
            tally.seen = self.told.pop(discrepancy, tally.seen)
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
