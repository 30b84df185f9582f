"""The report as JUnit XML: a test suite a service, a test case an endpoint, so that any CI shows it as tests.

An endpoint that differs in a way that nobody declared is a failure; one that is undecided or cannot be compared is
skipped: neither passed nor failed. A declared change is a test case as well, which fails where it did not appear.
A slower endpoint passes, since a gate fails on latency only where that is asked for; its output says so.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET  # it only writes

from microstax.model.report import EndpointReport, ReportDocument, ServiceReport
from microstax.model.wording import counted
from microstax.report import bridge, declared, latencies, summary
from microstax.report.findings import Finding, findings
from microstax.report.groups import clusters, noise
from microstax.report.ranking import standing
from microstax.report.text import visible


def render_junit(document: ReportDocument) -> str:
    """Return the XML document."""
    root = ET.Element("testsuites", name=visible(f"{document['overlay']} against {document['baseline']}"))
    suites = [_suite(root, document, service) for service in document["services"]]
    suites += [_expected(root, document)] if document["expected"] else []
    if not any(len(suite.findall("testcase")) for suite in suites):
        _nothing(root, document)
    _count(root, root.iter("testcase"))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, document: ReportDocument, service: ServiceReport) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=visible(service["service"]), timestamp=visible(document["since"]))
    properties = ET.SubElement(suite, "properties")
    facts = [("verdict", document["verdict"]), *(("reason", reason) for reason in summary.why(document))]
    rules = [("ignored", line.sentence) for line in declared.ignored(document)]
    refused = [("refused", sentence) for sentence in bridge.calls(document)]
    for name, value in (*facts, *summary.facts(document), *refused, *rules):
        ET.SubElement(properties, "property", name=name, value=visible(value))
    for endpoint in service["endpoints"]:
        _case(suite, service["service"], endpoint)
    _count(suite, suite.iter("testcase"))
    return suite


def _case(suite: ET.Element, service: str, endpoint: EndpointReport) -> None:
    case = ET.SubElement(suite, "testcase", classname=visible(service), name=visible(endpoint["endpoint"]))
    if standing(endpoint) == "different":
        drift = sum(finding.label == "different" for finding in findings(endpoint))
        affected = f", on {summary.affected(endpoint)}" if endpoint["failing_contexts"] else ""
        message = f"{counted(drift, 'finding')} in {counted(endpoint['pairs'], 'pair')}{affected}"
        failure = ET.SubElement(case, "failure", type="different", message=visible(message))
        failure.text = "\n".join(visible(found.name) for found in findings(endpoint) if found.label == "different")
    elif endpoint["verdict"] not in {"same", "different"}:
        needs = summary.endpoint_needs(endpoint)
        message = f"{endpoint['verdict']} after {counted(endpoint['pairs'], 'pair')}{f': {needs}' if needs else ''}"
        ET.SubElement(case, "skipped", message=message)
    ET.SubElement(case, "system-out").text = "\n".join(map(visible, _lines(endpoint)))


def _lines(endpoint: EndpointReport) -> list[str]:
    lines = [f"{counted(endpoint['pairs'], 'pair')}: {summary.standing_text(endpoint)}"]
    for cluster in clusters(endpoint):
        lines += [cluster.sentence] if cluster.sentence else []
        lines += [_line(finding) for finding in cluster.findings]
    lines += [_line(finding) for finding in noise(endpoint)]
    if share := summary.accuracy(endpoint):
        lines.append(f"accuracy {share}")
    if needs := summary.endpoint_needs(endpoint):
        lines.append(f"{needs} decide it")
    latency = endpoint["latency"]
    if latencies.measured(latency):
        lines.append(f"latency {latency['verdict']}: {latencies.summary(latency)}")
    return lines


def _line(finding: Finding) -> str:
    what = " ".join(part for part in (finding.label, finding.kind, finding.where, finding.change) if part)
    pair = [f"pair {finding.pair}"] if finding.pair else []
    return f"{what}: {', '.join([*finding.figures, *pair])}"


def _expected(root: ET.Element, document: ReportDocument) -> ET.Element:
    """Write a case a declared change: the branch is made for it, so it has to appear."""
    suite = ET.SubElement(root, "testsuite", name="expected changes", timestamp=visible(document["since"]))
    for line in declared.expected(document):
        case = ET.SubElement(suite, "testcase", classname="expected changes", name=visible(line.name))
        if line.state == "missing":
            ET.SubElement(case, "failure", type="missing", message=visible(line.result))
        elif line.state == "undecided":
            ET.SubElement(case, "skipped", message=visible(line.result))
        ET.SubElement(case, "system-out").text = visible(line.sentence)
    _count(suite, suite.iter("testcase"))
    return suite


def _nothing(root: ET.Element, document: ReportDocument) -> None:
    """Write a skipped case: an empty file would read as success in most CIs."""
    suite = ET.SubElement(root, "testsuite", name="traffic")
    case = ET.SubElement(suite, "testcase", classname=visible(document["overlay"]), name="any pair")
    message = visible(f"{document['verdict']}: {' '.join(summary.why(document))}")
    ET.SubElement(case, "skipped", message=message)
    ET.SubElement(case, "system-out").text = visible(summary.coverage_sum(document))
    _count(suite, [case])


def _count(element: ET.Element, cases: Iterable[ET.Element]) -> None:
    listed = list(cases)
    element.set("tests", str(len(listed)))
    element.set("failures", str(sum(case.find("failure") is not None for case in listed)))
    element.set("skipped", str(sum(case.find("skipped") is not None for case in listed)))
    element.set("errors", "0")
