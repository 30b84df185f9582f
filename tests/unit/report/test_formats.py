# ruff: noqa: S314  # what is parsed was written by the renderer
"""Every format against its golden file, and all of them against each other."""

import copy
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

import microstax.report
from microstax.model import report
from microstax.report.render import FORMATS, render
from microstax.report.text import cells

SCHEMA = json.loads((Path(microstax.report.__file__).parent / "report.schema.json").read_text())
Golden = Callable[[str, str], None]


@pytest.mark.parametrize(
    ("format_name", "name"),
    [("json", "report.json"), ("junit", "report.xml"), ("markdown", "report.md"), ("html", "report.html")],
)
def test_golden(document: Any, golden: Golden, format_name: str, name: str) -> None:
    golden(name, render(document, format_name))


@pytest.mark.parametrize(("width", "colour"), [(80, False), (160, False), (80, True)])
def test_golden_table(document: Any, golden: Golden, *, width: int, colour: bool) -> None:
    name = f"report-{width}{'-colour' if colour else ''}.txt"
    golden(name, render(document, "table", width=width, colour=colour))


@pytest.mark.parametrize("width", [1, 40, 60, 79, 80, 81, 100, 119, 120, 132, 200])
def test_a_table_keeps_to_the_width(document: Any, width: int) -> None:
    lines = render(document, "table", width=width).splitlines()
    assert max(cells(line) for line in lines) <= max(width, 40)


def test_without_colour_there_is_no_escape_sequence(document: Any) -> None:
    assert "\x1b" not in render(document, "table", width=80)


def test_colour_changes_nothing_but_colour(document: Any) -> None:
    coloured = render(document, "table", width=80, colour=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == render(document, "table", width=80)


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "json"])
def test_every_figure_stands_in_every_format(document: Any, format_name: str) -> None:
    """Each count, pair id, verdict and latency of the document is shown by each format, written the same way."""
    shown = html.unescape(re.sub(r"<[^>]+>", " ", render(document, format_name).replace("\\", "")))
    if format_name == "junit":
        attributes = ET.fromstring(render(document, format_name)).iter()
        shown += " ".join(value for element in attributes for value in element.attrib.values())
    shown = " ".join(shown.split())
    missing = [figure for figure in figures(document, noisy_pairs=format_name != "table") if figure not in shown]
    assert missing == []


def figures(document: Any, *, noisy_pairs: bool) -> list[str]:
    coverage = document["coverage"]
    found = [f"{coverage['mirrored']:,} mirrored = {coverage['paired']:,} compared", document["since"]]
    found += [f"{count:,} {reason}" for reason, count in coverage["not_compared"].items()]
    found += [f"{name} {count}" for name, count in coverage["skipped_methods"].items()]
    found.append(f"{coverage['blocked_calls']} unsafe calls")
    found.append(f"{document['accuracy']:.1%}")
    for service in document["services"]:
        for endpoint in service["endpoints"]:
            found += [f"{endpoint['pairs']:,} pairs", endpoint["endpoint"], endpoint["verdict"]]
            for finding in [*endpoint["status"], *endpoint["shape"], *endpoint["values"], *endpoint["headers"]]:
                found.append(f"{finding['count']:,} time" if not noisy_pairs else f"{finding['count']:,}")
                found += [finding["pair"]] if noisy_pairs or finding["verdict"] != "same" else []
            latency = endpoint["latency"]
            found += [latency["spike_pair"]] if "spike_pair" in latency else []
            found += [f"x{latency['effect']['p99']['ratio']}"] if latency["effect"]["p99"]["ratio"] else []
    return found


def test_the_json_is_the_document_in_the_order_of_the_contract(document: Any) -> None:
    shuffled = json.loads(json.dumps(document, sort_keys=True))
    text = render(shuffled, "json")
    assert json.loads(text) == document
    assert text == render(document, "json")
    assert list(json.loads(text)) == [*report.ReportDocument.__annotations__]
    assert text.isascii()


def test_the_document_follows_the_schema(document: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(render(document, "json")), SCHEMA)


def test_the_schema_refuses_what_is_no_report(document: Any) -> None:
    for spoil in (
        lambda doc: doc.pop("coverage"),
        lambda doc: doc.update(verdict="fine"),
        lambda doc: doc["coverage"].update(mirrored=-1),
        lambda doc: doc["services"][0]["endpoints"][0]["shape"][0].update(rate=1.5),
        lambda doc: doc["services"][0]["endpoints"][0].update(surprise=1),
    ):
        wrong = copy.deepcopy(document)
        spoil(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


@pytest.mark.parametrize(
    ("definition", "typed"),
    [
        (SCHEMA, report.ReportDocument),
        (SCHEMA["$defs"]["coverage"], report.Coverage),
        (SCHEMA["$defs"]["service"], report.ServiceReport),
        (SCHEMA["$defs"]["endpoint"], report.EndpointReport),
        (SCHEMA["$defs"]["status"], report.StatusFinding),
        (SCHEMA["$defs"]["shape"], report.ShapeFinding),
        (SCHEMA["$defs"]["value"], report.ValueFinding),
        (SCHEMA["$defs"]["header"], report.HeaderFinding),
        (SCHEMA["$defs"]["latency"], report.Latency),
    ],
)
def test_the_schema_and_the_types_name_the_same_members(definition: Any, typed: Any) -> None:
    assert set(definition["properties"]) == set(typed.__annotations__)
    assert set(definition["required"]) == set(typed.__required_keys__)


def test_drift_stands_before_doubt_before_noise(document: Any) -> None:
    text = render(document, "table", width=80)
    first = text[: text.index("GET /health   ")]
    order = [first.index(word) for word in ("200 -> 500", "number -> string", "cache-control", "$.tags[]", "$.related")]
    assert order == sorted(order)


def test_junit_counts_a_failure_an_endpoint_that_differs(document: Any) -> None:
    root = ET.fromstring(render(document, "junit"))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "2", "1")
    failed = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert failed == ["GET /products/{id}", "GET /search"]


def test_a_report_without_traffic_is_no_passed_test(document: Any) -> None:
    document["services"] = []
    root = ET.fromstring(render(document, "junit"))
    assert (root.get("tests"), root.get("skipped")) == ("1", "1")


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_report_of_nothing_says_so(document: Any, format_name: str) -> None:
    document.update(services=[], reasons=[], verdict="undecided", accuracy=None, contexts=0, calibrated=False)
    document["coverage"] = {"mirrored": 0, "paired": 0, "not_compared": {}, "skipped_methods": {}, "blocked_calls": 0}
    del document["ignored"]
    text = render(document, format_name)
    assert "undecided" in text.lower()
    assert format_name == "json" or "0 mirrored = 0 compared" in text
