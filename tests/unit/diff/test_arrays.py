"""Elements of arrays find their partners, so that one change is one difference, whatever the order."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff import ServiceAggregate, compare
from microstax.diff.discrepancy import Discrepancy
from microstax.model.difference import ShapeDifference, ValueDifference
from microstax.model.exchange import Exchange, Triple

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]

NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", ""]) | st.just(0.5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("pqrs"), inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = st.lists(NESTED, min_size=2, max_size=8)
KEYED = st.lists(
    st.fixed_dictionaries({"sku": st.integers(0, 99), "price": st.integers(0, 9), "tags": st.lists(st.integers(0, 3))}),
    min_size=2,
    max_size=8,
    unique_by=lambda element: element["sku"],
)


def found(answer: Answer, base: Any, other: Any) -> set[tuple[str, str]]:
    differences = compare(answer(json.dumps(base).encode()), answer(json.dumps(other).encode()))
    assert all(isinstance(one, ShapeDifference | ValueDifference) for one in differences)
    return {
        (one.kind.value, one.path) if isinstance(one, ShapeDifference) else ("value", one.path)
        for one in differences
        if isinstance(one, ShapeDifference | ValueDifference)
    }


@given(elements=ELEMENTS | KEYED, data=st.data())
def test_another_order_is_nothing_but_an_order(answer: Answer, elements: list[Any], data: st.DataObject) -> None:
    """However the elements look: of several types, twice the same, with arrays in them."""
    permuted = data.draw(st.permutations(elements))
    assert found(answer, elements, permuted) == (set() if is_same(elements, permuted) else {("order", "$")})


def is_same(base: Any, other: Any) -> bool:
    """Tell whether two lists are equal as JSON: 1 is no true."""
    return json.dumps(base, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(elements=KEYED, data=st.data())
def test_a_keyed_element_that_changed_is_found_in_any_order(
    answer: Answer, elements: list[Any], data: st.DataObject
) -> None:
    permuted = copy.deepcopy(data.draw(st.permutations(elements)))
    data.draw(st.sampled_from(permuted))["price"] += 100
    assert found(answer, elements, permuted) - {("order", "$")} == {("value", "$[].price")}


@given(elements=KEYED, data=st.data())
def test_elements_that_are_gone_are_a_length_and_nothing_else(
    answer: Answer, elements: list[Any], data: st.DataObject
) -> None:
    kept = [element for element in elements if data.draw(st.booleans(), "stays")]
    expected = set() if len(kept) == len(elements) else {("length", "$")}
    assert found(answer, elements, kept) == expected
    assert found(answer, kept, elements) == expected


@given(elements=KEYED.filter(lambda elements: len(elements) > 2), data=st.data())
def test_an_element_that_is_gone_does_not_hide_one_that_changed(
    answer: Answer, elements: list[Any], data: st.DataObject
) -> None:
    rest = copy.deepcopy(elements)
    del rest[data.draw(st.integers(0, len(rest) - 1))]
    data.draw(st.sampled_from(rest))["price"] += 100
    assert found(answer, elements, rest) == {("length", "$"), ("value", "$[].price")}


@pytest.mark.parametrize(
    ("base", "other", "expected"),
    [
        # A key that is unique on one side only: the branch answers one element twice.
        ([1, 2, 3], [1, 2, 2, 3], {("length", "$")}),
        # Nothing has a key, so what stands between the same elements belongs together.
        (["a", "b", "c", "d"], ["b", "c", "z"], {("length", "$"), ("value", "$[]")}),
        ([[1], [2], [3], {"x": 1}], [[2], [3], {"x": 2}], {("length", "$"), ("value", "$[].x")}),
        # Equal lengths and nobody in common place: by index.
        ([1, 2], [2, 9], {("value", "$[]")}),
        ([{"x": 1}, None, 3], [None, {"x": 1}, 3], {("order", "$")}),
        ([True, 1, "1", 1.5], [1, True, 1.5, "1"], {("order", "$")}),
        ([[3, 1], [2]], [[1, 3], [2]], {("order", "$[]")}),
        ([1, 2], [2.0, 1.0], {("value", "$[]")}),
    ],
)
def test_arrays_without_keys(answer: Answer, base: Any, other: Any, expected: set[tuple[str, str]]) -> None:
    assert found(answer, base, other) == expected


def test_an_element_that_comes_twice_does_not_hide_what_changed(answer: Answer) -> None:
    base = [{"id": number, "name": f"n{number}", "price": number} for number in range(4)]
    other = [base[0], base[1], base[1], base[2], base[3] | {"price": 9}]
    assert found(answer, base, other) == {("length", "$"), ("value", "$[].price")}
    assert found(answer, other, base) == {("length", "$"), ("value", "$[].price")}


def test_unique_random_numbers_are_no_key_although_some_meet_by_chance(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(60):
        sides = [
            [{"alias": (number * 7 + side * 3 + at * 5) % 23, "name": f"n{at}", "price": at} for at in range(5)]
            for side in range(2)
        ]
        aggregate.add(joined(answer(sides[0]), answer(sides[1])))
    (endpoint,) = aggregate.endpoints.values()
    assert {discrepancy.place for discrepancy in endpoint.tallies} == {"$[].alias"}


def counts(answer: Answer, joined: Joined, order: Callable[[int, str], list[int]]) -> tuple[int, int, int]:
    """Return b, c and both of the array's order after 30 triples."""
    aggregate = ServiceAggregate.empty()
    for number in range(30):
        base, branch, control = (answer([{"id": at} for at in order(number, side)]) for side in ("base", "branch", "c"))
        aggregate.add(joined(base, branch, control))
    (endpoint,) = aggregate.endpoints.values()
    assert set(endpoint.tallies) == {Discrepancy("shape", "order", "$")}
    tally = endpoint.tallies[Discrepancy("shape", "order", "$")]
    return tally.branch_only, tally.control_only, tally.both


def test_an_order_has_a_noise_of_its_own(answer: Answer, joined: Joined) -> None:
    rotation = {"base": 1, "branch": 2, "c": 3}

    def always(number: int, side: str) -> list[int]:
        by = number * rotation[side] % 4
        return [*range(by, 4), *range(by)]

    b, c, both = counts(answer, joined, always)
    assert abs(b - c) <= 8
    assert both > 10


def test_an_array_that_newly_is_unsorted_shows(answer: Answer, joined: Joined) -> None:
    assert counts(answer, joined, lambda _, side: [2, 0, 1] if side == "branch" else [0, 1, 2]) == (30, 0, 0)
