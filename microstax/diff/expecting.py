"""Changes that the user declared: which findings are theirs, and whether each of them appeared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from microstax.diff.counts import Policy
from microstax.diff.discrepancy import Discrepancy
from microstax.diff.verdict import clean_needs
from microstax.model.ignore import ExpectedChange, Pattern
from microstax.model.report import Appearance, ExpectedReport, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding and the verdict on it; `count` pairs show it."""

    service: str
    endpoint: str
    discrepancy: Discrepancy
    count: int
    verdict: Verdict


class Expecting:
    """Knows the declared changes of one report."""

    def __init__(self, changes: tuple[ExpectedChange, ...]) -> None:
        self._changes = changes

    def is_expected(self, service: str, endpoint: str, discrepancy: Discrepancy) -> bool:
        """Tell whether a declared change means the discrepancy."""
        return any(_means(change, service, endpoint, discrepancy) for change in self._changes)

    def report(
        self, found: Iterable[Found], *, pairs: Mapping[tuple[str, str], int], policy: Policy
    ) -> list[ExpectedReport]:
        """Return what became of each change.

        `found` are all findings (not only the expected ones), `pairs` how many were compared, by (service, endpoint):
        those that tell about the excess over noise.
        """
        findings = list(found)
        return [_report(change, findings, pairs, policy) for change in self._changes]


def about(change: ExpectedReport, *, service: str, endpoint: str) -> bool:
    """Tell whether a change can be of what a report shows: one service or endpoint, or (empty) all."""
    where = Pattern(service=change["service"]), Pattern(endpoint=change["endpoint"])
    return (not service or where[0].covers(service=service, endpoint="")) and (
        not endpoint or where[1].covers(service="", endpoint=endpoint)
    )


def _report(
    change: ExpectedChange, findings: list[Found], pairs: Mapping[tuple[str, str], int], policy: Policy
) -> ExpectedReport:
    mine = [one for one in findings if one.count and _means(change, one.service, one.endpoint, one.discrepancy)]
    covered = [n for (service, endpoint), n in pairs.items() if change.covers(service=service, endpoint=endpoint)]
    appeared = [one for one in mine if one.verdict == "different"]
    return {
        "origin": change.origin,
        "service": change.service,
        "endpoint": change.endpoint,
        "path": change.path,
        "kind": change.kind,
        "reason": change.reason,
        "findings": len(appeared),
        "count": sum(one.count for one in appeared),
        "verdict": "appeared" if appeared else _absence(mine, covered, policy),
    }


def _absence(mine: list[Found], covered: list[int], policy: Policy) -> Appearance:
    """Tell a change that did not come from one that may still come.

    As for the verdict on a report, endpoints with too few pairs are looked at together, and where they are hardly ever
    called (together under the tolerance) they hold nothing up.
    """
    if any(one.verdict != "same" for one in mine):
        return "undecided"
    few = sum(n for n in covered if clean_needs(n, policy))
    waiting = few if clean_needs(few, policy) else 0
    return "missing" if any(covered) and waiting <= policy.tolerance * sum(covered) else "undecided"


def _means(change: Pattern, service: str, endpoint: str, discrepancy: Discrepancy) -> bool:
    family, kind, place, _ = discrepancy
    return change.matches(service=service, endpoint=endpoint, family=family, kind=kind, place=place)
