"""The reasons of a report, for people: one sentence each, the weightiest first."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from microstax.diff.betting import MOST_PAIRS
from microstax.diff.discrepancy import GRPC, HEADER, STATUS, Discrepancy
from microstax.diff.verdict import Policy
from microstax.model.report import EndpointReport, Group, Latency, ReportDocument
from microstax.model.wording import counted, duration

_LISTED: Final = 5
_WORDS: Final = {"length_class": "length class", "magnitude": "order of magnitude"}

_Quantile = Literal["p50", "p90", "p99"]
_QUANTILES: Final[tuple[tuple[_Quantile, str], ...]] = (("p50", "median"), ("p90", "p90"), ("p99", "p99"))
_ENDS: Final[tuple[Literal["ratio", "low", "high"], ...]] = ("ratio", "low", "high")
_Endpoints = list[tuple[str, EndpointReport]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a report's reasons say that its document does not hold.

    `folded` sightings were not kept. `one_input` are the endpoints, as (service, endpoint), at which a single input
    shows a difference. `uncalibrated` services had pairs and no control, of which the kind `control` could be had.
    """

    policy: Policy
    folded: int = 0
    one_input: Collection[tuple[str, str]] = ()
    uncalibrated: tuple[str, ...] = ()
    control: str = "copy"


def reasons_of(document: ReportDocument, beside: Beside) -> list[str]:
    """Return why the verdict is what it is, what is missing for a better one, and what was left out."""
    endpoints = [(one["service"], report) for one in document["services"] for report in one["endpoints"]]
    return [
        *_no_traffic(document, endpoints),
        *_drift(endpoints),
        *_expected(document),
        *_waiting(endpoints, beside, overall_same=document["verdict"] == "same"),
        *_latency(endpoints, 1 + beside.policy.latency_tolerance),
        *_calibration(endpoints, beside),
        *_rules(document),
        *_rechecks(document),
        *_coverage(document),
        *_folded(beside.folded),
        *_same(document, endpoints, beside.policy),
    ]


def named(discrepancy: Discrepancy) -> str:
    """Return what differs, in words: `missing $.price`, `status 200 -> 500`, `format $.id`."""
    family, kind, place, detail = discrepancy
    if family == STATUS:
        return f"{'grpc-status' if kind == GRPC else 'status'} {detail.replace('>', ' -> ')}"
    if family == HEADER:
        return f"header {place} {_WORDS.get(kind, kind)}"
    changed = f" ({detail.replace('>', ' -> ')})" if detail else ""
    return f"{_WORDS.get(kind, kind)} {place}{changed}"


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
        groups = [group for group in report["groups"] if not group["expected"]]
        found = [_cause(group) for group in groups]
        more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        yield f"{_name(service, report)} differs beyond noise: {'; '.join(found[:_LISTED])}{more}."
    if len(drifting) > _LISTED:
        yield f"{len(drifting) - _LISTED} more endpoints differ beyond noise."


def _cause(group: Group) -> str:
    others = group["findings"] - 1
    together = f" with {counted(others, 'other difference')}, always together" if others else ""
    adverb = "only" if group["failing_share"] in (None, 1.0) else "mostly"
    condition = f", {adverb} when {group['condition']}" if group["condition"] else ""
    return f"{group['lead']}{together}{condition}"


def _expected(document: ReportDocument) -> Iterator[str]:
    for verdict, changes in groupby(document["expected"], key=lambda change: change["verdict"]):
        for change in changes:
            what = " ".join(part for part in (change["kind"], change["path"]) if part) or "change"
            where = " ".join(part for part in (change["service"], change["endpoint"]) if part) or "any endpoint"
            if verdict == "missing":
                yield f"The declared {what} at {where} ({change['origin']}) did not appear."
            elif verdict == "undecided":
                yield f"The declared {what} at {where} ({change['origin']}) has not appeared yet: more traffic decides."


def _waiting(endpoints: _Endpoints, beside: Beside, *, overall_same: bool) -> Iterator[str]:
    waiting = [(service, report) for service, report in endpoints if report["verdict"] == "undecided"]
    if overall_same and waiting:
        pairs = sum(report["pairs"] for _, report in waiting)
        yield (
            f"{counted(len(waiting), 'rarely called endpoint')} ({pairs:,} pairs), undecided alone, "
            f"{'does' if len(waiting) == 1 else 'do'} not hold up the verdict: judged together, or under "
            f"{_percent(beside.policy.tolerance)} of the pairs."
        )
        return
    for service, report in waiting[:_LISTED]:
        needed = _needed(report, one_input=(service, report["endpoint"]) in beside.one_input)
        yield f"{_name(service, report)} is undecided after {counted(report['pairs'], 'pair')}: {needed}."
    if len(waiting) > _LISTED:
        yield f"{len(waiting) - _LISTED} more endpoints are undecided."


def _needed(report: EndpointReport, *, one_input: bool) -> str:
    needs, minutes = report["needs"], report["needs_minutes"]
    if needs is None and not one_input:
        return f"as the answers vary now, over {MOST_PAIRS:,} more would be needed"
    if needs is None:
        return "a difference was seen for one input only, and more requests of that input do not decide; look at it"
    return f"about {needs:,} more are needed{f', {duration(minutes)} at the rate so far' if minutes else ''}"


def _latency(endpoints: _Endpoints, bound: float) -> Iterator[str]:
    """Say what makes an endpoint slower or faster: the first effect beyond `bound`, and spikes where there are any."""
    for service, report in endpoints:
        latency = report["latency"]
        if latency["verdict"] in ("slower", "faster"):
            effect = next(filter(None, (_effect(latency, name, word, bound) for name, word in _QUANTILES)), "")
            spikes = counted(latency["spikes"], "spike") if latency["spikes"] else ""
            said = ", ".join(filter(None, (effect, spikes))) or f"than the {latency['reference']} at some quantile"
            yield f"{_name(service, report)} is {latency['verdict']}: {said}."


def _effect(latency: Latency, name: _Quantile, word: str, bound: float) -> str:
    """Return an effect in words if its whole interval lies beyond the tolerance, else nothing."""
    ratio, low, high = (latency["effect"][name][end] for end in _ENDS)
    is_slower, is_faster = low is not None and low > bound, high is not None and high < 1 / bound
    if not (is_slower if latency["verdict"] == "slower" else is_faster):
        return ""
    times = f"times the {latency['reference']}'s"
    if ratio is not None and low is not None and high is not None:
        return f"{word} {ratio:.2f} {times} ({low:.2f} to {high:.2f})"
    return f"{word} at least {low:.2f} {times}" if is_slower else f"{word} at most {high:.2f} {times}"


def _calibration(endpoints: _Endpoints, beside: Beside) -> Iterator[str]:
    if not beside.uncalibrated:
        return
    unjudged = _unjudged(endpoints)
    tail = f" {counted(unjudged, 'difference')} in values or order cannot be judged so." if unjudged else ""
    calibrated = {service for service, report in endpoints if report["pairs"]} - set(beside.uncalibrated)
    whose = f" of {', '.join(beside.uncalibrated[:_LISTED])}" if calibrated else ""
    whose += f" and {len(beside.uncalibrated) - _LISTED} more" if whose and len(beside.uncalibrated) > _LISTED else ""
    yield f"Uncalibrated: no control measured the noise{whose} (--control {beside.control} does).{tail}"


def _unjudged(endpoints: _Endpoints) -> int:
    return sum(
        finding["verdict"] == "not comparable" and not finding["expected"]
        for _, report in endpoints
        for finding in (*report["values"], *report["shape"], *report["headers"])
    )


def _rules(document: ReportDocument) -> Iterator[str]:
    for rule in document["ignored"]:
        owner = f" of {rule['owner']}" if rule["owner"] else ""
        if rule["expired"]:
            yield f"The ignore rule {rule['origin']}{owner} expired on {rule['expires']} and hides nothing any more."
        elif rule["news"]:
            news = ", ".join(rule["news"])
            yield f"The ignore rule {rule['origin']}{owner} hides what it was not written for: {news}."


def _rechecks(document: ReportDocument) -> Iterator[str]:
    asked = document["rechecks"]
    if asked is not None and asked["asked"]:
        yield f"{asked['vanished']:,} of {counted(asked['asked'], 'mismatch', 'es')} vanished when asked again."


def _coverage(document: ReportDocument) -> Iterator[str]:
    lost = {reason: count for reason, count in document["coverage"]["not_compared"].items() if count}
    if lost:
        listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(lost.items(), key=lambda one: -one[1]))
        mirrored = document["coverage"]["mirrored"]
        were = "was" if sum(lost.values()) == 1 else "were"
        yield f"{sum(lost.values()):,} of {mirrored:,} mirrored requests {were} not compared: {listed}."


def _folded(folded: int) -> Iterator[str]:
    if folded:
        yield f"{folded:,} sightings of rare differences are not listed: there were too many different ones."


def _same(document: ReportDocument, endpoints: _Endpoints, policy: Policy) -> Iterator[str]:
    if document["verdict"] == "same":
        pairs = sum(report["pairs"] for _, report in endpoints)
        judged = ", of what can be judged" if _unjudged(endpoints) else ""
        yield (
            f"{counted(pairs, 'pair')} {'shows' if pairs == 1 else 'show'} no difference that noise does not explain "
            f"(alpha {policy.alpha:g}), and none in more than {_percent(policy.tolerance)} of an endpoint's "
            f"requests{judged}."
        )


def _percent(share: float) -> str:
    return f"{share * 100:g}%"


def _name(service: str, report: EndpointReport) -> str:
    return f"{service} {report['endpoint']}"
