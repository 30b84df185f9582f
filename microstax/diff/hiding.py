"""Take out of a report what ignore rules hide, and count it."""

from microstax.diff.discrepancy import Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.tally import Tally
from microstax.model.ignore import IgnoreRule


class Hidden:
    """Applies the rules to one report; the first rule that matches a discrepancy hides it."""

    def __init__(self, rules: tuple[IgnoreRule, ...]) -> None:
        self._rules = rules
        self._findings = [0] * len(rules)
        self._pairs = [0] * len(rules)

    def rest(self, service: str, endpoint: str, aggregate: EndpointAggregate) -> list[tuple[Discrepancy, Tally]]:
        """Return the discrepancies of an endpoint that no rule hides."""
        return [
            (discrepancy, tally)
            for discrepancy, tally in sorted(aggregate.tallies.items(), key=lambda item: item[0])
            if not self._hides(service, endpoint, discrepancy, tally)
        ]

    def report(self) -> list[dict[str, str | int]]:
        """Return how much each rule hid: `findings`, and in how many pairs the branch differed in their ways."""
        return [
            {
                "service": rule.service,
                "endpoint": rule.endpoint,
                "path": rule.path,
                "kind": rule.kind,
                "reason": rule.reason,
                "findings": findings,
                "count": pairs,
            }
            for rule, findings, pairs in zip(self._rules, self._findings, self._pairs, strict=True)
        ]

    def _hides(self, service: str, endpoint: str, discrepancy: Discrepancy, tally: Tally) -> bool:
        family, kind, place, _ = discrepancy
        for at, rule in enumerate(self._rules):
            if rule.matches(service=service, endpoint=endpoint, family=family, kind=kind, place=place):
                self._findings[at] += 1
                self._pairs[at] += tally.branch
                return True
        return False
