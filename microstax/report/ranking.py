"""What a report shows first: endpoints by what is wrong with them and how many distinct requests that hits."""

from typing import Final

from microstax.model.report import EndpointReport, ReportDocument
from microstax.report.findings import DECLARED, findings

STANDINGS: Final = ("different", "slower", DECLARED, "undecided", "not comparable", "same")
"""What an endpoint can be, worst first; `slower` where only its latency is wrong, `expected` where all was declared."""


def ranked(document: ReportDocument) -> list[tuple[str, EndpointReport]]:
    """Return (service, endpoint) of all services, the most important first."""
    found = [(service["service"], endpoint) for service in document["services"] for endpoint in service["endpoints"]]
    return sorted(found, key=lambda one: _rank(*one))


def standing(endpoint: EndpointReport) -> str:
    """Return which of STANDINGS the endpoint is."""
    labels = {found.label for found in findings(endpoint)}
    if "different" in labels or (endpoint["verdict"] == "different" and DECLARED not in labels):
        return "different"
    if is_slower(endpoint):
        return "slower"
    return DECLARED if DECLARED in labels and endpoint["verdict"] in {"same", "different"} else endpoint["verdict"]


def is_slower(endpoint: EndpointReport) -> bool:
    """Tell whether the branch answers later: as a whole, or now and then."""
    latency = endpoint["latency"]
    return latency["verdict"] == "slower" or latency["spikes_verdict"] == "different"


def _rank(service: str, endpoint: EndpointReport) -> tuple[int, int, int, str, str]:
    affected = -endpoint["failing_contexts"]
    return STANDINGS.index(standing(endpoint)), affected, -endpoint["pairs"], service, endpoint["endpoint"]
