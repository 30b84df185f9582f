"""From aggregates to judged discrepancies: what is asked about each endpoint, and all answers in one family."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from microstax.diff.aggregate import ServiceAggregate
from microstax.diff.counts import NEARLY_ALL, Counts, Judgement, Policy
from microstax.diff.discrepancy import HEADER, VALUE, Discrepancy, reversed_of
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.expecting import Expecting
from microstax.diff.grouping import sightings
from microstax.diff.hiding import Hidden
from microstax.diff.signatures import SHIFT
from microstax.diff.tally import Tally
from microstax.diff.verdict import clean_needs, judge
from microstax.model.difference import HeaderKind, ShapeKind
from microstax.model.report import Verdict

_CONTROL_ANSWERS: Final = 200
"""Among so many pairs a control that gets 5% of the requests has answered once: it has not with a chance of 4e-5."""
_PRESENCE: Final = {HeaderKind.MISSING.value, HeaderKind.EXTRA.value}


@dataclass(frozen=True, slots=True)
class Case:
    """One discrepancy that was judged; `expected`: the user declared it."""

    discrepancy: Discrepancy
    tally: Tally
    judgement: Judgement
    expected: bool

    @property
    def is_drift(self) -> bool:
        """Tell whether it is different, and nobody said that it would be."""
        return self.judgement.verdict == "different" and not self.expected

    @property
    def is_open(self) -> bool:
        """Tell whether it waits for more traffic, and nobody said that it would be there."""
        return self.judgement.verdict == "undecided" and not self.expected and self.count > 0

    @property
    def count(self) -> int:
        """Return in how many pairs the branch shows it."""
        return sightings(self.discrepancy, self.tally)


@dataclass(slots=True)
class JudgedEndpoint:
    """One endpoint with its verdicts. `clean` is how many more pairs call a place same at which nothing was seen."""

    service: str
    name: str
    aggregate: EndpointAggregate
    calibrated: bool
    clean: int = 0
    cases: list[Case] = field(default_factory=list)
    spikes: Judgement = field(default_factory=lambda: Judgement(verdict="undecided"))

    @property
    def verdict(self) -> Verdict:
        """Tell how the endpoint behaves, apart from what was declared."""
        if any(case.is_drift for case in self.cases):
            return "different"
        return "undecided" if self.clean or any(case.is_open for case in self.cases) else "same"

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing but the number of pairs keeps the endpoint from being the same."""
        return self.verdict == "undecided" and not any(case.is_open for case in self.cases)

    @property
    def one_input(self) -> bool:
        """Tell whether a single input shows a difference, for which more of the same does not decide."""
        return any(case.is_open and case.judgement.one_input for case in self.cases)

    @property
    def needs(self) -> int | None:
        """Return how many more pairs decide; None where it is decided, or where more of the same would not."""
        if self.verdict != "undecided":
            return None
        wanted = [case.judgement.needs for case in self.cases if case.is_open]
        if None in wanted:
            return None
        return max([self.clean, *(one for one in wanted if one is not None)])


@dataclass(frozen=True, slots=True)
class Family:
    """All endpoints of a report, judged together; `hypotheses` says how many questions were asked."""

    endpoints: list[JudgedEndpoint]
    hypotheses: int


def judge_all(
    aggregates: Mapping[str, ServiceAggregate],
    *,
    hidden: Hidden,
    expecting: Expecting,
    policy: Policy,
    controlled: frozenset[str] = frozenset(),
) -> Family:
    """Judge every discrepancy that no rule hides, and the spikes of every endpoint, as one family.

    The services in `controlled` have a control. While it may still answer for the first time, nothing is judged without
    it.
    """
    endpoints = [
        JudgedEndpoint(
            service,
            name,
            endpoint,
            aggregate.triples > 0 or (service in controlled and aggregate.pairs < _CONTROL_ANSWERS),
            _clean(endpoint, policy),
        )
        for service, aggregate in sorted(aggregates.items())
        for name, endpoint in sorted(aggregate.endpoints.items())
    ]
    asked = [_asked(one.aggregate, hidden.rest(one.service, one.name, one.aggregate)) for one in endpoints]
    family: list[Counts] = []
    for endpoint, tallies in zip(endpoints, asked, strict=True):
        family += [_counts(endpoint, discrepancy, tally) for discrepancy, tally in tallies]
        family.append(_spike_counts(endpoint.aggregate))
    judgements = iter(judge(family, policy))
    for endpoint, tallies in zip(endpoints, asked, strict=True):
        endpoint.cases = [
            Case(
                discrepancy,
                tally,
                next(judgements),
                expecting.is_expected(endpoint.service, endpoint.name, discrepancy),
            )
            for discrepancy, tally in tallies
        ]
        endpoint.spikes = _with_crowd(next(judgements), endpoint.aggregate, policy)
    return Family(endpoints, len(family))


def compared(endpoint: EndpointAggregate) -> int:
    """Return the pairs that tell about the excess over noise: the triples, where (nearly) all pairs have a control."""
    return endpoint.triples if endpoint.triples >= NEARLY_ALL * endpoint.pairs else endpoint.pairs


def _clean(endpoint: EndpointAggregate, policy: Policy) -> int:
    return max(policy.min_pairs - endpoint.pairs, clean_needs(compared(endpoint), policy), 0)


def _asked(
    endpoint: EndpointAggregate, tallies: Iterable[tuple[Discrepancy, Tally]]
) -> list[tuple[Discrepancy, Tally]]:
    """Leave out what sets processes apart that run the same: see EndpointAggregate.is_offset."""
    return [(discrepancy, tally) for discrepancy, tally in tallies if not endpoint.is_offset(discrepancy)]


def _counts(endpoint: JudgedEndpoint, discrepancy: Discrepancy, tally: Tally) -> Counts:
    return Counts(
        pairs=endpoint.aggregate.pairs,
        triples=endpoint.aggregate.triples,
        branch_only=tally.branch_only,
        control_only=tally.control_only,
        both=tally.both,
        alone=tally.alone,
        formatted=tally.formatted,
        reversed=_reversed(endpoint.aggregate, discrepancy),
        varies=tally.varies,
        is_value=_is_value(discrepancy),
        calibrated=endpoint.calibrated,
        contexts=endpoint.aggregate.contexts.estimate(),
        hottest=tally.hottest,
        two_sided=discrepancy.kind == SHIFT,
    )


def _reversed(aggregate: EndpointAggregate, discrepancy: Discrepancy) -> int:
    opposite = reversed_of(discrepancy)
    tally = None if opposite is None else aggregate.tallies.get(opposite)
    return 0 if tally is None else tally.alone


def _is_value(discrepancy: Discrepancy) -> bool:
    """Tell whether it is about what something says, or of which form that is, not about whether it is there."""
    family, kind = discrepancy.family, discrepancy.kind
    return family == VALUE or kind == ShapeKind.ORDER or (family == HEADER and kind not in _PRESENCE)


def _with_crowd(judgement: Judgement, aggregate: EndpointAggregate, policy: Policy) -> Judgement:
    """Call no spikes the same that hit too many requests, though few moments: more of them would be drift."""
    spikes, pairs = aggregate.latencies.spikes, aggregate.latencies.warm.pairs
    if judgement.verdict == "same" and spikes.branch_only - spikes.control_only > policy.excess() * pairs:
        return replace(judgement, verdict="undecided")
    return judgement


def _spike_counts(aggregate: EndpointAggregate) -> Counts:
    """Spikes are counted against a reference in every pair that was measured warm, so they are calibrated always.

    Those of one moment are one: what stood still for a second is no evidence of more than that.
    """
    latencies, spikes = aggregate.latencies, aggregate.latencies.spikes
    pairs = max(latencies.warm.pairs, spikes.weight, 1)
    return Counts(
        pairs=pairs,
        triples=pairs,
        branch_only=spikes.branch_only - latencies.crowd,
        control_only=spikes.control_only - latencies.reference_crowd,
        both=0,
        alone=0,
        contexts=aggregate.contexts.estimate(),
        hottest=spikes.hottest,
    )
