"""What a report says, as sights: the differences that it calls different, and those that it has no verdict on yet."""

from collections.abc import Iterator
from typing import NamedTuple

from microstax.model.report import EndpointReport, Judged, ReportDocument
from microstax.selftest.result import Finding
from microstax.selftest.spots import FASTER, HEADER, SLOWER, SPIKE, STATUS, VALUE, Sight


class Said(NamedTuple):
    """One entry of a report: `verdict` as it says it, `needs` about how many more requests decide."""

    sight: Sight
    verdict: str
    needs: int | None
    pair: str


def findings(document: ReportDocument) -> Iterator[Finding]:
    """Yield everything that the report calls different, slower or faster."""
    for service in document["services"]:
        for endpoint in service["endpoints"]:
            for said in entries(endpoint):
                if said.verdict == "different":
                    yield Finding(service["service"], endpoint["endpoint"], said.sight, said.pair)


def entries(endpoint: EndpointReport) -> Iterator[Said]:
    """Yield all that the report says about an endpoint; a latency that changed is `different`."""
    for status in endpoint["status"]:
        yield _said(Sight(STATUS, f"{status['baseline']} -> {status['branch']}"), status)
    for shape in endpoint["shape"]:
        yield _said(Sight(shape["kind"], shape["path"]), shape)
    for value in endpoint["values"]:
        yield _said(Sight(VALUE, value["path"]), value)
    for header in endpoint["headers"]:
        yield _said(Sight(HEADER, header["name"]), header)
    latency = endpoint["latency"]
    verdict = {"slower": "different", "faster": "different"}.get(latency["verdict"], latency["verdict"])
    yield Said(Sight(FASTER if latency["verdict"] == "faster" else SLOWER, ""), verdict, None, "")
    spikes = latency["spike_pairs"]
    yield Said(Sight(SPIKE, ""), latency["spikes_verdict"], None, spikes[0] if spikes else "")


def _said(sight: Sight, entry: Judged) -> Said:
    return Said(sight, entry["verdict"], entry["needs"], entry["pair"])
