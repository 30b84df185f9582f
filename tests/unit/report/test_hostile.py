"""Captured traffic holds whatever somebody sent: nothing of it may steer a terminal, a browser or a parser."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import report_documents as documents
import report_pairs
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.model.difference import ValueDifference
from microstax.model.exchange import Side
from microstax.report.html_page import render_html
from microstax.report.pair import ComparedPair
from microstax.report.render import FORMATS, render
from microstax.report.text import cells, pad, visible, visible_lines, wrap


def hostile_pair(text: str) -> ComparedPair:
    """Return a pair that has `text` wherever an answer can have it."""
    headers = ((f"x-{text}", text),)
    body = json.dumps({text: text, "list": [text]}).encode()
    branch = report_pairs.exchange(Side.BRANCH, body, headers=headers)
    found = ValueDifference(path=f"$.{text}", baseline=text, branch=text)
    return report_pairs.compared(text, branch, found)


def page(text: str) -> str:
    return render_html(documents.with_text(text), pairs={text: hostile_pair(text)})


@pytest.mark.parametrize("format_name", FORMATS)
@given(text=documents.TEXTS)
@settings(max_examples=30, deadline=None)
def test_no_format_prints_what_a_terminal_obeys(format_name: str, text: str) -> None:
    shown = render(documents.with_text(text), format_name, width=80, pairs={text: hostile_pair(text)})
    assert all(char.isprintable() or char == "\n" for char in shown)
    shown.encode()


@given(text=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_table_keeps_to_its_width_whatever_it_shows(text: str) -> None:
    assert all(cells(line) <= 80 for line in render(documents.with_text(text), "table", width=80).splitlines())


class Page(HTMLParser):
    """Reads elements with their attributes' names, and checks that every element is closed, innermost first."""

    VOID = frozenset({"meta", "br", "hr", "input"})
    EMPTY = frozenset({"line", "rect", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.EMPTY
        self.seen.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Page:
    parser = Page()
    parser.feed(text)
    parser.close()
    return parser


@pytest.mark.parametrize("text", [documents.HOSTILE, "harmless", "</script><script>", "</style>", "--><!--", "]]>"])
def test_html_closes_what_it_opens_and_gives_an_id_once(text: str) -> None:
    found = parsed(page(text))
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))


@given(text=st.text(min_size=1, max_size=30) | st.just(documents.HOSTILE))
@settings(max_examples=30, deadline=None)
def test_html_gets_no_tag_from_traffic(text: str) -> None:
    assert tags(page(text)) == tags(page("harmless"))


def tags(text: str) -> Any:
    """Return the elements outside of answers, whose lines may be marked here and there."""
    return [element for element in parsed(re.sub(r"</?mark>", "", text)).seen if element[0] not in {"tr", "td", "span"}]


def test_html_loads_nothing() -> None:
    shown = page(documents.HOSTILE)
    assert not {"img", "link", "iframe", "object", "video", "base"} & {tag for tag, _ in parsed(shown).seen}
    assert not re.search(r"url\(|@import|https?://|\bfetch\(|XMLHttpRequest|WebSocket|\bimport\(", shown)
    assert not any(name == "style" or name.startswith("on") for _, names in parsed(shown).seen for name in names)


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
