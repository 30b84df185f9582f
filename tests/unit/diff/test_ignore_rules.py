"""Ignore rules and the one grammar for places."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.places import render
from microstax.errors import UsageError
from microstax.model.ignore import IgnoreRule, Pattern
from microstax.model.paths import member_step, pattern_of


@pytest.mark.parametrize(
    ("pattern", "place", "fits"),
    [
        ("$", "$", True),
        ("$.a", "$.a", True),
        ("$.a", "$.a.b", False),
        ('$["a"]', "$.a", True),
        ('$["a b"].c', '$["a b"].c', True),
        ("$.items[].price", "$.items[].price", True),
        ("$.items[].*", "$.items[].price", True),
        ("$.items[].*", '$.items[]["unit price"]', True),
        ("$.items.*", "$.items[]", False),
        ("$.by_id.*.price", "$.by_id.*.price", True),
        ("$.**", "$", True),
        ("$.**.price", "$.price", True),
        ("$.**.price", '$.a[]["b c"][].*.price', True),
        ("$.**.price", "$.price.amount", False),
        ("$.a.**", "$.a", True),
        ("$.a.**", "$.a[].b", True),
        ("$.a.**", "$.ab", False),
        ("$.a.**.z", "$.a.b.**", False),
    ],
)
def test_a_pattern_fits_places(pattern: str, place: str, *, fits: bool) -> None:
    assert (pattern_of(pattern).fullmatch(place) is not None) is fits


@pytest.mark.parametrize(
    ("pattern", "at"),
    [("$a", "character 2"), ("$.a[0]", "character 4"), ("$.a..b", "character 4"), ('$["a', "character 2")],
)
def test_a_wrong_pattern_is_refused_with_the_place_of_the_mistake(pattern: str, at: str) -> None:
    with pytest.raises(UsageError, match=at):
        IgnoreRule(path=pattern)


@pytest.mark.parametrize("name", ["price", "unit price", 'quo"te', "back\\slash", "", "é", "1a", "\ud800", "a\nb", "*"])
def test_a_place_that_is_rendered_is_a_pattern_that_fits_itself(name: str) -> None:
    place = render((((None, "outer"), None), name))
    assert pattern_of(place).fullmatch(place)
    assert place.encode()
    assert place.isprintable()


def test_a_quoted_name_is_json() -> None:
    assert json.loads(member_step('x "y"')[1:-1]) == 'x "y"'


def test_a_rule_hides_what_matches_all_that_is_set() -> None:
    finding = {"service": "shop", "endpoint": "GET /a/{id}", "family": "shape", "kind": "extra", "place": "$.a"}
    assert IgnoreRule().matches(**finding)
    assert IgnoreRule(service="shop", endpoint="GET /a/*", kind="shape", path="$.*").matches(**finding)
    assert IgnoreRule(kind="extra").matches(**finding)
    for other in ({"service": "x"}, {"endpoint": "GET /b"}, {"kind": "missing"}, {"path": "$.b"}, {"path": "x-*"}):
        assert not IgnoreRule(**other).matches(**finding)  # type: ignore[arg-type]
    header = {**finding, "family": "header", "kind": "value", "place": "x-cost"}
    assert IgnoreRule(path="X-*").matches(**header)
    assert not IgnoreRule(path="$.**").matches(**header)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="status, shape, value, header, missing"):
        IgnoreRule(kind="typo")


def test_what_is_neither_a_path_nor_a_header_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'x\[' is neither a path .* nor a header's name"):
        IgnoreRule(path="x[")
    assert IgnoreRule(path="X-Trace-*").matches(service="", endpoint="", family="header", kind="", place="x-trace-id")


@given(glob=st.text("ab*\n", max_size=8), text=st.text("ab\n", max_size=8))
def test_a_star_is_any_run_of_characters(glob: str, text: str) -> None:
    plain = re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)
    assert Pattern(endpoint=glob).covers(service="", endpoint=text) is (not glob or plain.fullmatch(text) is not None)


def test_a_pattern_cannot_make_a_report_slow() -> None:
    """Both would be tried for hours if all ways to fit were."""
    assert not Pattern(endpoint="*a" * 100 + "b").covers(service="", endpoint="a" * 1_000)
    with pytest.raises(UsageError, match="more than 3"):
        Pattern(path="$" + ".**.a" * 4)


@pytest.mark.parametrize(
    ("fields", "everything"),
    [
        ({}, True),
        ({"service": "*"}, True),
        ({"path": "$.**"}, True),
        ({"path": "*", "endpoint": "**"}, True),
        ({"kind": "value"}, False),
        ({"service": "catalog", "path": "$.**"}, False),
        ({"path": "$.a.**"}, False),
        ({"path": "x-*"}, False),
    ],
)
def test_what_means_everything(fields: dict[str, str], *, everything: bool) -> None:
    assert Pattern(**fields).is_everything is everything
