"""The gate: whether a report lets a change pass, with which exit code, and why in one line. Decides nothing anew.

Value differences that no control judged are `not comparable` in the report and never fail it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from microstax.errors import EXIT_DIFFERENT, EXIT_DONE, EXIT_UNDECIDED
from microstax.model.report import EndpointReport, ExpectedReport, IgnoredRule, Judged, Latency, ReportDocument
from microstax.report.figures import more
from microstax.report.text import visible

DIFFERENT: Final = "different"
UNDECIDED: Final = "undecided"
SLOWER: Final = "slower"
FAILURES: Final = (DIFFERENT, UNDECIDED, SLOWER)
"""What a gate can be asked to fail on."""
FAIL_ON: Final = (DIFFERENT, UNDECIDED)
"""What it fails on where nobody says otherwise."""
_LISTED: Final = 3
_LONGEST: Final = 160
_Quantile = Literal["p50", "p90", "p99"]
_QUANTILES: Final[tuple[tuple[_Quantile, str], ...]] = (("p50", "median"), ("p90", "p90"), ("p99", "p99"))
_ENDS: Final[tuple[Literal["ratio", "low", "high"], ...]] = ("ratio", "low", "high")
_Endpoint = tuple[str, EndpointReport]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the gate ends: `sentence` is one line, `final` tells that more traffic would not change the answer."""

    exit_code: int
    sentence: str
    final: bool


def gate(document: ReportDocument, fail_on: Collection[str] = FAIL_ON) -> Outcome:
    """Return what the gate says of a report; `fail_on` are some of FAILURES.

    0 passes, 1 is different (or slower), 3 is undecided; what is not comparable at all is undecided, too.
    """
    endpoints = [(one["service"], report) for one in document["services"] for report in one["endpoints"]]
    asides = list(_asides(document))
    if DIFFERENT in fail_on and document["verdict"] == DIFFERENT:
        return _ended(EXIT_DIFFERENT, f"different: {_difference(document, endpoints)}", asides)
    if SLOWER in fail_on and (slow := [one for one in endpoints if _is_slower(one[1])]):
        return _ended(EXIT_DIFFERENT, f"slower: {_slowness(slow, 1 + document['policy']['latency_tolerance'])}", asides)
    waits = _waits_for(document, endpoints, fail_on)
    if waits and UNDECIDED in fail_on:
        return _ended(EXIT_UNDECIDED, f"undecided: {waits}", asides, final=False)
    return _ended(EXIT_DONE, _passed(document, endpoints), asides, final=not waits)


def _ended(exit_code: int, reason: str, asides: Sequence[str], *, final: bool = True) -> Outcome:
    word = "failed" if exit_code else "passed"
    sentence = "; ".join((f"gate: {word}: {reason}", *asides))
    return Outcome(exit_code=exit_code, sentence=visible(sentence), final=final)


def _difference(document: ReportDocument, endpoints: list[_Endpoint]) -> str:
    """Return what differs and nobody declared, and what was declared and is not there."""
    found = [
        (service, report["endpoint"], words, finding)
        for service, report in endpoints
        for words, finding in _findings(report)
        if finding["verdict"] == DIFFERENT and not finding["expected"]
    ]
    parts = []
    if found:
        service, endpoint, words, finding = max(found, key=lambda one: (one[3]["evidence"] or 0.0, one[3]["count"]))
        parts.append(f"{_cut(f'{service} {endpoint} {words}')}{_more(len(found) - 1)}; {_evidence(document, finding)}")
    missing = [one for one in document["expected"] if one["verdict"] == "missing"]
    if missing:
        named = ", ".join(f"{_cut(_words(one))} ({one['origin']})" for one in missing[:_LISTED])
        parts.append(f"expected and missing: {named}{_more(len(missing) - _LISTED)}")
    return "; ".join(parts) or " ".join(document["reasons"][:1]) or "the report does not show where."


def _evidence(document: ReportDocument, finding: Judged) -> str:
    evidence = finding["evidence"]
    shown = f"seen {finding['count']:,} times, uncalibrated" if evidence is None else f"evidence 10^{evidence:.1f}"
    return f"{shown}, alpha {document['policy']['alpha']:g}"


def _findings(report: EndpointReport) -> Iterator[tuple[str, Judged]]:
    for status in report["status"]:
        name = "grpc-status" if status.get("grpc") else "status"
        yield f"{name} {status['baseline']} -> {status['branch']}", status
    for shape in report["shape"]:
        yield f"{shape['kind']} {shape['path']}", shape
    for value in report["values"]:
        yield f"{value['kind']} {value['path']}", value
    for header in report["headers"]:
        yield f"header {header['name']} {header['kind']}", header


def _is_slower(report: EndpointReport) -> bool:
    latency = report["latency"]
    return latency["verdict"] == SLOWER or latency["spikes_verdict"] == DIFFERENT


def _slowness(slow: list[_Endpoint], bound: float) -> str:
    """Return what is slow: the first effect whose interval lies above `bound`, else the spikes."""
    service, report = slow[0]
    latency = report["latency"]
    above = (_effect(latency, name, word, bound) for name, word in _QUANTILES)
    how = next(filter(None, above), "")
    if not how and latency["spikes_verdict"] == DIFFERENT:
        how = f"{latency['spikes']:,} spikes against {latency['reference_spikes']:,} of the {latency['reference']}"
    how = how or f"than the {latency['reference']} at some quantile"
    where = _cut(f"{service} {report['endpoint']}")
    return f"{where} {how}{_more(len(slow) - 1)}"


def _effect(latency: Latency, name: _Quantile, word: str, bound: float) -> str:
    """Return an effect whose whole interval lies above `bound`, in words; nothing if it does not."""
    ratio, low, high = (latency["effect"][name][end] for end in _ENDS)
    if low is None or low <= bound:
        return ""
    if ratio is None or high is None:
        return f"{word} at least {low:.2f} times the {latency['reference']}"
    return f"{word} {ratio:.2f} times the {latency['reference']} ({low:.2f} to {high:.2f})"


def _waits_for(document: ReportDocument, endpoints: list[_Endpoint], fail_on: Collection[str]) -> str:
    """Return what keeps the answer open; empty where nothing does.

    As in the report, endpoints that hardly anybody calls, together under the tolerance, keep nothing open.
    """
    if document["verdict"] not in ("same", DIFFERENT):
        return _doubt(document, endpoints)
    if SLOWER not in fail_on:
        return ""
    waiting = [one for one in endpoints if one[1]["latency"]["verdict"] == UNDECIDED]
    share = document["policy"]["tolerance"] * sum(report["pairs"] for _, report in endpoints)
    if sum(report["pairs"] for _, report in waiting) <= share:
        return ""
    service, report = max(waiting, key=lambda one: one[1]["pairs"])
    where = _cut(f"{service} {report['endpoint']}")
    return f"latency of {where} after {report['pairs']:,} pairs{_more(len(waiting) - 1)}"


def _doubt(document: ReportDocument, endpoints: list[_Endpoint]) -> str:
    open_ends = [one for one in endpoints if one[1]["verdict"] == UNDECIDED]
    declared = [one for one in document["expected"] if one["verdict"] == UNDECIDED]
    if open_ends:
        service, report = max(open_ends, key=lambda one: one[1]["pairs"])
        where = _cut(f"{service} {report['endpoint']}")
        return f"{where} after {report['pairs']:,} pairs{_needs(report)}{_more(len(open_ends) - 1)}"
    if declared:
        where = f"{_cut(_words(declared[0]))} ({declared[0]['origin']})"
        return f"expected and not seen yet: {where}{_more(len(declared) - 1)}"
    return " ".join(document["reasons"][:1]) or f"{document['verdict']}."


def _needs(report: EndpointReport) -> str:
    needed = more(report["needs"], report["needs_minutes"])
    return f", {needed}" if needed else ""


def _passed(document: ReportDocument, endpoints: list[_Endpoint]) -> str:
    pairs = sum(report["pairs"] for _, report in endpoints)
    if document["verdict"] != "same":
        return f"{document['verdict']} after {pairs:,} pairs, which does not fail this gate"
    tolerance = 100 * document["policy"]["tolerance"]
    bound = f"excess under {tolerance:.3g}%" if document["calibrated"] else "uncalibrated"
    came = sum(one["verdict"] == "appeared" for one in document["expected"])
    declared = f" beside {came} expected {'change' if came == 1 else 'changes'}" if came else ""
    return f"same in {pairs:,} pairs{declared}, {bound}"


def _asides(document: ReportDocument) -> Iterator[str]:
    """Yield what somebody should look after, whatever the answer is."""
    expired = [rule for rule in document["ignored"] if rule["expired"]]
    if expired:
        named = ", ".join(f"{rule['origin']} ({_cut(_words(rule))}, {rule['expires']})" for rule in expired[:_LISTED])
        yield f"expired: {named}{_more(len(expired) - _LISTED)}"
    changed = [rule for rule in document["ignored"] if rule["news"]]
    if changed:
        named = ", ".join(f"{rule['origin']} hides {rule['news'][0]}" for rule in changed[:_LISTED])
        yield f"new under a rule: {_cut(named)}"


def _words(pattern: IgnoredRule | ExpectedReport) -> str:
    return " ".join(
        text for text in (pattern["service"], pattern["endpoint"], pattern["kind"], pattern["path"]) if text
    )


def _more(count: int) -> str:
    return f" (and {count:,} more)" if count > 0 else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
