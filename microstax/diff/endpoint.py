"""All that is counted about one endpoint."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from microstax.diff.counting import Counting, MayShow
from microstax.diff.crowds import RARE, Crowds
from microstax.diff.deviations import Deviations, Found
from microstax.diff.discrepancy import Discrepancy, plain, unpacked
from microstax.diff.distinct import Distinct
from microstax.diff.hashes import hash64
from microstax.diff.latency import Latencies
from microstax.diff.samples import DESCRIBED_PAIRS, ENDPOINT_PAIRS, REQUESTS, Requests, Sample
from microstax.diff.signatures import FORMAT
from microstax.diff.tally import Tally
from microstax.diff.wire import Packed, count, items
from microstax.model.ignore import SIGNATURE_KINDS

CONTEXTS: Final = 512
TALLIES: Final = 256
"""Discrepancies that are kept of one endpoint; twice as many while a flush lasts."""

_PATIENCE: Final = 32
"""After so many discrepancies that were never seen before it is asked whether their names are made by traffic."""

Describe = Callable[[], tuple[str, ...]]
"""Returns the features of the request at hand; it is asked only for pairs that enter a sample."""


class EndpointAggregate:
    """Counts of one endpoint. `folded` counts what was seen of discrepancies too rare to be kept.

    `sample` holds some of the pairs, `requests` what their requests and those of discrepancies were like. `told` are
    the samples of discrepancies that earlier deltas held and this one has not seen yet. `crowds` goes from delta to
    delta, beside what is reported.
    """

    __slots__ = (
        "_patience",
        "_strange",
        "contexts",
        "crowds",
        "folded",
        "latencies",
        "pairs",
        "requests",
        "sample",
        "tallies",
        "told",
        "triples",
    )

    def __init__(self) -> None:
        self.pairs = self.triples = self.folded = 0
        self.contexts = Distinct(CONTEXTS)
        self.tallies: dict[Discrepancy, Tally] = {}
        self.latencies = Latencies()
        self.sample = Sample(ENDPOINT_PAIRS)
        self.requests = Requests()
        self.told: dict[Discrepancy, Sample] = {}
        self.crowds = Crowds()
        self._strange, self._patience = 0, _PATIENCE

    def rest(self) -> "EndpointAggregate":
        """Return what the next delta begins with: no counts, and what need not be told again."""
        made = EndpointAggregate()
        made.sample = self.sample.rest()
        made.told = {} if len(self.told) > TALLIES else self.told.copy()
        made.told.update((discrepancy, tally.seen.rest()) for discrepancy, tally in self.tallies.items())
        made.crowds = Crowds(self.crowds.places)
        made._strange, made._patience = self._strange, self._patience
        return made

    def add(
        self,
        branch: Found,
        control: Found | None,
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
        counting = Counting(self._tally, pair=pair, context=context, number=number, may_show=may_show)
        if control is None:
            counting.alone(self._deviations(branch))
        else:
            counting.triple(self._deviations(branch), self._deviations(control))
        if self._strange > self._patience:
            self._learn_crowds()
        if wanted or counting.wanted:
            self.requests.describe(number, describe())
        if len(self.tallies) > 2 * TALLIES or len(self.requests) > 2 * REQUESTS:
            self.limit(TALLIES)
        return counting.kept

    def is_offset(self, discrepancy: Discrepancy) -> bool:
        """Tell whether an aspect of a value says nothing, since processes are set apart there (see Origins).

        That numbers are larger or texts longer is no news then. That their format is another one is, unless each
        process has one value for ever.
        """
        kind = discrepancy.kind
        if kind not in SIGNATURE_KINDS:
            return False
        tally = self.tallies.get(plain(discrepancy))
        return tally is None or (tally.origins.is_offset and (kind != FORMAT or tally.origins.are_few))

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
        self.requests = self.requests.kept(self._described(most), most)

    def _described(self, most: int) -> Iterator[int]:
        """Yield the pairs whose requests should be described, those first that serve most if only `most` can be.

        Half of the endpoint's own; then those of the discrepancies that noise explains least, which share them if they
        come together; then the other half.
        """
        own, first = self.sample.hashes, min(ENDPOINT_PAIRS, most) // 2
        ordered = sorted(self.tallies.items(), key=lambda item: (-item[1].unexplained, item[0]))
        seen = (pair for _, tally in ordered for pair in tally.seen.hashes[:DESCRIBED_PAIRS])
        return chain(own[:first], seen, own[first:])

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
            self.requests.kept(self._described(REQUESTS), REQUESTS).pack(),
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
            made._tally(unpacked(discrepancy)).merge(Tally.unpack(tally))
        made.latencies = Latencies.unpack(latencies)
        made.sample = Sample.unpack(sample, ENDPOINT_PAIRS)
        made.requests = Requests.unpack(requests)
        return made

    def _deviations(self, found: Found) -> Deviations:
        made = Deviations(found)
        if self.crowds.places:
            self.crowds.extend(made, [discrepancy for discrepancy in made.ways if self._is_rare(discrepancy)])
        return made

    def _is_rare(self, discrepancy: Discrepancy) -> bool:
        """Tell whether it was seen a few times only, in this delta and, on the branch alone, in those before."""
        tally = self.tallies.get(discrepancy)
        if tally is None:
            return discrepancy not in self.told or len(self.told[discrepancy].hashes) <= RARE
        return len(tally.seen.hashes) <= RARE and tally.weight <= RARE

    def _learn_crowds(self) -> None:
        """Look for places where many rare names differ; the less often, the longer there are none."""
        known, rare = len(self.crowds.places), (one for one in (*self.told, *self.tallies) if self._is_rare(one))
        self.crowds.learn([(one, self._seen(one).hashes) for one in rare])
        self._strange = 0
        self._patience = _PATIENCE if len(self.crowds.places) > known else min(2 * self._patience, TALLIES)

    def _seen(self, discrepancy: Discrepancy) -> Sample:
        tally = self.tallies.get(discrepancy)
        return self.told[discrepancy] if tally is None else tally.seen

    def _tally(self, discrepancy: Discrepancy) -> Tally:
        tally = self.tallies.get(discrepancy)
        if tally is None:
            tally = self.tallies[discrepancy] = Tally()
            seen = self.told.pop(discrepancy, None)
            if seen is None:
                self._strange += 1
            else:
                tally.seen = seen
        return tally


def _first(item: tuple[Discrepancy, Tally]) -> Discrepancy:
    return item[0]
