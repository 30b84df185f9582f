"""From aggregates to the report document: select, judge all at once, write down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from microstax.diff.aggregate import ServiceAggregate
from microstax.diff.discrepancy import Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.expecting import Expecting, Found, about
from microstax.diff.findings import add_finding, more_minutes
from microstax.diff.grouping import FoundGroup, group_findings, subsumed
from microstax.diff.hiding import Hidden
from microstax.diff.judging import Case, Family, JudgedEndpoint, compared, judge_all
from microstax.diff.latency_verdict import latency_report
from microstax.diff.sentences import Beside, named, reasons_of
from microstax.diff.verdict import Policy, clean_needs
from microstax.errors import UndecidedError
from microstax.model.ignore import ExpectedChange, IgnoreRule, check_kind, is_of_kind
from microstax.model.report import (
    BridgeReport,
    Coverage,
    EndpointReport,
    ExpectedReport,
    Group,
    Rechecks,
    ReportDocument,
    ServiceReport,
    Verdict,
)

_LISTED: Final = 5
_ORDER: Final = {"different": 0, "undecided": 1, "not comparable": 2, "same": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInput:
    """What a report is made from. `since` is RFC 3339; `aggregates` by service.

    `service`, `endpoint` and `kind` show only a part: verdicts are judged among all, counted over what is shown. `kind`
    is one of microstax.model.ignore.KINDS, or empty. `control` is the kind of control to recommend where there is none;
    `controlled` are the services that have one.
    `today` tells which rules are expired (None: none is); `minutes` is how long traffic has been compared, None where
    that is not known.
    """

    overlay: str
    baseline: str
    since: str
    aggregates: Mapping[str, ServiceAggregate]
    coverage: Coverage
    ignore_rules: tuple[IgnoreRule, ...] = ()
    expected: tuple[ExpectedChange, ...] = ()
    today: date | None = None
    minutes: float | None = None
    rechecks: Rechecks | None = None
    bridge: BridgeReport | None = None
    service: str = ""
    endpoint: str = ""
    kind: str = ""
    policy: Policy = field(default_factory=Policy)
    control: str = "copy"
    controlled: frozenset[str] = frozenset()


def build_report(given: ReportInput) -> ReportDocument:
    """Return the report document.

    Raises UsageError for an unknown `kind`, UndecidedError for an `endpoint` that nothing was compared of while there
    are others: it may be misspelt, or not have been called yet.
    """
    check_kind(given.kind)
    expecting = Expecting(given.expected)
    hidden = Hidden(given.ignore_rules, today=given.today, expecting=expecting)
    family = judge_all(
        given.aggregates, hidden=hidden, expecting=expecting, policy=given.policy, controlled=given.controlled
    )
    expected = _expected(expecting, family, given.policy)
    for endpoint in family.endpoints:
        endpoint.cases = [
            case for case in endpoint.cases if not given.kind or is_of_kind(given.kind, *case.discrepancy[:2])
        ]
    shown = [endpoint for endpoint in family.endpoints if _is_shown(endpoint, given)]
    if given.endpoint and not shown:
        _check_endpoint(given, family.endpoints)
    document = _document(given, family, shown=shown)
    document["ignored"] = hidden.report()
    document["expected"] = [one for one in expected if about(one, service=given.service, endpoint=given.endpoint)]
    document["verdict"] = _overall(shown, document["expected"], given)
    document["reasons"] = reasons_of(document, _beside(shown, given))
    return document


def _beside(shown: list[JudgedEndpoint], given: ReportInput) -> Beside:
    compared_services = {endpoint.service for endpoint in shown if endpoint.aggregate.pairs}
    return Beside(
        policy=given.policy,
        folded=sum(endpoint.aggregate.folded for endpoint in shown),
        one_input={(endpoint.service, _text(endpoint.name)) for endpoint in shown if endpoint.one_input},
        uncalibrated=tuple(sorted(one for one in compared_services if not given.aggregates[one].triples)),
        control=given.control,
    )


def _expected(expecting: Expecting, family: Family, policy: Policy) -> list[ExpectedReport]:
    found = (
        Found(
            service=endpoint.service,
            endpoint=endpoint.name,
            discrepancy=case.discrepancy,
            count=case.count,
            verdict=case.judgement.verdict,
        )
        for endpoint in family.endpoints
        for case in endpoint.cases
    )
    pairs = {(endpoint.service, endpoint.name): compared(endpoint.aggregate) for endpoint in family.endpoints}
    return expecting.report(found, pairs=pairs, policy=policy)


def _document(given: ReportInput, family: Family, *, shown: list[JudgedEndpoint]) -> ReportDocument:
    reports = [
        (endpoint.service, _endpoint_report(endpoint, given, endpoints=len(family.endpoints))) for endpoint in shown
    ]
    contexts = sum(report["contexts"] for _, report in reports)
    failing = sum(report["failing_contexts"] for _, report in reports)
    pairs = sum(report["pairs"] for _, report in reports)
    return {
        "overlay": given.overlay,
        "baseline": given.baseline,
        "since": given.since,
        "until": None,
        "verdict": "undecided",
        "reasons": [],
        "calibrated": any(endpoint.aggregate.triples for endpoint in shown),
        "policy": {
            "alpha": given.policy.alpha,
            "tolerance": given.policy.tolerance,
            "min_pairs": given.policy.min_pairs,
            "latency_tolerance": given.policy.latency_tolerance,
            "hypotheses": family.hypotheses,
        },
        "pairs_per_minute": round(pairs / given.minutes, 1) if given.minutes else None,
        "contexts": contexts,
        "failing_contexts": failing,
        "accuracy": _accuracy(failing, contexts),
        "coverage": given.coverage,
        "bridge": given.bridge,
        "rechecks": given.rechecks,
        "services": _by_service(reports),
        "expected": [],
        "ignored": [],
    }


def _is_shown(endpoint: JudgedEndpoint, given: ReportInput) -> bool:
    return given.service in ("", endpoint.service) and given.endpoint in ("", endpoint.name)


def _check_endpoint(given: ReportInput, endpoints: list[JudgedEndpoint]) -> None:
    known = [endpoint.name for endpoint in endpoints if given.service in ("", endpoint.service)]
    if known:
        listed = ", ".join(repr(name) for name in known[:_LISTED])
        more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
        raise UndecidedError(f"No request of {given.endpoint!r} has been compared: there are {listed}{more}.")


def _endpoint_report(endpoint: JudgedEndpoint, given: ReportInput, *, endpoints: int) -> EndpointReport:
    aggregate = endpoint.aggregate
    cases = _told([case for case in endpoint.cases if case.count])
    contexts = aggregate.contexts.estimate()
    drifting = [case.tally.contexts for case in cases if case.is_drift]
    failing = round((aggregate.contexts.share_of(drifting) or 0.0) * contexts)
    failing = max(failing, 1) if drifting and contexts else 0
    made: EndpointReport = {
        "endpoint": _text(endpoint.name),
        "pairs": aggregate.pairs,
        "verdict": endpoint.verdict,
        "needs": endpoint.needs,
        "needs_minutes": more_minutes(endpoint.needs, aggregate.pairs, given.minutes),
        "contexts": contexts,
        "failing_contexts": failing,
        "accuracy": _accuracy(failing, contexts),
        "groups": [],
        "status": [],
        "shape": [],
        "values": [],
        "headers": [],
        "latency": latency_report(aggregate.latencies, given.policy, endpoint.spikes.verdict, endpoints=endpoints),
    }
    made["groups"], groups = _groups(aggregate, cases)
    for case in cases:
        add_finding(made, endpoint, case, group=groups.get(case.discrepancy, 0), minutes=given.minutes)
    return made


def _told(cases: list[Case]) -> list[Case]:
    """Return what is told of them, the weightiest first: not that a value of another size is another value."""
    said = {
        expected: {
            case.discrepancy
            for case in cases
            if case.judgement.verdict in ("different", "not comparable") and case.expected is expected
        }
        for expected in (False, True)
    }
    told = [case for case in cases if not subsumed(case.discrepancy, said[case.expected])]
    return sorted(told, key=lambda case: (_ORDER[case.judgement.verdict], -case.count, case.discrepancy))


def _groups(aggregate: EndpointAggregate, cases: list[Case]) -> tuple[list[Group], dict[Discrepancy, int]]:
    """Return the groups of what is different, the undeclared first, and the number of each one's group."""
    groups: list[Group] = []
    numbers: dict[Discrepancy, int] = {}
    for expected in (False, True):
        members = [
            one.discrepancy for one in cases if one.judgement.verdict == "different" and one.expected is expected
        ]
        for found in group_findings(aggregate, members):
            groups.append(_group(len(groups) + 1, found, expected=expected))
            numbers |= dict.fromkeys(found.members, len(groups))
    return groups, numbers


def _group(number: int, found: FoundGroup, *, expected: bool) -> Group:
    condition = found.condition
    return {
        "group": number,
        "lead": named(found.members[0]),
        "findings": len(found.members),
        "count": found.count,
        "condition": "" if condition is None else condition.text,
        "failing_share": None if condition is None else round(condition.failing_share, 4),
        "passing_share": None if condition is None else round(condition.passing_share, 4),
        "expected": expected,
    }


def _overall(endpoints: list[JudgedEndpoint], expected: list[ExpectedReport], given: ReportInput) -> Verdict:
    """Return the verdict on everything that is shown; endpoints that hardly anybody calls do not hold it up.

    Those of which only the number of pairs is too small are judged together, as one endpoint.
    """
    pairs = sum(endpoint.aggregate.pairs for endpoint in endpoints)
    appeared = {change["verdict"] for change in expected}
    if any(endpoint.verdict == "different" for endpoint in endpoints) or "missing" in appeared:
        return "different"
    if not pairs:
        return "not comparable" if sum(given.coverage["not_compared"].values()) else "undecided"
    waiting = [endpoint for endpoint in endpoints if endpoint.verdict == "undecided"]
    quiet = sum(endpoint.aggregate.pairs for endpoint in waiting if endpoint.is_quiet)
    doubtful = sum(endpoint.aggregate.pairs for endpoint in waiting) - quiet
    few = quiet if clean_needs(quiet, given.policy) else 0
    is_open = pairs < given.policy.min_pairs or doubtful + few > given.policy.excess() * pairs
    return "undecided" if is_open or "undecided" in appeared else "same"


def _accuracy(failing: int, contexts: int) -> float | None:
    return round(1 - failing / contexts, 4) if contexts else None


def _by_service(reports: list[tuple[str, EndpointReport]]) -> list[ServiceReport]:
    services: dict[str, list[EndpointReport]] = {}
    for service, report in reports:
        services.setdefault(service, []).append(report)
    for endpoints in services.values():
        endpoints.sort(key=lambda report: (_ORDER[report["verdict"]], -report["pairs"], report["endpoint"]))
    return [{"service": service, "endpoints": endpoints} for service, endpoints in sorted(services.items())]


def _text(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
