"""The report as GitHub-flavoured Markdown, for a comment on a pull request.

Short at first sight: the verdict, why, and a table of what is not the same; the rest is folded. A comment may have
65,536 characters, so what is past LIMIT is left out, endpoints first, and a note says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from microstax.model.report import EndpointReport, ReportDocument
from microstax.model.wording import counted
from microstax.report import bridge, declared, latencies, summary
from microstax.report.figures import number
from microstax.report.findings import DECLARED, Finding
from microstax.report.groups import clusters, noise
from microstax.report.markdown_text import code, escaped
from microstax.report.ranking import ranked, standing
from microstax.report.text import visible

LIMIT: Final = 60_000
_ROWS: Final = 40
_MANY: Final = 100
_SHORT: Final = 300
_FINDINGS: Final = ("Verdict", "Kind", "Where", "Baseline -> branch", "How often", "Pair")
_SAME: Final = ("Service", "Endpoint", "Verdict", "Pairs", "Noise", "p50", "p90", "p99")
_QUANTILES: Final = ("Latency, ms", "Baseline", "Branch", "Control", "Effect")


def render_markdown(document: ReportDocument) -> str:
    """Return the report as Markdown of at most LIMIT characters, everything captured escaped."""
    loud = [one for one in ranked(document) if not summary.is_quiet(one[1])]
    quiet = [one for one in ranked(document) if summary.is_quiet(one[1])]
    blocks = [_folded(_title(service, endpoint), _endpoint(endpoint)) for service, endpoint in loud]
    if quiet:
        blocks.append(_folded(f"{counted(len(quiet), 'endpoint')} the same{_declared_too(quiet)}", _same(quiet)))
    start = [*_head(document), *_overview(loud, quiet), *_declared(document), *_refused(document)]
    parts = ["\n".join([*start, *_folded("Coverage, noise and policy", _table(("", ""), _facts(document)))])]
    left = LIMIT - _SHORT - len(parts[0])
    for index, block in enumerate("\n".join(lines) for lines in blocks):
        left -= len(block) + 1
        if left < 0:
            missing = counted(len(blocks) - index, "part")
            parts.append(f"_{missing} left out here: the html and json formats have everything._")
            break
        parts.append(block)
    return "\n".join(parts).rstrip("\n")[: LIMIT - 1] + "\n"


def _head(document: ReportDocument) -> Iterator[str]:
    first, *others = summary.why(document)
    yield f"## {escaped(summary.title(document))}"
    yield from ["", f"**{escaped(_cut(first))}**", ""]
    yield from (f"- {escaped(_cut(reason))}" for reason in others[:_ROWS])
    yield from [""] if others else []
    yield escaped(summary.coverage_sum(document))
    yield ""
    if proof := bridge.proof(document):
        yield from [escaped(_cut(proof)), ""]


def _facts(document: ReportDocument) -> list[tuple[str, str]]:
    return [(f"**{name}**", escaped(value)) for name, value in summary.facts(document)]


def _overview(loud: Sequence[tuple[str, EndpointReport]], quiet: Sequence[tuple[str, EndpointReport]]) -> Iterator[str]:
    """Yield a row an endpoint that is worth a look, and how many are not."""
    if loud:
        headers = ("Service", "Endpoint", "Verdict", "Pairs", "Affected", "What")
        yield from _table(headers, [_overview_row(*one) for one in loud[:_ROWS]])
        yield ""
    rest = [f"{number(len(loud) - _ROWS)} more like these"] if len(loud) > _ROWS else []
    if quiet:
        be = "is" if len(quiet) == 1 else "are"
        rest.append(f"{counted(len(quiet), 'endpoint')} {be} the same{_declared_too(quiet)}")
    yield from [f"{'; '.join(rest)}.", ""] if rest else []


def _declared_too(quiet: Sequence[tuple[str, EndpointReport]]) -> str:
    """Return what `the same` leaves out where a declared change is among what nobody has to look at."""
    return " or as expected" if any(standing(endpoint) == DECLARED for _, endpoint in quiet) else ""


def _overview_row(service: str, endpoint: EndpointReport) -> tuple[str, ...]:
    found = [finding for cluster in clusters(endpoint) for finding in cluster.findings]
    what = (
        code(_cut(found[0].name, 80)) + (f" and {number(len(found) - 1)} more" if len(found) > 1 else "")
        if found
        else ""
    )
    needs = summary.endpoint_needs(endpoint)
    return (
        code(_cut(service, 60)),
        code(_cut(endpoint["endpoint"], 120)),
        f"**{summary.standing_text(endpoint)}**",
        number(endpoint["pairs"]),
        summary.affected(endpoint),
        "; ".join(part for part in (what, needs) if part),
    )


def _same(endpoints: Sequence[tuple[str, EndpointReport]]) -> Iterator[str]:
    """Yield a row an endpoint that nobody has to look at."""
    rows = []
    for service, endpoint in endpoints[:_MANY]:
        noisy = noise(endpoint)
        quantiles = {row.name: f"{row.baseline} -> {row.branch}" for row in latencies.rows(endpoint["latency"])}
        rows.append(
            (
                code(_cut(service, 60)),
                code(_cut(endpoint["endpoint"], 120)),
                summary.standing_text(endpoint),
                number(endpoint["pairs"]),
                counted(len(noisy), "difference") if noisy else "",
                *(quantiles.get(name, "") for name in latencies.NAMES),
            )
        )
    yield from _table(_SAME, rows)
    yield from ["", f"{number(len(endpoints) - _MANY)} more."] if len(endpoints) > _MANY else []


def _declared(document: ReportDocument) -> Iterator[str]:
    """Yield what of the declared changes and rules needs a look, and fold the rest."""
    lines = [*declared.expected(document), *declared.ignored(document)]
    shown = [line for line in lines if line.state in {"missing", "expired", "news"}]
    yield from (f"- **{line.state}**: {escaped(_cut(line.sentence))}" for line in shown[:_ROWS])
    yield from [""] if shown else []
    rest = [line for line in lines if line not in shown]
    if rest:
        yield from _folded(
            "Expected changes and ignore rules", [f"- {escaped(_cut(one.sentence))}" for one in rest[:_ROWS]]
        )


def _refused(document: ReportDocument) -> Iterator[str]:
    """Fold the calls that the bridge stopped."""
    if refused := bridge.calls(document):
        yield from _folded("Calls that the bridge stopped", [f"- {escaped(_cut(one))}" for one in refused])


def _title(service: str, endpoint: EndpointReport) -> str:
    """Return the line of a folded endpoint: HTML, since Markdown means nothing in a summary."""
    name = escape(visible(_cut(f"{service} {endpoint['endpoint']}")))
    return f"<code>{name}</code>: {summary.standing_text(endpoint)}, {counted(endpoint['pairs'], 'pair')}"


def _endpoint(endpoint: EndpointReport) -> Iterator[str]:
    for text in (summary.accuracy(endpoint), summary.endpoint_needs(endpoint)):
        yield from [escaped(text), ""] if text else []
    loose: list[Finding] = []
    for cluster in clusters(endpoint):
        if cluster.sentence:
            yield from [escaped(cluster.sentence), "", *_table(_FINDINGS, map(_row, cluster.findings)), ""]
        else:
            loose += cluster.findings
    if loose := [*loose, *noise(endpoint)]:
        yield from [*_table(_FINDINGS, map(_row, loose)), ""]
    latency = endpoint["latency"]
    if latencies.measured(latency):
        yield from _table(_QUANTILES, [_quantiles(row) for row in latencies.rows(latency)])
        notes = [latencies.compared_with(latency), *latencies.asides(latency), latencies.spike_pairs(latency)]
        yield from ["", f"Latency **{latency['verdict']}**: {escaped('; '.join(filter(None, notes)))}", ""]


def _row(finding: Finding) -> tuple[str, ...]:
    return (
        f"**{finding.label}**" if finding.label == "different" else finding.label,
        escaped(finding.kind),
        code(_cut(finding.where)),
        code(_cut(finding.change)),
        escaped(", ".join(finding.figures)),
        code(finding.pair),
    )


def _quantiles(row: latencies.QuantileRow) -> tuple[str, ...]:
    return row.name, row.baseline, row.branch, row.control, row.effect


def _cut(text: str, limit: int = _SHORT) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _folded(title: str, lines: Iterable[str]) -> list[str]:
    """Return lines that are shown on demand; GitHub wants a blank line between HTML and Markdown."""
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _table(headers: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
