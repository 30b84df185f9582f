"""The report as one HTML file: no script, nothing from outside, light and dark, printable."""

from collections.abc import Iterator
from html import escape
from typing import Final

from microstax.model.report import EndpointReport, Latency, ReportDocument
from microstax.report import summary
from microstax.report.findings import Finding, findings
from microstax.report.text import milliseconds, number, visible

_STYLE: Final = """
:root { color-scheme: light dark; --line: #d5d9e0; --soft: #f4f6f9; --bad: #b42318; --doubt: #93590a; --good: #17693a; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a414d; --soft: #1d222b; --bad: #ff8f85; --doubt: #f2bd6b; --good: #7bd6a0; }
}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; } h2 { margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .6rem 0; padding: .5rem .9rem;
  overflow-x: auto; }
summary { cursor: pointer; } summary > span { float: right; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; background: var(--soft);
  padding: .8rem 1rem; border-radius: .4rem; } dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
.different, .slower { color: var(--bad); font-weight: 600; } .undecided, .not-comparable { color: var(--doubt); }
.same, .faster { color: var(--good); }
""".strip()
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_COLUMNS: Final = ("Verdict", "Kind", "Where", "Baseline", "Branch", "Count", "Rate", "Noise", "Pair")


def render_html(document: ReportDocument) -> str:
    """Return the page, everything captured escaped; its policy forbids scripts and loading anything."""
    heading = text(summary.title(document))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{heading}</title>",
            f"<style>\n{_STYLE}\n</style></head><body>",
            *_head(document),
            *_services(document),
            *_ignored(document),
            "</body></html>\n",
        ]
    )


def text(value: str) -> str:
    """Return the value as HTML text or attribute."""
    return escape(visible(value), quote=True)


def verdict(word: str, shown: str | None = None) -> str:
    """Return a verdict in its colour, or what is `shown` for it."""
    return f'<span class="{word.replace(" ", "-")}">{text(shown or word)}</span>'


def _head(document: ReportDocument) -> Iterator[str]:
    yield f"<h1>{text(document['overlay'])} against {text(document['baseline'])}: {verdict(document['verdict'])}</h1>"
    if document["reasons"]:
        yield f"<ul>{''.join(f'<li>{text(reason)}</li>' for reason in document['reasons'])}</ul>"
    facts = (
        ("Since", document["since"]),
        ("Coverage", summary.coverage_sum(document)),
        ("Accuracy", summary.accuracy(document)),
        ("Noise", summary.noise_source(document)),
        ("Not mirrored", summary.skipped(document)),
        ("Blocked", summary.blocked(document)),
    )
    yield f"<dl>{''.join(f'<dt>{name}</dt><dd>{text(value)}</dd>' for name, value in facts if value)}</dl>"


def _services(document: ReportDocument) -> Iterator[str]:
    for service in document["services"]:
        yield f"<h2>{text(service['service'])}</h2>"
        for endpoint in service["endpoints"]:
            yield from _endpoint(endpoint)


def _endpoint(endpoint: EndpointReport) -> Iterator[str]:
    opened = " open" if endpoint["verdict"] == "different" else ""
    pairs = f"{number(endpoint['pairs'])} pairs"
    yield f"<details{opened}><summary><code>{text(endpoint['endpoint'])}</code>"
    yield f"<span>{pairs}, {verdict(endpoint['verdict'], summary.standing(endpoint))}</span></summary>"
    if share := summary.accuracy(endpoint):
        yield f"<p>Accuracy {text(share)}</p>"
    found = findings(endpoint)
    if found:
        yield f"<table><tr>{''.join(f'<th>{name}</th>' for name in _COLUMNS)}</tr>"
        yield from map(_row, found)
        yield "</table>"
    else:
        yield "<p>No difference seen.</p>"
    yield from _latency(endpoint["latency"])
    yield "</details>"


def _row(finding: Finding) -> str:
    figures = (number(finding.count), finding.share, finding.noise_text)
    words = (finding.where, finding.baseline, finding.branch)
    return (
        f"<tr><td>{verdict(finding.label)}</td><td>{text(finding.kind)}</td>"
        f"{''.join(f'<td><code>{text(word)}</code></td>' for word in words)}"
        f'{"".join(f"""<td class="n">{figure}</td>""" for figure in figures)}'
        f"<td><code>{text(finding.pair)}</code></td></tr>"
    )


def _latency(latency: Latency) -> Iterator[str]:
    if not summary.measured(latency):
        return
    sides = [("baseline", latency["baseline"]), ("branch", latency["branch"])]
    sides += [("control", latency["control"])] if latency["control"] else []
    yield '<table><tr><th>Latency, ms</th><th class="n">p50</th><th class="n">p90</th><th class="n">p99</th></tr>'
    for name, side in sides:
        values = (side["p50"], side["p90"], side["p99"])
        row = "".join(f'<td class="n">{milliseconds(value)}</td>' for value in values)
        yield f"<tr><td>{name}</td>{row}</tr>"
    notes = [note for note in (summary.effects(latency), summary.spikes(latency)) if note]
    yield f"</table><p>{verdict(latency['verdict'])}{text(': ' + '; '.join(notes)) if notes else ''}</p>"


def _ignored(document: ReportDocument) -> Iterator[str]:
    rules = summary.ignored(document)
    if rules:
        yield f"<h2>Ignored by rule</h2><ul>{''.join(f'<li>{text(rule)}</li>' for rule in rules)}</ul>"
