"""The latency of one endpoint on the page: a plot, and the same figures as a table."""

from collections.abc import Iterator

from microstax.model.report import Latency
from microstax.report import latencies
from microstax.report.figures import milliseconds
from microstax.report.html_plot import plot
from microstax.report.html_text import badge, code, text


def latency_section(latency: Latency, ident: str, label: str) -> Iterator[str]:
    """Yield the section; with a `label` it is a finding of its own, which filters and keys know."""
    finding = f' finding" tabindex="-1" data-verdict="{label}" data-kind="latency' if label else ""
    yield f'<section class="latency{finding}" id="{ident}">'
    yield f'<h4>{badge(label or latency["verdict"])} <span class="kind">latency</span></h4>'
    yield '<div class="figure">'
    yield from plot(latency, ident)
    yield f"{_table(latency)}</div>"
    notes = [latencies.compared_with(latency)] if any(row.effect for row in latencies.rows(latency)) else []
    notes.append(", ".join(latencies.asides(latency)))
    pairs = ", ".join(map(code, latency["spike_pairs"]))
    shown = f"; {'pairs' if len(latency['spike_pairs']) > 1 else 'pair'} {pairs}" if pairs else ""
    yield f'<p class="figures">{text("; ".join(notes))}{shown}</p></section>'


def _table(latency: Latency) -> str:
    """Return the quantiles with their intervals below them, and the effects."""
    sides = latencies.sides(latency)
    names = "".join(f'<th scope="col" class="n">{name}</th>' for name, _, _ in sides)
    lines = []
    for row in latencies.rows(latency):
        name = next(one for one in latencies.NAMES if one == row.name)
        cells = ""
        for _, side, intervals in sides:
            between = latencies.interval(intervals[name]) if intervals else ""
            cells += f'<td class="n">{milliseconds(side[name])}{f"<small>{between}</small>" if between else ""}</td>'
        lines.append(f'<tr><th scope="row">{name}</th>{cells}<td class="n">{row.effect}</td></tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Latency quantiles"><table class="quantiles">'
        "<thead><tr>"
        f'<th scope="col">ms</th>{names}<th scope="col" class="n">effect</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
