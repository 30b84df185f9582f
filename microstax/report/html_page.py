"""The report as one HTML file: works offline and without scripts, light and dark, by keyboard, on a phone and on paper.

Nothing is loaded: style and script stand in the file, and its policy allows these two by their hashes and nothing else.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from microstax.model.report import ReportDocument
from microstax.report import bridge, declared, summary
from microstax.report.html_endpoints import endpoint_articles
from microstax.report.html_filters import filter_form, help_dialog
from microstax.report.html_head import coverage, header
from microstax.report.html_pair import Examples
from microstax.report.html_text import badge, text
from microstax.report.html_words import words
from microstax.report.pair import ComparedPair
from microstax.report.ranking import ranked


def render_html(document: ReportDocument, *, pairs: Mapping[str, ComparedPair] | None = None) -> str:
    """Return the page, everything captured escaped. `pairs` are examples by id; see microstax.report.examples."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    examples = Examples(pairs or {}, overlay=document["overlay"])
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(summary.title(document))}</title>",
            f"<style>{style}</style></head><body>",
            '<a class="skip" href="#endpoints">Skip to the endpoints</a>',
            *header(document),
            "<main>",
            *coverage(document),
            *_endpoints(document, examples),
            *_refused(document),
            *_declared("Expected changes", declared.expected(document)),
            *_declared("Ignore rules", declared.ignored(document)),
            *words(),
            "</main>",
            *help_dialog(document),
            f"<script>{script}</script></body></html>\n",
        ]
    )


def _endpoints(document: ReportDocument, examples: Examples) -> list[str]:
    if not ranked(document):
        return ['<section id="endpoints"><h2>Endpoints</h2><p>Nothing was compared yet.</p></section>']
    articles = list(endpoint_articles(document, examples))
    return [
        '<section id="endpoints" aria-labelledby="endpoints-title"><h2 id="endpoints-title">Endpoints</h2>',
        *filter_form(document),
        *articles,
        f'<p class="note">{text(examples.note)}</p>' if examples.note else "",
        '<p id="none" hidden>No finding passes the filter.</p></section>',
    ]


def _refused(document: ReportDocument) -> list[str]:
    """Return the calls that the bridge stopped, each with its example."""
    rows = bridge.rows(document)
    if not rows:
        return []
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in bridge.COLUMNS)
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    note = bridge.unlisted(document)
    return [
        '<section class="declared" aria-labelledby="refused-title"><h2 id="refused-title">Stopped by the bridge</h2>',
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>',
        f'<p class="note">{text(note)}</p></section>' if note else "</section>",
    ]


def _declared(title: str, lines: list[declared.Line]) -> list[str]:
    if not lines:
        return []
    items = "".join(
        f'<li>{badge(line.state)} <span class="what">{text(line.name)}</span> {text(line.result)}</li>'
        for line in lines
    )
    return [f'<section class="declared"><h2>{title}</h2><ul>{items}</ul></section>']


@cache
def _asset(name: str) -> str:
    """Return a file of this package."""
    return files("microstax.report").joinpath(name).read_text(encoding="utf-8")


def _hash(asset: str) -> str:
    """Return what a content security policy calls the asset (CSP Level 3, 2.3.1)."""
    return f"sha256-{b64encode(sha256(asset.encode()).digest()).decode()}"
