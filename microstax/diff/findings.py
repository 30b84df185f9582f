"""Write one judged discrepancy down as the report's entry for it."""

from microstax.diff.discrepancy import GRPC, Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.tally import Tally
from microstax.model.difference import ShapeKind
from microstax.model.report import HeaderFinding, ShapeFinding, StatusFinding, ValueFinding, Verdict

_DIGITS = 6


def status_finding(discrepancy: Discrepancy, tally: Tally, verdict: Verdict) -> StatusFinding:
    """Return the entry of a pair of status codes."""
    before, _, after = discrepancy.detail.partition(">")
    made: StatusFinding = {
        "baseline": int(before),
        "branch": int(after),
        "count": tally.branch,
        "noise": tally.control,
        "verdict": verdict,
        "pair": _pair(tally),
    }
    if discrepancy.kind == GRPC:
        made["grpc"] = True
    return made


def shape_finding(
    discrepancy: Discrepancy, tally: Tally, endpoint: EndpointAggregate, verdict: Verdict
) -> ShapeFinding:
    """Return the entry of a difference in shape."""
    example = tally.example
    before, after = ("", "") if example is None else (example.baseline, example.branch)
    if discrepancy.kind == ShapeKind.TYPE:
        before, _, after = discrepancy.detail.partition(">")
    return {
        "kind": discrepancy.kind,
        "path": discrepancy.place,
        "baseline": before,
        "branch": after,
        "count": tally.branch,
        "rate": _rate(tally.branch, endpoint.pairs),
        "noise_rate": _rate(tally.control, endpoint.triples),
        "verdict": verdict,
        "pair": _pair(tally),
    }


def value_finding(
    discrepancy: Discrepancy, tally: Tally, endpoint: EndpointAggregate, verdict: Verdict
) -> ValueFinding:
    """Return the entry of a value that differs."""
    return {
        "path": discrepancy.place,
        "count": tally.branch,
        "rate": _rate(tally.branch, endpoint.pairs),
        "noise_rate": _rate(tally.control, endpoint.triples),
        "verdict": verdict,
        "pair": _pair(tally),
    }


def header_finding(
    discrepancy: Discrepancy, tally: Tally, endpoint: EndpointAggregate, verdict: Verdict
) -> HeaderFinding:
    """Return the entry of a header that differs."""
    return {
        "name": discrepancy.place,
        "kind": discrepancy.kind,
        "count": tally.branch,
        "rate": _rate(tally.branch, endpoint.pairs),
        "noise_rate": _rate(tally.control, endpoint.triples),
        "verdict": verdict,
        "pair": _pair(tally),
    }


def _rate(count: int, total: int) -> float:
    """Return the share; after endpoints were brought together a place may have been counted twice for one pair."""
    return round(min(count / total, 1.0), _DIGITS) if total else 0.0


def _pair(tally: Tally) -> str:
    return "" if tally.example is None else tally.example.pair
