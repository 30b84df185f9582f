"""The filters of the page and the list of its keys; without scripts both stay out of sight, and everything is shown."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from microstax.model.report import ReportDocument
from microstax.report.figures import number
from microstax.report.findings import LABELS, NOISE, findings
from microstax.report.html_endpoints import latency_label
from microstax.report.html_text import css_class, text
from microstax.report.ranking import ranked

_LATENCY: Final = ("slower", "spikes", "faster")
_KEYS: Final = (
    ("/", "write into the filter"),
    ("j or arrow down", "next finding"),
    ("k or arrow up", "finding before"),
    ("Enter", "open or close the example of a finding"),
    ("n", "hide or show noise"),
    ("e", "open or close all endpoints"),
    ("t", "theme: auto, light, dark"),
    ("Escape", "leave the filter; once more: take all filters away"),
    ("?", "this list"),
)


def filter_form(document: ReportDocument) -> Iterator[str]:
    """Yield the form; the script shows it, and tells in its output how much passes."""
    verdicts, kinds = _counts(document)
    yield '<form id="filters" role="search" aria-label="Filter findings" hidden>'
    yield (
        '<label class="text">Text <input id="q" name="q" type="search" autocomplete="off" spellcheck="false" '
        'placeholder="path, endpoint, pair ..." aria-keyshortcuts="/"></label>'
    )
    yield from _verdicts(verdicts)
    services = sorted({service for service, _ in ranked(document)})
    yield from _select("service", "Service", services)
    yield from _select("kind", "Kind", sorted(kinds))
    if verdicts[NOISE]:
        yield (
            '<label class="check"><input type="checkbox" name="quiet" value="1" aria-keyshortcuts="n"> Hide noise '
            f"<b>{number(verdicts[NOISE])}</b></label>"
        )
    yield '<div class="buttons"><button type="reset">Reset</button> '
    yield '<button type="button" id="all">Open all</button></div>'
    yield '<output id="count" aria-live="polite"></output></form>'


def help_dialog(document: ReportDocument) -> Iterator[str]:
    """Yield the keys, and the command that shows any pair."""
    yield '<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2><dl>'
    yield from (f"<div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>" for key, what in _KEYS)
    yield f"</dl><p>Any pair: <code>microstax env diffs {text(document['overlay'])} --pair ID</code></p>"
    yield '<form method="dialog"><button>Close</button></form></dialog>'


def _counts(document: ReportDocument) -> tuple[Counter[str], set[str]]:
    verdicts: Counter[str] = Counter()
    kinds: set[str] = set()
    for _, endpoint in ranked(document):
        found = findings(endpoint)
        verdicts.update(finding.label for finding in found)
        kinds.update(finding.kind for finding in found)
        if label := latency_label(endpoint["latency"]):
            verdicts[label] += 1
            kinds.add("latency")
    return verdicts, kinds


def _verdicts(verdicts: Counter[str]) -> Iterator[str]:
    labels = [label for label in (*LABELS[:-1], *_LATENCY) if verdicts[label]]
    if not labels:
        return
    yield '<fieldset><legend>Verdict</legend><div class="chips">'
    for label in labels:
        yield f'<label class="chip {css_class(label)}"><input type="checkbox" name="verdict" value="{label}"> '
        yield f"{label} <b>{number(verdicts[label])}</b></label>"
    yield "</div></fieldset>"


def _select(name: str, title: str, values: list[str]) -> Iterator[str]:
    options = "".join(f'<option value="{text(value)}">{text(value)}</option>' for value in values)
    yield f'<label>{title} <select name="{name}"><option value="">all</option>{options}</select></label>'
