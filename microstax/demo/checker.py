"""Hold a report against what was planted: what it found, what it missed, what it made up. PURE."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from microstax.demo.planted import Finding, Kind
from microstax.model.report import EndpointReport, ReportDocument

DIFFERENT: Final = "different"
SPIKES_AT_LEAST: Final = 5
SPIKE_SHARE: Final = 0.03
"""From how many slow answers, and from which share of an endpoint's pairs, spikes are a finding.

The report counts single slow answers and gives no verdict on them; a busy machine has a few of its own.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Three sorted lists; the report is right when the last two are empty."""

    found: tuple[Finding, ...]
    missed: tuple[Finding, ...]
    invented: tuple[Finding, ...]

    @property
    def right(self) -> bool:
        """Whether the report found everything that was planted, and nothing else."""
        return not self.missed and not self.invented


def check(document: ReportDocument, planted: Collection[Finding]) -> Outcome:
    """Compare the findings of a report (those with the verdict "different") with the planted ones."""
    told, expected = set(findings(document)), set(planted)
    return Outcome(
        found=tuple(sorted(expected & told)),
        missed=tuple(sorted(expected - told)),
        invented=tuple(sorted(finding for finding in told - expected if not _explained(finding, expected))),
    )


def findings(document: ReportDocument) -> Iterator[Finding]:
    """Yield every difference that the report calls one."""
    for service in document["services"]:
        for endpoint in service["endpoints"]:
            for kind, place in _in_endpoint(endpoint):
                yield Finding(service["service"], endpoint["endpoint"], kind, place)


def _in_endpoint(endpoint: EndpointReport) -> Iterator[tuple[Kind, str]]:
    for status in endpoint["status"]:
        if status["verdict"] == DIFFERENT:
            yield Kind.STATUS, f"{status['baseline']} -> {status['branch']}"
    for shape in endpoint["shape"]:
        if shape["verdict"] == DIFFERENT:
            yield Kind(shape["kind"]), shape["path"]
    for value in endpoint["values"]:
        if value["verdict"] == DIFFERENT:
            yield Kind.VALUE, value["path"]
    for header in endpoint["headers"]:
        if header["verdict"] == DIFFERENT:
            yield Kind.HEADER, header["name"]
    yield from _in_latency(endpoint)


def _in_latency(endpoint: EndpointReport) -> Iterator[tuple[Kind, str]]:
    latency = endpoint["latency"]
    if latency["verdict"] == "slower":
        yield Kind.SLOWER, ""
    if latency["verdict"] == "faster":
        yield Kind.FASTER, ""
    if latency["spikes"] >= max(SPIKES_AT_LEAST, SPIKE_SHARE * endpoint["pairs"]):
        yield Kind.SPIKE, ""


def _explained(finding: Finding, expected: Collection[Finding]) -> bool:
    """Whether the finding is another sight of a planted one: what is slower has spikes, and the other way round."""
    other = {Kind.SLOWER: Kind.SPIKE, Kind.SPIKE: Kind.SLOWER}.get(finding.kind)
    return other is not None and Finding(finding.service, finding.endpoint, other) in expected
