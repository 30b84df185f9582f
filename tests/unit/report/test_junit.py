# ruff: noqa: S314  # what is parsed was written by the renderer
"""JUnit XML, as a parser that others use reads it."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import report_documents as documents
from hypothesis import given, settings
from junitparser import Failure, JUnitXml, Skipped, TestCase

from microstax.report.ranking import standing
from microstax.report.render import render
from microstax.report.text import visible


def cases(document: Any) -> list[TestCase]:
    parsed = JUnitXml.fromstring(render(document, "junit").encode())
    return [case for suite in parsed for case in suite]


def results(document: Any) -> dict[str, list[type]]:
    return {f"{case.classname} {case.name}": [type(result) for result in case.result] for case in cases(document)}


def test_a_case_an_endpoint_and_a_declared_change(document: Any) -> None:
    assert results(document) == {
        "catalog GET /products/{id}": [Failure],
        "catalog GET /stock/{id}": [],
        "catalog GET /health": [Skipped],
        "search GET /search": [Failure],
        "expected changes microstax.yaml:7: service catalog endpoint GET /products/{id} path $.total7 kind shift": [
            Failure
        ],
        "expected changes microstax.yaml:9: service catalog endpoint GET /products/{id} path $.total9 kind shift": [
            Skipped
        ],
        "expected changes microstax.yaml:4: service catalog endpoint GET /products/{id} path $.total4 kind shift": [],
    }


def test_the_counts_of_the_file_are_those_of_its_cases(document: Any) -> None:
    parsed = JUnitXml.fromstring(render(document, "junit").encode())
    found = [case for suite in parsed for case in suite]
    for attribute, kind in (("failures", Failure), ("skipped", Skipped)):
        counted = sum(any(isinstance(result, kind) for result in case.result) for case in found)
        assert getattr(parsed, attribute) == counted == sum(getattr(suite, attribute) for suite in parsed)
    assert parsed.tests == len(found) == sum(suite.tests for suite in parsed)
    assert parsed.errors == 0


def test_a_failure_says_how_much_and_what(document: Any) -> None:
    failure = cases(document)[0].result[0]
    assert failure.message == "4 findings in 1,212 pairs, on 298 of 600 distinct requests"
    assert "status 200 -> 500" in failure.text


def test_an_endpoint_whose_differences_were_all_declared_passes() -> None:
    document = documents.same()
    found = documents.judged("different", 9, pair=1, expected=True)
    endpoint = document["services"][0]["endpoints"][0]
    endpoint.update(verdict="different", status=[documents.status(200, 404, 0, found)])
    assert standing(endpoint) == "expected"
    assert results(document)["catalog GET /products/{id}"] == []
    endpoint["verdict"] = "undecided"
    assert standing(endpoint) == "undecided", "what was declared does not make up for what may still differ"
    endpoint["verdict"] = "different"
    endpoint["status"][0]["expected"] = False
    assert results(document)["catalog GET /products/{id}"] == [Failure]


def test_an_endpoint_that_differs_without_a_finding_to_show_fails_nevertheless() -> None:
    document = documents.same()
    document["services"][0]["endpoints"][0]["verdict"] = "different"
    assert results(document)["catalog GET /products/{id}"] == [Failure]


@pytest.mark.parametrize("verdict", ["undecided", "not comparable"])
def test_what_is_not_decided_is_neither_passed_nor_failed(verdict: str) -> None:
    document = documents.same()
    document["services"][0]["endpoints"][0].update(verdict=verdict, needs=1200, needs_minutes=6.2)
    case = cases(document)[0]
    assert isinstance(case.result[0], Skipped)
    assert case.result[0].message.startswith(f"{verdict} after 500 pairs")
    assert ("about 1,200 more requests, 6 minutes" in case.result[0].message) is (verdict == "undecided")


def test_a_report_without_traffic_is_no_passed_test() -> None:
    assert list(results(documents.nothing()).values()) == [[Skipped]]


@given(text=documents.TEXTS)
@settings(max_examples=40, deadline=None)
def test_it_stays_xml_and_keeps_the_text(text: str) -> None:
    root = ET.fromstring(render(documents.with_text(text), "junit"))
    names = [suite.get("name") for suite in root.findall("testsuite")]
    assert names == [visible(text), visible(text), "expected changes"]
