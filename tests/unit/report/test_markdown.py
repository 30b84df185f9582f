"""Markdown for a comment: short, and no captured text marks up, links or calls anybody."""

import re
from typing import Any

import pytest
import report_documents as documents
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.report.markdown import LIMIT, render_markdown
from microstax.report.markdown_text import code, escaped


def plain(markdown: str) -> str:
    """Return what a reader sees of escaped text."""
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", re.sub(r"<!-- -->|</?span>", "", markdown))


@given(text=st.text(alphabet="@#$:!<>&|*_`~[](){}\\-+=.1aGHw/ ", max_size=40))
def test_what_is_escaped_reads_as_it_was(text: str) -> None:
    assert plain(escaped(text)) == text


@pytest.mark.parametrize(
    "text",
    ["@all", "see #12", "GH-7", "owner/repo#3", "https://evil.example", "www.evil.example", ":tada:", "a@b.example"],
)
def test_nothing_links_or_calls(text: str) -> None:
    # What GitHub looks for in the rendered text: each is cut in two by a comment.
    found = re.compile(r"@\w|#\d|GH-\d|://\w*|www\.\w|:\w+:", re.IGNORECASE)
    assert found.search(text)
    assert not found.search(escaped(text))


def test_two_dollars_are_no_formula() -> None:
    assert escaped("$.a, $.b") == "<span>$</span>.a, <span>$</span>.b"


@pytest.mark.parametrize("text", ["1. one", "- one", "+ one", "=", "# one", "> one", "2) two"])
def test_a_line_starts_no_list_and_no_heading(text: str) -> None:
    assert not re.match(r"\d+[.)]\s|[-+=>]|#\s", escaped(text))


@given(text=st.text(alphabet="`| ab\\", min_size=1, max_size=12))
def test_a_code_span_closes_where_it_should(text: str) -> None:
    span = code(text)
    if not text.strip():
        assert span == ""
        return
    fence = re.match(r"`+", span)
    assert fence
    inner = span[len(fence[0]) : -len(fence[0])]
    assert span.endswith(fence[0])
    assert fence[0] not in re.findall(r"`+", inner)
    assert not re.search(r"(?<!\\)\|", inner)


def test_a_long_report_is_cut_where_a_part_ends_and_says_so() -> None:
    text = render_markdown(documents.many(2000))
    assert len(text) < LIMIT
    assert re.search(r"_\d+ parts left out here: the html and json formats have everything\._\n$", text)
    assert text.count("<details>") == text.count("</details>") > 5


@given(text=st.text(min_size=1, max_size=200), times=st.integers(1, 400))
@settings(max_examples=20, deadline=None)
def test_it_is_never_too_long(text: str, times: int) -> None:
    assert len(render_markdown(documents.with_text(text * times))) <= LIMIT


def test_the_folded_parts_are_closed(document: Any) -> None:
    text = render_markdown(document)
    assert text.count("<details>") == text.count("</details>")
    assert not re.search(r"<summary>.*\n(?!\n)", text)


def test_the_first_lines_say_it_all(document: Any) -> None:
    lines = render_markdown(document).splitlines()
    assert lines[0] == "## shadow-test against production-cluster-01: DIFFERENT"
    assert lines[2].startswith("**catalog GET /products/")


def test_endpoints_that_are_the_same_share_one_table() -> None:
    text = render_markdown(documents.same())
    assert "<details><summary>3 endpoints the same</summary>" in text
    assert "3 endpoints are the same." in text


def test_what_was_expected_is_not_called_the_same() -> None:
    document = documents.same()
    found = documents.judged("different", 9, pair=1, expected=True)
    assert "are the same.\n" in render_markdown(document)
    document["services"][0]["endpoints"][0]["status"] = [documents.status(200, 404, 0, found)]
    assert "are the same or as expected.\n" in render_markdown(document)
