"""Write one judged discrepancy down as the report's entry for it."""

import math
from typing import Final

from microstax.diff.discrepancy import GRPC, HEADER, SHAPE, STATUS
from microstax.diff.grouping import noise_of
from microstax.diff.judging import Case, JudgedEndpoint
from microstax.model.difference import ShapeKind
from microstax.model.report import EndpointReport, Judged, Rated, StatusFinding

_DIGITS: Final = 6
_LN10: Final = math.log(10)


def add_finding(
    report: EndpointReport, endpoint: JudgedEndpoint, case: Case, *, group: int, minutes: float | None
) -> None:
    """Add a discrepancy to the list of its family; `minutes` is how long the endpoint's pairs took."""
    judged = _judged(endpoint, case, group=group, minutes=minutes)
    discrepancy, tally = case.discrepancy, case.tally
    if discrepancy.family == STATUS:
        report["status"].append(_status(case, judged))
        return
    before, after = ("", "") if tally.example is None else (tally.example.baseline, tally.example.branch)
    if discrepancy.family == SHAPE and discrepancy.kind == ShapeKind.TYPE:
        before, _, after = discrepancy.detail.partition(">")
    rated: Rated = {
        **judged,
        "kind": discrepancy.kind,
        "baseline": before,
        "branch": after,
        "rate": _rate(case.count, endpoint.aggregate.pairs),
        "noise_rate": _rate(noise_of(discrepancy, tally), endpoint.aggregate.triples),
    }
    if discrepancy.family == SHAPE:
        report["shape"].append({**rated, "path": discrepancy.place})
    elif discrepancy.family == HEADER:
        report["headers"].append({**rated, "name": discrepancy.place})
    else:
        report["values"].append({**rated, "path": discrepancy.place})


def more_minutes(needs: int | None, pairs: int, minutes: float | None) -> float | None:
    """Return how long `needs` more pairs take, if they go on as `pairs` did in `minutes`."""
    if not needs or not pairs or not minutes:
        return None
    return round(needs * minutes / pairs, 1)


def _judged(endpoint: JudgedEndpoint, case: Case, *, group: int, minutes: float | None) -> Judged:
    tally, judgement = case.tally, case.judgement
    return {
        "count": case.count,
        "contexts": min(tally.contexts.estimate(), case.count),  # an estimate where there are many
        "verdict": judgement.verdict,
        "pair": "" if tally.example is None else tally.example.pair,
        "evidence": None if judgement.log_evidence is None else round(judgement.log_evidence / _LN10, 2),
        "excess": _rounded(judgement.excess),
        "excess_high": _rounded(judgement.excess_high),
        "needs": judgement.needs,
        "needs_minutes": more_minutes(judgement.needs, endpoint.aggregate.pairs, minutes),
        "group": group,
        "expected": case.expected,
    }


def _status(case: Case, judged: Judged) -> StatusFinding:
    before, _, after = case.discrepancy.detail.partition(">")
    return {
        **judged,
        "baseline": int(before),
        "branch": int(after),
        "grpc": case.discrepancy.kind == GRPC,
        "noise": case.tally.control,
    }


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, _DIGITS)


def _rate(count: int, total: int) -> float:
    """Return the share; after endpoints were brought together a place may have been counted twice for one pair."""
    return round(min(count / total, 1.0), _DIGITS) if total else 0.0
