"""The top of the page: the verdict and why, and what became of the mirrored requests as a bar."""

from collections.abc import Iterator
from typing import Final

from microstax.model.report import ReportDocument
from microstax.report import summary
from microstax.report.figures import number, percent
from microstax.report.html_text import badge, css_class, text

_WIDTH: Final = 1000
_LEAST: Final = 4
"""The narrowest part of the bar, of _WIDTH: what is there must be seen."""
_SHADES: Final = 5


def header(document: ReportDocument) -> Iterator[str]:
    """Yield the verdict, the sentence that says why, and the other reasons."""
    first, *others = summary.why(document)
    yield f'<header class="top {css_class(document["verdict"])}">'
    yield (
        '<div class="bar"><p class="product">microstax report</p><p class="tools" hidden>'
        '<button type="button" id="theme">Theme: auto</button> '
        '<button type="button" id="help-open" aria-haspopup="dialog">Keys <kbd>?</kbd></button></p></div>'
    )
    yield f"<h1>{badge(document['verdict'])} <span>{text(document['overlay'])}</span>"
    yield f'<small>against {text(document["baseline"])}</small></h1><p class="why">{text(first)}</p>'
    if others:
        yield f'<ul class="reasons">{"".join(f"<li>{text(reason)}</li>" for reason in others)}</ul>'
    yield "</header>"


def coverage(document: ReportDocument) -> Iterator[str]:
    """Yield the sum as a stacked bar with its counts, and what else is known about the report as a whole."""
    yield '<section class="coverage" aria-labelledby="coverage-title"><h2 id="coverage-title">Coverage</h2>'
    yield from _bar(document)
    facts = [(name, value) for name, value in summary.facts(document) if name != "coverage"]
    items = (f"<div><dt>{name}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
    yield f'<dl class="facts">{"".join(items)}</dl></section>'


def _bar(document: ReportDocument) -> Iterator[str]:
    parts, sum_text = summary.coverage_parts(document), summary.coverage_sum(document)
    total = sum(count for _, count in parts)
    yield f"<p>{text(sum_text)}</p>"
    if not total:
        return
    yield f'<svg class="stack" viewBox="0 0 {_WIDTH} 24" preserveAspectRatio="none" role="img"'
    yield f' aria-label="{text(sum_text)}">'
    left = 0.0
    for index, (_, width) in enumerate(_widths(parts)):
        yield f'<rect class="{_shade(index)}" x="{left:.1f}" y="0" width="{width:.1f}" height="24"/>'
        left += width
    yield "</svg>"
    items = (
        f'<li><span class="key {_shade(index)}"></span> {text(name)} <b>{number(count)}</b> '
        f"({percent(count / total)})</li>"
        for index, (name, count) in enumerate(parts)
        if count
    )
    yield f'<ul class="legend">{"".join(items)}</ul>'


def _widths(parts: list[tuple[str, int]]) -> list[tuple[str, float]]:
    """Return how wide each part is drawn: in proportion, but never too narrow to be seen."""
    total = sum(count for _, count in parts)
    wide = [(name, max(count / total * _WIDTH, _LEAST) if count else 0.0) for name, count in parts]
    scale = _WIDTH / sum(width for _, width in wide)
    return [(name, width * scale) for name, width in wide]


def _shade(index: int) -> str:
    return f"part-{index if index == 0 else (index - 1) % _SHADES + 1}"
