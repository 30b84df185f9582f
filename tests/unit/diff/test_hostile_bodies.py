"""Bodies, headers and paths that a branch makes to hurt: each is compared, in time that does not run away."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from microstax.diff import ServiceAggregate, compare
from microstax.diff.rules import DEFAULT_RULES
from microstax.diff.templates import MAX_NODES, Templates
from microstax.model.difference import (
    BodyDifference,
    BodyKind,
    Difference,
    HeaderDifference,
    ShapeDifference,
    ShapeKind,
    ValueDifference,
)
from microstax.model.exchange import Exchange, Triple

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]
MERSENNE = 2**61 - 1
"""Python hashes integers modulo this number."""


def kinds(found: tuple[Difference, ...]) -> list[tuple[str, str]]:
    return sorted(
        ("body", one.kind.value) if isinstance(one, BodyDifference)
        else (one.kind.value, one.path) if isinstance(one, ShapeDifference)
        else ("value", one.path) if isinstance(one, ValueDifference)
        else ("other", "")
        for one in found
    )  # fmt: skip


@pytest.mark.parametrize("levels", [65, 251, 1_000, 100_000])
def test_json_may_be_nested_as_deep_as_it_likes(answer: Answer, levels: int) -> None:
    base, other = (b'{"a":' * levels + value + b"}" * levels for value in (b"1", b"2"))
    (found,) = compare(answer(base), answer(other))
    assert isinstance(found, BodyDifference | ValueDifference), "it differs in a value, and is JSON on both sides"
    assert compare(answer(base), answer(base + b" ")) == () or levels > 250


def test_arrays_that_never_close_are_no_json(answer: Answer) -> None:
    (found,) = compare(answer(b"[" * 100_000), answer(b"[" * 99_999))
    assert isinstance(found, BodyDifference)


def test_fifty_megabytes_are_compared_as_a_whole(answer: Answer) -> None:
    large = b'{"a":"' + b"x" * 50_000_000 + b'"}'
    (found,) = compare(answer(large), answer(large[:-3] + b'y"}'))
    assert isinstance(found, BodyDifference)
    assert found.kind is BodyKind.TEXT
    assert found.baseline.startswith("50000008 bytes")


def test_that_only_one_side_is_too_large_to_be_read_is_no_other_content(answer: Answer) -> None:
    values = DEFAULT_RULES.max_json_values
    (found,) = compare(answer([0] * (values - 1)), answer([0] * (values + 1)))
    assert isinstance(found, BodyDifference)
    assert found.kind is BodyKind.TEXT


def test_a_million_members_are_compared_as_a_whole(answer: Answer) -> None:
    base, other = (b"{" + b",".join(b'"m%d":1' % number for number in range(10**6)) + end for end in (b"}", b"} "))
    assert kinds(compare(answer(base), answer(other))) == [("body", "text")], "blanks differ, and nobody read so far"


def test_members_that_repeat_are_told_once(answer: Answer) -> None:
    base, other = (b"{" + b",".join([b'"a":1'] * count) + b"}" for count in (2, 9_000))
    (found,) = compare(answer(base), answer(other))
    assert found == ShapeDifference(ShapeKind.EXTRA, "$.a", "2 times", "9000 times")


@pytest.mark.parametrize(
    ("base", "other", "differ"),
    [
        (b"[NaN]", b"[NaN]", False),
        (b"[NaN]", b"[Infinity]", True),
        (b"[NaN]", b'["NaN"]', True),
        (b"[-Infinity]", b"[-1e999]", True),
        (b"-0.0", b"0", False),
        (b"[-0.0, 1]", b"[0, 1]", False),
        (b"1e308", b"1E+308", False),
        (b"[1e-400]", b"[0.0]", False),
        (b"1e99999999999999999999", b"2e99999999999999999999", True),
        (b"1" + b"0" * 400, b"1" + b"0" * 399 + b"1", True),
        (b"[1" + b"0" * 400 + b"]", b"[ 1" + b"0" * 400 + b"]", False),
        (b"18446744073709551616", b"18446744073709551617", True),
        (b'["\\ud800"]', b'["\\ud800" ]', False),
        (b'["\\ud800"]', b'["\\udfff"]', True),
        (b'{"\\ud800":1}', b'{"\\ud800":2}', True),
        (b'["\xff"]', b'["\xfe"]', True),
        (b'["\\u0000"]', b'[""]', True),
    ],
)
def test_numbers_and_texts_at_the_edge_of_json(answer: Answer, base: bytes, other: bytes, differ: bool) -> None:  # noqa: FBT001
    found = compare(answer(base), answer(other))
    assert bool(found) is differ
    for one in found:
        for said in (getattr(one, "path", ""), one.baseline, one.branch):
            str(said).encode()


def test_what_is_told_of_a_long_text_is_short(answer: Answer) -> None:
    (found,) = compare(answer({"a": "x" * 4_000_000}), answer({"a": "y" * 4_000_000}))
    assert isinstance(found, ValueDifference)
    assert len(found.baseline) < 200
    (found,) = compare(answer({"n" * 4_000_000: 1}), answer({"n" * 4_000_000: 2}))
    assert isinstance(found, ValueDifference)
    assert len(found.path) < 200


def test_ten_thousand_headers_that_differ(answer: Answer) -> None:
    left, right = (tuple((f"x-h{number}", side) for number in range(10_000)) for side in "ab")
    found = compare(answer(headers=left), answer(headers=right))
    assert len(found) == DEFAULT_RULES.max_differences
    assert all(isinstance(one, HeaderDifference) for one in found)


@pytest.mark.parametrize("name", ["", "\0", "\x1b]0;x\x07", "é", "a b", "\ufffe", "x" * 70_000, "ÿ" * 90])
def test_headers_with_odd_names_and_long_values(answer: Answer, name: str) -> None:
    found = compare(answer(headers=((name, "1" * 70_000),)), answer(headers=((name, "2" * 70_000),)))
    (one,) = found
    assert isinstance(one, HeaderDifference)
    assert len(one.name) <= 80
    assert len(one.baseline or "") < 200


def test_a_hundred_thousand_elements_in_another_order(answer: Answer) -> None:
    """Of so many, an array that would cost too much to align is one value that differs."""
    numbers = list(range(10**6, 10**6 + 90_000))
    shuffled = random.Random(1).sample(numbers, len(numbers))
    assert kinds(compare(answer(numbers), answer(shuffled))) == [("value", "$")]
    few = numbers[:20_000]
    assert kinds(compare(answer(few), answer(few[::-1]))) == [("order", "$")]


def test_a_hundred_thousand_elements_all_others(answer: Answer) -> None:
    base, other = ({"l": [f"{side}{number}" for number in range(90_000)], "z": side} for side in "ab")
    assert kinds(compare(answer(base), answer(other))) == [("value", "$.l"), ("value", "$.z")]


def test_what_comes_after_an_array_that_costs_too_much_is_compared(answer: Answer) -> None:
    base, other = ({"l": [[number, side] for number in range(30_000)], "z": {"y": side}} for side in (1, 2))
    assert ("value", "$.z.y") in kinds(compare(answer(base), answer(other)))


@pytest.mark.parametrize("wrap", [lambda number: number, lambda number: {"id": number}], ids=["numbers", "ids"])
def test_integers_whose_hashes_are_all_one(answer: Answer, wrap: Callable[[int], Any]) -> None:
    """A dict of 4,000 of them takes 8 million comparisons; this many times over, the test's time limit would end it."""
    numbers = [wrap(number * MERSENNE) for number in range(1, 4_000)]
    for _ in range(20):
        assert kinds(compare(answer(json.dumps(numbers).encode()), answer(json.dumps(numbers[::-1]).encode()))) == [
            ("order", "$")
        ]


def test_paths_without_end_are_few_templates() -> None:
    templates = Templates()
    for number in range(30_000):
        templates.template(f"/{number:x}g/{number % 7}x/{'y' * (number % 90)}/{number * 7919}")
    assert templates._size <= MAX_NODES
    assert len(templates.template("/" + "a" * 60_000)) < 100
    assert len(templates.template("/a" * 30_000)) < 100
    assert len(templates.template("/" + "%40" * 20_000 + "@")) < 100


def test_long_paths_are_not_remembered() -> None:
    """Four thousand paths of 60 KB each would be a quarter of a gigabyte."""
    templates = Templates()
    for number in range(100):
        templates.template(f"/{number}/" + "a/" * 30_000)
    assert sum(map(len, templates._known)) < 100_000


def test_counts_that_nobody_reaches_do_not_spoil_what_is_stored(answer: Answer, joined: Joined) -> None:
    """A worker that lies could otherwise make the results of all others unreadable."""
    liar = ServiceAggregate.empty()
    liar.add(joined(answer({"a": 1}), answer({"a": 2})))
    (endpoint,) = liar.endpoints.values()
    endpoint.pairs = 2**63 - 1
    for tally in endpoint.tallies.values():
        tally.alone = 2**63 - 1
    stored = ServiceAggregate.empty().to_bytes()
    for _ in range(4):
        aggregate = ServiceAggregate.from_bytes(stored)
        aggregate.merge(liar)
        aggregate.merge(liar)
        stored = aggregate.to_bytes()
    assert ServiceAggregate.from_bytes(stored).pairs == 2**63 - 1
