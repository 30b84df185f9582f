"""The report as GitHub-flavoured Markdown, for a comment on a pull request."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from microstax.model.report import EndpointReport, Latency, ReportDocument
from microstax.report import summary
from microstax.report.findings import Finding, findings
from microstax.report.text import number, visible

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~&@!])")
_TICKS: Final = re.compile(r"`+")


def render_markdown(document: ReportDocument) -> str:
    """Return the report as Markdown, everything captured escaped."""
    return "\n".join([*_head(document), *_endpoints(document), *_ignored(document)]) + "\n"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def code(text: str) -> str:
    """Return the text as a code span, also in a table, whatever backticks and bars it has."""
    shown = visible(text).replace("|", r"\|")
    if not shown.strip():
        return ""
    fence = "`" * (max((len(run) for run in _TICKS.findall(shown)), default=0) + 1)
    blank = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def _head(document: ReportDocument) -> Iterator[str]:
    yield f"## {escaped(summary.title(document))}"
    yield ""
    for reason in document["reasons"]:
        yield f"- {escaped(reason)}"
    yield from [""] if document["reasons"] else []
    facts = (
        ("Since", document["since"]),
        ("Coverage", summary.coverage_sum(document)),
        ("Accuracy", summary.accuracy(document)),
        ("Noise", summary.noise_source(document)),
        ("Not mirrored", summary.skipped(document)),
        ("Blocked", summary.blocked(document)),
    )
    yield from _table(("", ""), [(f"**{name}**", escaped(value)) for name, value in facts if value])


def _endpoints(document: ReportDocument) -> Iterator[str]:
    for service in document["services"]:
        yield ""
        yield f"### {escaped(service['service'])}"
        for endpoint in service["endpoints"]:
            yield ""
            yield from _endpoint(endpoint)


def _endpoint(endpoint: EndpointReport) -> Iterator[str]:
    share = summary.accuracy(endpoint)
    aside = f", accuracy {escaped(share)}" if share else ""
    yield f"#### {code(endpoint['endpoint'])}: **{summary.standing(endpoint)}**"
    yield ""
    yield f"{number(endpoint['pairs'])} pairs{aside}"
    found = findings(endpoint)
    if found:
        yield ""
        headers = ("Verdict", "Kind", "Where", "Baseline -> branch", "Count", "Rate", "Noise", "Pair")
        yield from _table(headers, [_row(finding) for finding in found])
    yield from _latency(endpoint["latency"])


def _row(finding: Finding) -> tuple[str, ...]:
    return (
        f"**{finding.verdict}**" if finding.verdict == "different" else finding.label,
        escaped(finding.kind),
        code(finding.where),
        code(finding.change),
        number(finding.count),
        finding.share,
        finding.noise_text,
        code(finding.pair),
    )


def _latency(latency: Latency) -> Iterator[str]:
    if not summary.measured(latency):
        return
    quantiles = (summary.quantile(latency, name) for name in ("p50", "p90", "p99"))
    parts = [part for part in (*quantiles, summary.effects(latency), summary.spikes(latency)) if part]
    yield ""
    yield f"Latency: **{latency['verdict']}**; {escaped('; '.join(parts))}"


def _ignored(document: ReportDocument) -> Iterator[str]:
    rules = summary.ignored(document)
    if rules:
        yield ""
        yield "### Ignored by rule"
        yield ""
        yield from (f"- {escaped(rule)}" for rule in rules)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
