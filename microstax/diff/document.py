"""From aggregates to the report document: select, judge all at once, write down."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from microstax.diff.aggregate import ServiceAggregate
from microstax.diff.discrepancy import HEADER, SHAPE, VALUE, Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.findings import add_finding
from microstax.diff.hiding import Hidden
from microstax.diff.latency_verdict import latency_report
from microstax.diff.sentences import reasons_of
from microstax.diff.tally import Tally
from microstax.diff.verdict import Counts, Judgement, Policy, judge
from microstax.errors import UndecidedError
from microstax.model.difference import HeaderKind, ShapeKind
from microstax.model.ignore import ExpectedChange, IgnoreRule, check_kind
from microstax.model.report import Coverage, EndpointReport, Rechecks, ReportDocument, ServiceReport, Verdict

_LISTED = 5
_ORDER = {"different": 0, "undecided": 1, "not comparable": 2, "same": 3}
_VALUE_KINDS = {(SHAPE, ShapeKind.ORDER.value), (HEADER, HeaderKind.VALUE.value)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInput:
    """What a report is made from. `since` is RFC 3339; `aggregates` by service.

    `service`, `endpoint` and `kind` show only a part: verdicts are judged among all, counted over what is shown. `kind`
    is one of microstax.model.ignore.KINDS, or empty. `control` is the kind of control to recommend where there is none.
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
    service: str = ""
    endpoint: str = ""
    kind: str = ""
    policy: Policy = field(default_factory=Policy)
    control: str = "copy"


@dataclass(frozen=True, slots=True)
class _Case:
    """One discrepancy that is judged."""

    discrepancy: Discrepancy
    tally: Tally
    judgement: Judgement


@dataclass(slots=True)
class _Endpoint:
    """One endpoint on its way into the report."""

    service: str
    name: str
    aggregate: EndpointAggregate
    calibrated: bool
    open: list[tuple[Discrepancy, Tally]]
    cases: list[_Case] = field(default_factory=list)
    spikes: Judgement = field(default_factory=lambda: Judgement(verdict="undecided"))


def build_report(given: ReportInput) -> ReportDocument:
    """Return the report document.

    Raises UsageError for an unknown `kind`, UndecidedError for an `endpoint` that nothing was compared of while there
    are others: it may be misspelt, or not have been called yet.
    """
    check_kind(given.kind)
    hidden = Hidden(given.ignore_rules)
    endpoints = [
        _Endpoint(service, name, endpoint, aggregate.triples > 0, hidden.rest(service, name, endpoint))
        for service, aggregate in sorted(given.aggregates.items())
        for name, endpoint in sorted(aggregate.endpoints.items())
    ]
    _judge(endpoints, given.policy)
    shown = [endpoint for endpoint in endpoints if _is_shown(endpoint, given)]
    if given.endpoint and not shown:
        _check_endpoint(given, endpoints)
    reports = [(endpoint.service, _endpoint_report(endpoint, given)) for endpoint in shown]
    return _document(given, endpoints=shown, reports=reports, hidden=hidden)


def _document(
    given: ReportInput,
    *,
    endpoints: list[_Endpoint],
    reports: list[tuple[str, EndpointReport]],
    hidden: Hidden,
) -> ReportDocument:
    contexts = sum(report["contexts"] for _, report in reports)
    failing = sum(report["failing_contexts"] for _, report in reports)
    verdict = _overall([report for _, report in reports], given.coverage, given.policy)
    document: ReportDocument = {
        "overlay": given.overlay,
        "baseline": given.baseline,
        "since": given.since,
        "verdict": verdict,
        "reasons": [],
        "calibrated": any(endpoint.aggregate.triples for endpoint in endpoints),
        "contexts": contexts,
        "failing_contexts": failing,
        "accuracy": _accuracy(failing, contexts),
        "coverage": given.coverage,
        "services": _by_service(reports),
    }
    if given.ignore_rules:
        document["ignored"] = hidden.report()
    needs = {
        (endpoint.service, endpoint.name): max((case.judgement.needs or 0 for case in endpoint.cases), default=0)
        for endpoint in endpoints
    }
    folded = sum(endpoint.aggregate.folded for endpoint in endpoints)
    document["reasons"] = reasons_of(document, needs=needs, folded=folded, policy=given.policy, control=given.control)
    return document


def _judge(endpoints: list[_Endpoint], policy: Policy) -> None:
    """Judge all discrepancies of all endpoints as one family, spikes among them."""
    family: list[Counts] = []
    for endpoint in endpoints:
        family += [_counts(endpoint, discrepancy, tally) for discrepancy, tally in endpoint.open]
        family.append(_spike_counts(endpoint.aggregate))
    judgements = iter(judge(family, policy))
    for endpoint in endpoints:
        endpoint.cases = [_Case(discrepancy, tally, next(judgements)) for discrepancy, tally in endpoint.open]
        endpoint.spikes = next(judgements)


def _counts(endpoint: _Endpoint, discrepancy: Discrepancy, tally: Tally) -> Counts:
    return Counts(
        pairs=endpoint.aggregate.pairs,
        triples=endpoint.aggregate.triples,
        branch_only=tally.branch_only,
        control_only=tally.control_only,
        both=tally.both,
        alone=tally.alone,
        formatted=tally.formatted,
        varies=tally.varies,
        is_value=discrepancy.family == VALUE or discrepancy[:2] in _VALUE_KINDS,
        calibrated=endpoint.calibrated,
    )


def _spike_counts(aggregate: EndpointAggregate) -> Counts:
    """Spikes are counted against a reference in every pair, so they are calibrated always."""
    spikes, pairs = aggregate.latencies.spikes, max(aggregate.pairs, 1)
    return Counts(
        pairs=pairs, triples=pairs, branch_only=spikes.branch_only, control_only=spikes.control_only, both=0, alone=0
    )


def _is_shown(endpoint: _Endpoint, given: ReportInput) -> bool:
    return given.service in ("", endpoint.service) and given.endpoint in ("", endpoint.name)


def _check_endpoint(given: ReportInput, endpoints: list[_Endpoint]) -> None:
    known = [endpoint.name for endpoint in endpoints if given.service in ("", endpoint.service)]
    if known:
        listed = ", ".join(repr(name) for name in known[:_LISTED])
        more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
        raise UndecidedError(f"No request of {given.endpoint!r} has been compared: there are {listed}{more}.")


def _endpoint_report(endpoint: _Endpoint, given: ReportInput) -> EndpointReport:
    aggregate = endpoint.aggregate
    cases = [case for case in endpoint.cases if given.kind in ("", *case.discrepancy[:2]) and case.tally.branch]
    cases.sort(key=lambda case: (_ORDER[case.judgement.verdict], -case.tally.branch, case.discrepancy))
    drifting = [case.tally.contexts for case in cases if case.judgement.verdict == "different"]
    contexts = aggregate.contexts.estimate()
    share = aggregate.contexts.share_of(drifting)
    failing = round((share or 0.0) * contexts)
    made: EndpointReport = {
        "endpoint": _text(endpoint.name),
        "pairs": aggregate.pairs,
        "verdict": _endpoint_verdict(cases, aggregate.pairs, given.policy),
        "contexts": contexts,
        "failing_contexts": max(failing, 1) if drifting and contexts else 0,
        "accuracy": None,
        "status": [],
        "shape": [],
        "values": [],
        "headers": [],
        "latency": latency_report(aggregate.latencies, given.policy, endpoint.spikes.verdict),
    }
    made["accuracy"] = _accuracy(made["failing_contexts"], contexts)
    for case in cases:
        add_finding(made, case.discrepancy, case.tally, case.judgement.verdict, triples=aggregate.triples)
    return made


def _endpoint_verdict(cases: Iterable[_Case], pairs: int, policy: Policy) -> Verdict:
    found = {case.judgement.verdict for case in cases}
    if "different" in found:
        return "different"
    return "undecided" if "undecided" in found or pairs < policy.min_pairs else "same"


def _overall(reports: list[EndpointReport], coverage: Coverage, policy: Policy) -> Verdict:
    """Return the verdict on everything that is shown; endpoints that hardly anybody calls do not hold it up."""
    pairs = sum(report["pairs"] for report in reports)
    if any(report["verdict"] == "different" for report in reports):
        return "different"
    if not pairs:
        return "not comparable" if sum(coverage["not_compared"].values()) else "undecided"
    waiting = sum(report["pairs"] for report in reports if report["verdict"] == "undecided")
    return "undecided" if pairs < policy.min_pairs or waiting > policy.tolerance * pairs else "same"


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
