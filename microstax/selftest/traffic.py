"""The captured pairs, counted endpoint by endpoint, so that one endpoint's counts can be made again with a fault."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from microstax.diff import OTHER_ENDPOINT, Policy, ReportInput, ServiceAggregate, build_report
from microstax.diff.compare import is_pair
from microstax.model.exchange import Triple
from microstax.model.record import StoredPair
from microstax.model.report import Coverage, ReportDocument

Change = Callable[[Triple], Triple | None]
"""What a fault makes of a pair; None where the pair cannot have it."""


class At(NamedTuple):
    """One endpoint of one service."""

    service: str
    endpoint: str


class Traffic:
    """Unchanged pairs. Endpoints are named by what all of the pairs together taught about their paths."""

    def __init__(self, pairs: Iterable[StoredPair]) -> None:
        stored = list(pairs)
        self.overlay = stored[0].triple.overlay if stored else ""
        self._not_compared: Counter[str] = Counter()
        self._learned: dict[str, ServiceAggregate] = {}
        self._pairs: defaultdict[At, list[Triple]] = defaultdict(list)
        self._parts: dict[At, ServiceAggregate] = {}
        self.clean = self._count(stored)
        for pair in stored:
            if is_pair(pair.triple):
                self._pairs[self._at(pair.triple)].append(pair.triple)
        for at, triples in self._pairs.items():
            self._parts[at] = self._fresh(at.service)
            for triple in triples:
                self._parts[at].add(triple)

    @property
    def total(self) -> int:
        """How many pairs were compared."""
        return sum(len(triples) for triples in self._pairs.values())

    @property
    def lost(self) -> int:
        """How many were not, or not wholly."""
        return self._not_compared.total()

    def endpoints(self) -> Iterator[tuple[At, Sequence[Triple]]]:
        """Yield each endpoint with its pairs, in the order in which they were captured."""
        yield from sorted(self._pairs.items())

    def pairs_of(self, at: At) -> Sequence[Triple]:
        """Return the pairs of one endpoint."""
        return self._pairs[at]

    def without(self, at: At) -> dict[str, ServiceAggregate]:
        """Return the counts of everything but one endpoint; the caller may add to them."""
        made = {service: self._fresh(service) for service in self._learned}
        for other, part in self._parts.items():
            if other != at:
                made[other.service].merge(part)
        return made

    def report(self, aggregates: dict[str, ServiceAggregate], policy: Policy, at: At | None = None) -> ReportDocument:
        """Return the report on such counts; on one endpoint alone, judged among all, where `at` is given."""
        return build_report(
            ReportInput(
                overlay=self.overlay,
                baseline="",
                since="1970-01-01T00:00:00Z",
                aggregates=aggregates,
                coverage=self._coverage(),
                service=at.service if at else "",
                endpoint=at.endpoint if at else "",
                policy=policy,
            )
        )

    def _count(self, stored: Iterable[StoredPair]) -> dict[str, ServiceAggregate]:
        for pair in stored:
            service = pair.triple.service
            if service not in self._learned:
                self._learned[service] = ServiceAggregate.empty()
            outcome = self._learned[service].add(pair.triple)
            if outcome.not_compared is not None:
                self._not_compared[outcome.not_compared.value] += 1
        return self._learned

    def _at(self, triple: Triple) -> At:
        learned, request = self._learned[triple.service], triple.baseline.request
        name = f"{request.method} {learned.templates.template(request.path)}"
        return At(triple.service, name if name in learned.endpoints else OTHER_ENDPOINT)

    def _fresh(self, service: str) -> ServiceAggregate:
        """Return an aggregate without counts that knows the paths and the arrays, and shows examples of its own."""
        made = self._learned[service].fresh()
        made.shown.clear()
        return made

    def _coverage(self) -> Coverage:
        return {
            "mirrored": self.total,
            "paired": self.total,
            "not_compared": {},
            "skipped_methods": {},
            "blocked_calls": 0,
        }
