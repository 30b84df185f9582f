"""Which pairs a report shows as examples, so that whoever renders it can fetch them first."""

from collections.abc import Iterator
from typing import Final

from microstax.model.report import ReportDocument
from microstax.report.groups import Cluster, clusters
from microstax.report.ranking import is_slower, ranked

MAX_PAIRS: Final = 50


def pairs_shown(document: ReportDocument) -> list[str]:
    """Return the ids of the pairs to show, one a group of findings, the most important first, at most MAX_PAIRS."""
    ids = dict.fromkeys(pair for pair in _wanted(document) if pair)
    return list(ids)[:MAX_PAIRS]


def example_of(cluster: Cluster) -> str:
    """Return the id of the pair that shows a group: that of its most important finding; may be empty."""
    return next((finding.pair for finding in cluster.findings if finding.pair), "")


def _wanted(document: ReportDocument) -> Iterator[str]:
    endpoints = [endpoint for _, endpoint in ranked(document)]
    for endpoint in endpoints:
        yield from map(example_of, clusters(endpoint))
    for endpoint in endpoints:
        if is_slower(endpoint):
            yield from endpoint["latency"]["spike_pairs"][:1]
