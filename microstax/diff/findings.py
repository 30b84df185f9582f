"""Write one judged discrepancy down as the report's entry for it."""

from typing import Final

from microstax.diff.discrepancy import GRPC, HEADER, SHAPE, STATUS, Discrepancy
from microstax.diff.tally import Tally
from microstax.model.difference import ShapeKind
from microstax.model.report import EndpointReport, HeaderFinding, ShapeFinding, StatusFinding, ValueFinding, Verdict

_DIGITS: Final = 6


def add_finding(
    report: EndpointReport, discrepancy: Discrepancy, tally: Tally, verdict: Verdict, *, triples: int
) -> None:
    """Add a discrepancy to the list of its family; `triples` are the endpoint's pairs that have a control."""
    if discrepancy.family == STATUS:
        report["status"].append(_status(discrepancy, tally, verdict))
        return
    value: ValueFinding = {
        "path": discrepancy.place,
        "count": tally.branch,
        "rate": _rate(tally.branch, report["pairs"]),
        "noise_rate": _rate(tally.control, triples),
        "verdict": verdict,
        "pair": _pair(tally),
    }
    if discrepancy.family == SHAPE:
        report["shape"].append(_shape(discrepancy, tally, value))
    elif discrepancy.family == HEADER:
        report["headers"].append(_header(discrepancy, value))
    else:
        report["values"].append(value)


def _status(discrepancy: Discrepancy, tally: Tally, verdict: Verdict) -> StatusFinding:
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


def _shape(discrepancy: Discrepancy, tally: Tally, value: ValueFinding) -> ShapeFinding:
    """Return the entry; types are exact, lengths and places are those of the example."""
    example = tally.example
    before, after = ("", "") if example is None else (example.baseline, example.branch)
    if discrepancy.kind == ShapeKind.TYPE:
        before, _, after = discrepancy.detail.partition(">")
    return {
        "kind": discrepancy.kind,
        "path": value["path"],
        "baseline": before,
        "branch": after,
        "count": value["count"],
        "rate": value["rate"],
        "noise_rate": value["noise_rate"],
        "verdict": value["verdict"],
        "pair": value["pair"],
    }


def _header(discrepancy: Discrepancy, value: ValueFinding) -> HeaderFinding:
    return {
        "name": discrepancy.place,
        "kind": discrepancy.kind,
        "count": value["count"],
        "rate": value["rate"],
        "noise_rate": value["noise_rate"],
        "verdict": value["verdict"],
        "pair": value["pair"],
    }


def _rate(count: int, total: int) -> float:
    """Return the share; after endpoints were brought together a place may have been counted twice for one pair."""
    return round(min(count / total, 1.0), _DIGITS) if total else 0.0


def _pair(tally: Tally) -> str:
    return "" if tally.example is None else tally.example.pair
