"""The reasons of a report, for people: one sentence each, the weightiest first."""

from collections.abc import Iterator, Mapping
from typing import Final

from microstax.diff.verdict import Policy
from microstax.model.report import EndpointReport, ReportDocument

_LISTED: Final = 5

Needs = Mapping[tuple[str, str], int]
"""How many more pairs an endpoint of a service needs for its undecided findings."""


def reasons_of(
    document: ReportDocument, *, needs: Needs, folded: int, policy: Policy, control: str = "copy"
) -> list[str]:
    """Return why the verdict is what it is, what is missing for a better one, and what was left out."""
    endpoints = [(one["service"], report) for one in document["services"] for report in one["endpoints"]]
    return [
        *_no_traffic(document, endpoints),
        *_drift(endpoints),
        *_waiting(endpoints, needs, policy, overall_same=document["verdict"] == "same"),
        *_latency(endpoints),
        *_calibration(document, endpoints, control),
        *_coverage(document),
        *_folded(folded),
        *_same(document, endpoints, policy),
    ]


_Endpoints = list[tuple[str, EndpointReport]]


def _no_traffic(document: ReportDocument, endpoints: _Endpoints) -> Iterator[str]:
    if any(report["pairs"] for _, report in endpoints):
        return
    if sum(document["coverage"]["not_compared"].values()):
        yield "No mirrored request could be compared yet."
    elif document["coverage"]["mirrored"]:
        yield f"{document['coverage']['mirrored']:,} requests were mirrored and none is compared yet: wait a moment."
    else:
        yield f"No request has been mirrored yet: send traffic to {document['baseline']}."


def _drift(endpoints: _Endpoints) -> Iterator[str]:
    drifting = [(service, report) for service, report in endpoints if report["verdict"] == "different"]
    for service, report in drifting[:_LISTED]:
        found = list(_found(report))
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        yield f"{_name(service, report)} differs beyond noise: {', '.join(found[:_LISTED])}{more}."
    if len(drifting) > _LISTED:
        yield f"{len(drifting) - _LISTED} more endpoints differ beyond noise."


def _found(report: EndpointReport) -> Iterator[str]:
    for status in report["status"]:
        if status["verdict"] == "different":
            yield f"{'grpc-status' if status.get('grpc') else 'status'} {status['baseline']} -> {status['branch']}"
    for shape in report["shape"]:
        if shape["verdict"] == "different":
            yield f"{shape['kind']} {shape['path']}"
    for value in report["values"]:
        if value["verdict"] == "different":
            yield f"value {value['path']}"
    for header in report["headers"]:
        if header["verdict"] == "different":
            yield f"header {header['name']} {header['kind']}"


def _waiting(endpoints: _Endpoints, needs: Needs, policy: Policy, *, overall_same: bool) -> Iterator[str]:
    waiting = [(service, report) for service, report in endpoints if report["verdict"] == "undecided"]
    if overall_same and waiting:
        yield (
            f"{len(waiting)} rarely called endpoints are undecided; they are under {policy.tolerance:.0%} of the pairs "
            "and do not hold up the verdict."
        )
        return
    for service, report in waiting[:_LISTED]:
        more = max(policy.min_pairs - report["pairs"], needs.get((service, report["endpoint"]), 0), 1)
        yield (
            f"{_name(service, report)} is undecided after {_counted(report['pairs'], 'pair')}: "
            f"about {more:,} more are needed."
        )
    if len(waiting) > _LISTED:
        yield f"{len(waiting) - _LISTED} more endpoints are undecided."


def _latency(endpoints: _Endpoints) -> Iterator[str]:
    for service, report in endpoints:
        latency = report["latency"]
        if latency["verdict"] not in ("slower", "faster"):
            continue
        effect = latency["effect"]["p50"]
        ratio, low, high = effect["ratio"], effect["low"], effect["high"]
        spikes = f", {_counted(latency['spikes'], 'spike')}" if latency["spikes"] else ""
        if ratio is not None and low is not None and high is not None:
            yield (
                f"{_name(service, report)} is {latency['verdict']}: median {ratio:.2f} times the reference "
                f"({low:.2f} to {high:.2f}){spikes}."
            )


def _calibration(document: ReportDocument, endpoints: _Endpoints, control: str) -> Iterator[str]:
    if document["calibrated"] or not any(report["pairs"] for _, report in endpoints):
        return
    unjudged = sum(
        finding["verdict"] == "not comparable"
        for _, report in endpoints
        for finding in (*report["values"], *report["shape"], *report["headers"])
    )
    tail = f" {_counted(unjudged, 'difference')} in values or order cannot be judged so." if unjudged else ""
    yield f"Uncalibrated: no control measured the noise (--control {control} does).{tail}"


def _coverage(document: ReportDocument) -> Iterator[str]:
    lost = {reason: count for reason, count in document["coverage"]["not_compared"].items() if count}
    if lost:
        listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(lost.items(), key=lambda one: -one[1]))
        mirrored = document["coverage"]["mirrored"]
        yield f"{sum(lost.values()):,} of {mirrored:,} mirrored requests were not compared: {listed}."


def _folded(folded: int) -> Iterator[str]:
    if folded:
        yield f"{folded:,} sightings of rare differences are not listed: there were too many different ones."


def _same(document: ReportDocument, endpoints: _Endpoints, policy: Policy) -> Iterator[str]:
    if document["verdict"] == "same":
        pairs = sum(report["pairs"] for _, report in endpoints)
        yield f"{pairs:,} pairs show no difference that noise does not explain (alpha {policy.alpha:g})."


def _name(service: str, report: EndpointReport) -> str:
    return f"{service} {report['endpoint']}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
