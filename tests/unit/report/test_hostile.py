# ruff: noqa: S314  # what is parsed was written by the renderer
"""Captured traffic holds whatever somebody sent: nothing of it may steer a terminal, a browser or a parser."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.report.html_page import render_html
from microstax.report.markdown import code
from microstax.report.render import render
from microstax.report.text import cells, pad, percent, visible, visible_lines, wrap

DOCUMENT = (Path(__file__).resolve().parents[2] / "golden" / "report" / "document.json").read_text()
HOSTILE = "\x1b]0;owned\x07\x9b31m<script>alert(1)</script>\u202e`|`**x**\r\n\udc80\ufffe&amp;\"'"


def with_text(text: str) -> Any:
    """Return the document with `text` in every place that traffic can reach."""
    document = json.loads(DOCUMENT)
    document["reasons"] = [text]
    document["coverage"]["skipped_methods"] = {text: 3}
    endpoint = document["services"][0]["endpoints"][0]
    document["services"][0]["service"] = text
    endpoint["endpoint"] = f"GET /{text}"
    for finding in endpoint["shape"]:
        finding.update(path=text, baseline=text, branch=text, pair=text)
    for finding in endpoint["headers"]:
        finding.update(name=text)
    endpoint["latency"]["spike_pair"] = text
    document["ignored"] = [{"path": text, "reason": text, "findings": 1, "count": 2}]
    return document


@pytest.mark.parametrize("format_name", ["table", "json", "junit", "markdown", "html"])
@given(text=st.text(max_size=30) | st.just(HOSTILE))
@settings(max_examples=40, deadline=None)
def test_no_format_prints_what_a_terminal_obeys(format_name: str, text: str) -> None:
    shown = render(with_text(text), format_name, width=80)
    assert all(char.isprintable() or char == "\n" for char in shown)
    shown.encode()


@given(text=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_table_keeps_to_its_width_whatever_it_shows(text: str) -> None:
    assert all(cells(line) <= 80 for line in render(with_text(text), "table", width=80).splitlines())


@given(text=st.text(max_size=30) | st.just(HOSTILE))
@settings(max_examples=40, deadline=None)
def test_junit_stays_xml_and_keeps_the_text(text: str) -> None:
    root = ET.fromstring(render(with_text(text), "junit"))
    names = [suite.get("name") for suite in root.findall("testsuite")]
    assert names == [visible(text), "search"]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(sorted(name for name, _ in attrs))))


class Nesting(HTMLParser):
    """Checks that every element is closed, innermost first."""

    VOID = frozenset({"meta", "br", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_closes_what_it_opens() -> None:
    parser = Nesting()
    parser.feed(render_html(with_text(HOSTILE)))
    assert parser.open == []


def tags(page: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = Tags()
    parser.feed(page)
    return parser.seen


@given(text=st.text(max_size=30) | st.just(HOSTILE))
@settings(max_examples=40, deadline=None)
def test_html_gets_no_tag_from_traffic(text: str) -> None:
    assert tags(render_html(with_text(text))) == tags(render_html(with_text("harmless")))


def test_html_loads_nothing_and_runs_nothing() -> None:
    page = render_html(with_text(HOSTILE))
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in tags(page)}
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://", page)


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


@given(text=st.text(max_size=80), width=st.integers(2, 40))
def test_wrap_loses_nothing_but_blanks(text: str, width: int) -> None:
    shown = visible(text)
    lines = wrap(shown, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(shown.split())


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb", "a\\tb"),
        ("\x9b", "\\x9b"),
        ("\u202e", "\\u202e"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_visible(raw: str, shown: str) -> None:
    assert visible(raw) == shown


def test_visible_lines_keeps_lines() -> None:
    assert visible_lines("a\tb\n\x1b[0mc\r\n") == "a    b\n\\x1b[0mc\\r\n"


def test_wide_characters_take_two_columns() -> None:
    assert cells("東京") == 4
    assert cells("e\u0301") == 1
    assert pad("東京", 6) == "東京  "


@pytest.mark.parametrize(
    ("rate", "shown"),
    [(0.0, "0%"), (1.0, "100%"), (0.00001, "0.1%"), (0.99999, "99.9%"), (0.5, "50.0%"), (0.123456, "12.3%")],
)
def test_a_percentage_is_all_or_nothing_only_where_it_is(rate: float, shown: str) -> None:
    assert percent(rate) == shown
