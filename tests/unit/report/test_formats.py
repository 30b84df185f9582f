"""Every format against its golden file, and what each promises."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import report_documents as documents
from hypothesis import given, settings
from report_pairs import pairs

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
    golden(name, render(document, format_name, pairs=pairs()))


@pytest.mark.parametrize(("width", "colour"), [(80, False), (200, False), (80, True)])
def test_golden_table(document: Any, golden: Golden, *, width: int, colour: bool) -> None:
    name = f"report-{width}{'-colour' if colour else ''}.txt"
    golden(name, render(document, "table", width=width, colour=colour))


@pytest.mark.parametrize(("form", "name"), [("same", "same-80.txt"), ("nothing", "nothing-80.txt")])
def test_golden_table_of_little(golden: Golden, form: str, name: str) -> None:
    golden(name, render(getattr(documents, form)(), "table"))


@pytest.mark.parametrize("width", [1, 40, 60, 79, 80, 81, 100, 119, 120, 132, 200])
def test_a_table_keeps_to_the_width(document: Any, width: int) -> None:
    lines = render(document, "table", width=width).splitlines()
    assert max(cells(line) for line in lines) <= max(width, 40)


@given(document=documents.documents())
@settings(max_examples=40, deadline=None)
def test_a_table_keeps_to_the_width_whatever_it_shows(document: Any) -> None:
    for width in (80, 133):
        assert all(cells(line) <= width for line in render(document, "table", width=width).splitlines())


def test_without_colour_there_is_no_escape_sequence(document: Any) -> None:
    assert "\x1b" not in render(document, "table", width=80)


def test_colour_changes_nothing_but_colour(document: Any) -> None:
    coloured = render(document, "table", width=80, colour=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == render(document, "table", width=80)


def test_an_endpoint_that_is_the_same_takes_two_lines() -> None:
    text = render(documents.same(), "table")
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("catalog")]
    assert [len(lines) for lines in blocks] == [2, 2, 2]


def test_the_json_is_the_document_in_the_order_of_the_contract(document: Any) -> None:
    shuffled = json.loads(json.dumps(document, sort_keys=True))
    text = render(shuffled, "json")
    assert json.loads(text) == document
    assert text == render(document, "json")
    assert list(json.loads(text)) == [*report.ReportDocument.__annotations__]
    assert list(json.loads(text)["services"][0]["endpoints"][0]["latency"]) == [*report.Latency.__annotations__]
    assert text.isascii()


@pytest.mark.parametrize("form", ["full", "same", "nothing"])
def test_the_document_follows_the_schema(form: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(render(getattr(documents, form)(), "json")), SCHEMA)


def test_the_schema_refuses_what_is_no_report(document: Any) -> None:
    for spoil in (
        lambda doc: doc.pop("coverage"),
        lambda doc: doc.update(verdict="fine"),
        lambda doc: doc["services"][0]["endpoints"][0].update(surprise=1),
    ):
        wrong = copy.deepcopy(document)
        spoil(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


@pytest.mark.parametrize("format_name", ["table", "markdown", "html"])
def test_what_differs_stands_before_what_is_slow_unknown_or_the_same(document: Any, format_name: str) -> None:
    document["services"][0]["endpoints"].append(documents.endpoint("GET /slow", latency=slow()))
    text = render(document, format_name)
    text = text[text.index("id='endpoints'") :] if format_name == "html" and "id='endpoints'" in text else text
    order = ("/products/{id}", "/search", "/slow", "/health", "/stock/{id}")
    body = text.rindex("policy") if format_name == "table" else text.index("/products/{id}</code>")
    places = [text.index(f"GET {name}", body - 100) for name in order]
    assert places == sorted(places)


def slow() -> Any:
    found = documents.products()["latency"]
    return {**found, "spikes_verdict": "same"}


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_report_of_nothing_says_so(format_name: str) -> None:
    text = render(documents.nothing(), format_name)
    assert "undecided" in text.lower()
    assert format_name == "json" or "0 mirrored = 0 compared" in text


@given(document=documents.documents())
@settings(max_examples=40, deadline=None)
def test_every_document_has_a_rendering_in_every_format(document: Any) -> None:
    for format_name in FORMATS:
        text = render(document, format_name)
        assert text.endswith("\n")
        assert all(char.isprintable() or char == "\n" for char in text)
        text.encode()
