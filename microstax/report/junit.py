"""The report as JUnit XML: a test suite a service, a test case an endpoint, so that any CI shows it as tests.

A different endpoint is a failure, an undecided or not comparable one is skipped: neither passed nor failed.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET  # it only writes

from microstax.model.report import EndpointReport, ReportDocument, ServiceReport
from microstax.report import summary
from microstax.report.findings import findings
from microstax.report.text import number, visible


def render_junit(document: ReportDocument) -> str:
    """Return the XML document."""
    root = ET.Element("testsuites", name=visible(f"{document['overlay']} against {document['baseline']}"))
    suites = [_suite(root, document, service) for service in document["services"]]
    if not any(len(suite.findall("testcase")) for suite in suites):
        _nothing(root, document)
    _count(root, root.iter("testcase"))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, document: ReportDocument, service: ServiceReport) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=visible(service["service"]), timestamp=visible(document["since"]))
    properties = ET.SubElement(suite, "properties")
    facts = (
        ("verdict", document["verdict"]),
        ("coverage", summary.coverage_sum(document)),
        ("accuracy", summary.accuracy(document)),
        ("noise", summary.noise_source(document)),
        ("not mirrored", summary.skipped(document)),
        ("blocked", summary.blocked(document)),
    )
    for name, value in facts:
        if value:
            ET.SubElement(properties, "property", name=name, value=visible(value))
    for endpoint in service["endpoints"]:
        _case(suite, service["service"], endpoint)
    _count(suite, suite.iter("testcase"))
    return suite


def _case(suite: ET.Element, service: str, endpoint: EndpointReport) -> None:
    name = visible(endpoint["endpoint"])
    case = ET.SubElement(suite, "testcase", classname=visible(service), name=name)
    text = "\n".join(_lines(endpoint))
    if endpoint["verdict"] == "different":
        drift = sum(finding.verdict == "different" for finding in findings(endpoint))
        message = f"{drift} {'finding' if drift == 1 else 'findings'} in {number(endpoint['pairs'])} pairs"
        ET.SubElement(case, "failure", type="different", message=message).text = text
        return
    if endpoint["verdict"] != "same":
        ET.SubElement(case, "skipped", message=f"{endpoint['verdict']} after {number(endpoint['pairs'])} pairs")
    ET.SubElement(case, "system-out").text = text


def _lines(endpoint: EndpointReport) -> list[str]:
    lines = [f"{number(endpoint['pairs'])} pairs"]
    for found in findings(endpoint):
        what = " ".join(part for part in (found.label, found.kind, found.where, found.change) if part)
        lines.append(visible(f"{what}: {found.times}, noise {found.noise_text}, pair {found.pair}"))
    if share := summary.accuracy(endpoint):
        lines.append(f"accuracy {share}")
    latency = endpoint["latency"]
    if summary.measured(latency):
        quantiles = (summary.quantile(latency, name) for name in ("p50", "p90", "p99"))
        parts = (*quantiles, summary.effects(latency), summary.spikes(latency))
        lines.append(visible(f"latency {latency['verdict']}: {'; '.join(part for part in parts if part)}"))
    return lines


def _nothing(root: ET.Element, document: ReportDocument) -> None:
    """Write a skipped case: an empty file would read as success in most CIs."""
    suite = ET.SubElement(root, "testsuite", name="traffic")
    case = ET.SubElement(suite, "testcase", classname=visible(document["overlay"]), name="any pair")
    reasons = visible(" ".join(document["reasons"])) or "nothing was compared yet"
    message = f"{document['verdict']}: {reasons}"
    ET.SubElement(case, "skipped", message=message)
    ET.SubElement(case, "system-out").text = visible(summary.coverage_sum(document))
    _count(suite, [case])


def _count(element: ET.Element, cases: Iterable[ET.Element]) -> None:
    listed = list(cases)
    element.set("tests", str(len(listed)))
    element.set("failures", str(sum(case.find("failure") is not None for case in listed)))
    element.set("skipped", str(sum(case.find("skipped") is not None for case in listed)))
    element.set("errors", "0")
