"""The page as a file: its policy, its size, its examples, its pictures. What it does is tested in a browser."""

import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import report_documents as documents
import report_pairs
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.model.exchange import Side
from microstax.report.html_page import render_html
from microstax.report.html_pair import BUDGET
from microstax.report.html_plot import plot


def test_its_policy_allows_its_own_style_and_script_and_nothing_else(document: Any) -> None:
    page = render_html(document)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for name in ("style", "script"):
        blocks = re.findall(rf"<{name}>(.*?)</{name}>", page, flags=re.DOTALL)
        assert len(blocks) == 1
        assert rules[f"{name}-src"] == f"'sha256-{b64encode(sha256(blocks[0].encode()).digest()).decode()}'"


def test_two_thousand_findings_stay_small() -> None:
    page = render_html(documents.many(2000))
    assert page.count('class="finding"') == 2000
    assert len(page.encode()) < 5 * 1024 * 1024


def test_an_example_stands_with_its_group_and_only_once(document: Any) -> None:
    document["services"][0]["endpoints"][0]["latency"]["spike_pairs"] = [documents.pair_id(1)]
    page = render_html(document, pairs=report_pairs.pairs())
    assert page.count(f"Example pair <code>{documents.pair_id(1)}</code>") == 1
    assert f'<a href="#p1">Example: pair <code>{documents.pair_id(1)}</code>, shown above</a>' in page


def test_what_changed_in_a_line_is_marked(document: Any) -> None:
    page = render_html(document, pairs=report_pairs.pairs())
    assert "&quot;price&quot;: <mark>12.5</mark>," in page
    assert "&quot;price&quot;: <mark>&quot;12.5&quot;</mark>," in page
    assert '<tr class="changed"><td>status <mark>2</mark>00</td>' in page


def test_examples_that_are_too_much_are_left_out_with_a_note(document: Any) -> None:
    big = [{"line": "x" * 3000, "number": number} for number in range(2000)]
    made = {
        pair: report_pairs.compared(pair, report_pairs.exchange(Side.BRANCH, big))
        for pair in map(documents.pair_id, range(1, 14))
    }
    page = render_html(document, pairs=made)
    assert len(page) < BUDGET + 500_000
    assert "left out to keep this page small" in page
    assert "more lines are not shown here" in page


def test_without_scripts_all_findings_are_shown_and_nothing_that_needs_them(document: Any) -> None:
    page = re.sub(r"<script>.*?</script>", "", render_html(document), flags=re.DOTALL)
    hidden = re.findall(r"<(\w+)[^>]* hidden[^>]*>", page)
    assert sorted(hidden) == ["form", "p", "p"]
    assert page.count("<details open>") == 3


def picture(latency: Any) -> ET.Element | None:
    text = "".join(plot(latency, "x"))
    return ET.fromstring(text) if text else None  # noqa: S314  # written by the renderer


def test_a_plot_says_in_words_what_it_shows() -> None:
    found = picture(documents.latency())
    assert found is not None
    described = found.findtext("desc") or ""
    assert described.startswith("baseline p50 3.10, p90 5.25, p99 12.4 ms; branch p50 3.20, p90 5.50, p99 12.6 ms; ")
    assert found.get("aria-labelledby") == "x-t x-d"
    assert [path.get("class") for path in found.findall("path")] == ["curve baseline", "curve control", "curve branch"]


def test_nothing_is_plotted_where_nothing_was_measured() -> None:
    assert picture(documents.unmeasured()) is None


@given(
    edges=st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=2, max_size=12, unique=True).map(sorted),
    counts=st.lists(st.integers(0, 10**9), min_size=12, max_size=12),
)
@settings(max_examples=80, deadline=None)
def test_everything_is_drawn_within_the_picture(edges: list[float], counts: list[int]) -> None:
    bins = counts[: len(edges) - 1]
    found = picture(
        documents.latency(distribution={"edges_ms": edges, "baseline": bins, "branch": bins[::-1], "control": None})
    )
    if found is None:
        assert not any(bins)
        return
    _, _, width, height = map(float, found.attrib["viewBox"].split())
    for path in found.findall("path"):
        points = re.findall(r"([-\d.]+) ([-\d.]+)", path.attrib["d"])
        assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in points)


@pytest.mark.parametrize("form", ["full", "same", "nothing"])
def test_headings_skip_no_level(form: str) -> None:
    page = render_html(getattr(documents, form)(), pairs=report_pairs.pairs())
    levels = [int(level) for level in re.findall(r"<h(\d)[ >]", page)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
