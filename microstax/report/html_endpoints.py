"""The endpoints of the page: groups of findings with their figures and examples, then latency, then noise."""

from collections.abc import Iterator
from itertools import count
from typing import Final

from microstax.model.report import EndpointReport, Latency, ReportDocument
from microstax.model.wording import counted
from microstax.report import latencies, summary
from microstax.report.examples import example_of
from microstax.report.findings import NOTHING, Finding
from microstax.report.groups import Cluster, clusters, noise
from microstax.report.html_latency import latency_section
from microstax.report.html_pair import Examples
from microstax.report.html_text import badge, code, css_class, text
from microstax.report.ranking import is_slower, ranked, standing

_CUT: Final = 2000
"""Longer names and values are cut: a page has to open fast."""


def endpoint_articles(document: ReportDocument, examples: Examples) -> Iterator[str]:
    """Yield an article an endpoint, the most important first."""
    numbers = count(1)
    for index, (service, endpoint) in enumerate(ranked(document), start=1):
        yield from _article(index, service, endpoint, numbers, examples)


def latency_label(latency: Latency) -> str:
    """Return what a latency is as a finding: `slower`, `spikes`, `faster`, or empty where it is none."""
    if latency["verdict"] in {"slower", "faster"}:
        return latency["verdict"]
    return "spikes" if latency["spikes_verdict"] == "different" else ""


def _article(
    index: int, service: str, endpoint: EndpointReport, numbers: "count[int]", examples: Examples
) -> Iterator[str]:
    label = standing(endpoint)
    name = f'<span class="service">{text(service)}</span> {code(_cut(endpoint["endpoint"]))}'
    yield (
        f'<article class="endpoint {css_class(label)}" data-service="{text(service)}" data-verdict="{label}">'
        f'<details{"" if label == "same" else " open"}><summary><h3 id="e{index}">{name}</h3>'
        f'<span class="standing">{_standing(endpoint)}</span></summary>'
    )
    lines = [f"accuracy {share}" for share in [summary.accuracy(endpoint)] if share]
    lines += [f"{needs} decide it" for needs in [summary.endpoint_needs(endpoint)] if needs]
    yield from (f'<p class="line">{text(line)}</p>' for line in lines)
    for cluster in clusters(endpoint):
        yield from _cluster(cluster, numbers, examples)
    if latencies.measured(endpoint["latency"]):
        yield from latency_section(endpoint["latency"], f"l{index}", latency_label(endpoint["latency"]))
        if is_slower(endpoint):
            yield from (examples.shown(pair) for pair in endpoint["latency"]["spike_pairs"][:1])
    if found := noise(endpoint):
        yield f'<details class="noise"><summary>{counted(len(found), "difference")} that noise explains</summary>'
        yield from (_finding(finding, next(numbers)) for finding in found)
        yield "</details>"
    yield "</details></article>"


def _standing(endpoint: EndpointReport) -> str:
    affected = summary.affected(endpoint)
    facts = [counted(endpoint["pairs"], "pair"), *([f"{affected} affected"] if affected else [])]
    return f"{badge(standing(endpoint), summary.standing_text(endpoint))} <span>{', '.join(facts)}</span>"


def _cluster(cluster: Cluster, numbers: "count[int]", examples: Examples) -> Iterator[str]:
    yield '<div class="group">'
    if cluster.sentence:
        yield f'<p class="together">{text(cluster.sentence)}</p>'
    yield from (_finding(finding, next(numbers)) for finding in cluster.findings)
    yield examples.shown(example_of(cluster))
    yield "</div>"


def _finding(finding: Finding, index: int) -> str:
    where = code(_cut(finding.where))
    pair = f', <span class="id">pair {code(finding.pair)}</span>' if finding.pair else ""
    return (
        f'<section class="finding" id="f{index}" tabindex="-1" data-verdict="{finding.label}" '
        f'data-kind="{text(finding.kind)}"><h4>{badge(finding.label)} '
        f'<span class="kind">{text(finding.kind)}</span> {where}</h4>{_change(finding)}'
        f'<p class="figures">{text(", ".join(finding.figures))}{pair}</p></section>'
    )


def _change(finding: Finding) -> str:
    if not finding.change:
        return ""
    before, after = _cut(finding.baseline or NOTHING), _cut(finding.branch or NOTHING)
    return f'<p class="change">{code(before, "old")} <span>&rarr;</span> {code(after, "new")}</p>'


def _cut(value: str) -> str:
    return value if len(value) <= _CUT else f"{value[:_CUT]}..."
