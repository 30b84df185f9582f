"""One pair side by side."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.model.difference import (
    BodyDifference,
    BodyKind,
    Difference,
    HeaderDifference,
    HeaderKind,
    ShapeDifference,
    ShapeKind,
    StatusDifference,
    ValueDifference,
)
from microstax.model.exchange import Exchange, Request, Response, Side, Triple
from microstax.report.pair import ComparedPair, body_lines, described, pair_document, render_pair
from microstax.report.sides import rows, side_by_side
from microstax.report.text import cells

JSON = (("content-type", "application/json"),)
REQUEST = Request(
    method="GET", path="/products/7?currency=EUR", authority="shop.example:8080", headers=(("accept", "*/*"),)
)


def exchange(side: Side, body: bytes, *, status: int = 200, latency_us: int | None = 3200) -> Exchange:
    response = Response(status=status, headers=(*JSON, ("x-served-by", side.value)), body=body)
    return Exchange(
        id="00000002-9d0b-4c56-8f0f-5e0a5a0a77a1",
        side=side,
        service="catalog",
        overlay="shadow-test",
        request=REQUEST,
        response=response,
        latency_us=latency_us,
    )


BASELINE = b'{"id": 9007199254740993, "name": "lamp", "price": 12.50, "tags": ["a", "b"], "at": "10:00"}'
BRANCH = b'{"id": 9007199254740993, "name": "lamp", "price": "12.50", "tags": ["a"], "at": "10:01"}'
CONTROL = b'{"id": 9007199254740993, "name": "lamp", "price": 12.50, "tags": ["a", "b"], "at": "10:02"}'
NOISE = ValueDifference(path="$.at", baseline='"10:00"', branch='"10:01"')
FOUND: tuple[Difference, ...] = (
    ShapeDifference(kind=ShapeKind.TYPE, path="$.price", baseline="number", branch="string"),
    ShapeDifference(kind=ShapeKind.LENGTH, path="$.tags", baseline="2", branch="1"),
    NOISE,
)


def triple(*, control: bool = True) -> Triple:
    return Triple(
        id="00000002-9d0b-4c56-8f0f-5e0a5a0a77a1",
        service="catalog",
        overlay="shadow-test",
        baseline=exchange(Side.BASELINE, BASELINE),
        branch=exchange(Side.BRANCH, BRANCH, latency_us=4100),
        control=exchange(Side.CONTROL, CONTROL) if control else None,
    )


def pair(
    shown: Triple | None = None, differences: tuple[Difference, ...] = FOUND, noise: tuple[Difference, ...] = ()
) -> ComparedPair:
    return ComparedPair(triple=shown or triple(), differences=differences, noise=noise)


@pytest.mark.parametrize(("width", "colour"), [(80, False), (140, True)])
def test_golden(golden: Callable[[str, str], None], width: int, *, colour: bool) -> None:
    golden(f"pair-{width}.txt", render_pair(pair(noise=(NOISE,)), width=width, colour=colour))


def test_what_the_control_shows_too_is_called_noise() -> None:
    text = render_pair(pair(noise=(NOISE,)), width=120)
    assert 'value $.at: "10:00" -> "10:01" (the control differs too: noise)' in text
    assert "type $.price: number -> string\n" in text


def test_without_a_control_there_is_no_third_answer() -> None:
    assert "CONTROL" not in render_pair(pair(triple(control=False)), width=80)


def test_a_pair_without_differences_says_so() -> None:
    assert "No difference." in render_pair(pair(differences=()), width=80)


def test_numbers_stand_as_they_were_sent() -> None:
    assert body_lines(b'{"a": 9007199254740993, "b": 1.0, "a": 1e400}', JSON) == [
        "{",
        '  "a": 9007199254740993,',
        '  "b": 1.0,',
        '  "a": 1e400',
        "}",
    ]


def test_bodies_that_are_no_json_are_shown_as_they_are() -> None:
    assert body_lines(b"{broken", JSON) == ["{broken"]
    assert body_lines(b"one\ntwo", ()) == ["one", "two"]
    assert body_lines(b"\xff\x00\x01", ()) == ["(binary) ff 0001"]
    assert body_lines(b"[" * 100_000, JSON) == ["[" * 100_000]
    assert body_lines(b'{"a": {}, "b": [], "c": [null, true]}', JSON)[1:3] == ['  "a": {},', '  "b": [],']


def test_answers_that_are_not_the_branchs_say_so() -> None:
    whole = triple(control=False)

    def shown(response: Response | None, reason: str | None = None) -> str:
        changed = replace(whole, branch=replace(whole.branch, response=response))
        return render_pair(ComparedPair(triple=changed, differences=(), not_compared=reason), width=140)

    timeout = shown(Response(status=504, headers=(), local_reason="UT"), "branch_timeout")
    assert "(answered by Envoy: UT)" in timeout
    assert "Not compared: branch_timeout." in timeout
    assert "No difference" not in timeout
    assert "(no answer was captured)" in shown(None)
    cut = Response(status=200, headers=(), body=b"abc", truncated=True, body_size=70000)
    assert "(body of 70,000 bytes cut at the limit)" in shown(cut)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (StatusDifference(200, 500), ("status", "", "200 -> 500")),
        (StatusDifference(0, 13, grpc=True), ("grpc status", "", "0 -> 13")),
        (HeaderDifference(HeaderKind.MISSING, "etag", "a", None), ("header missing", "etag", "a -> (none)")),
        (BodyDifference(BodyKind.TEXT, "3 bytes", "4 bytes"), ("body text", "$", "3 bytes -> 4 bytes")),
        (FOUND[0], ("type", "$.price", "number -> string")),
        (NOISE, ("value", "$.at", '"10:00" -> "10:01"')),
    ],
)
def test_described(difference: Difference, expected: tuple[str, str, str]) -> None:
    assert described(difference) == expected


def test_the_document_of_a_pair_is_json() -> None:
    shown = json.loads(json.dumps(pair_document(pair(noise=(NOISE,)))))
    assert [item["noise"] for item in shown["differences"]] == [False, False, True]
    assert shown["responses"]["branch"]["body"] == {"text": BRANCH.decode()}
    assert shown["responses"]["baseline"]["latency_ms"] == 3.2
    assert shown["request"]["path"] == "/products/7?currency=EUR"
    assert pair_document(pair(triple(control=False)))["responses"]["control"] is None


@given(body=st.binary(max_size=60), width=st.integers(20, 120))
@settings(max_examples=60, deadline=None)
def test_a_pair_of_anything_keeps_to_the_width_and_is_harmless(body: bytes, width: int) -> None:
    hostile = replace(triple(), branch=exchange(Side.BRANCH, body + b"\x1b[2J\xc2\x9b"))
    text = render_pair(pair(hostile), width=width)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert all(cells(line) <= width for line in text.splitlines())


LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12)


@given(left=LINES, right=LINES)
def test_side_by_side_shows_every_line_of_both(left: list[str], right: list[str]) -> None:
    found = list(rows(left, right))
    assert [a for a, mark, _ in found if mark != ">"] == left
    assert [b for _, mark, b in found if mark != "<"] == right
    assert all((a == b) == (mark == " ") for a, mark, b in found if mark in " |")


def test_long_equal_stretches_are_cut() -> None:
    same = [f"line {index}" for index in range(100)]
    text = "\n".join(side_by_side([*same, "x"], [*same, "y"], width=80))
    assert "... 97 equal lines" in text
    assert "line 99" in text


def test_huge_bodies_are_compared_line_by_line() -> None:
    left, right = ["a"] * 5000, ["a"] * 4999 + ["b"]
    assert [row for row in rows(left, right) if row[1] != " "] == [("a", "|", "b")]
