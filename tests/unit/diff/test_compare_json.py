"""Every way in which two JSON bodies can differ is found at its place, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from microstax.diff import Rules, compare
from microstax.model.difference import Difference, ShapeDifference, ShapeKind, ValueDifference
from microstax.model.exchange import Exchange

Answer = Callable[..., Exchange]


def found(answer: Answer, base: Any, other: Any) -> list[tuple[str, str]]:
    return [summary(difference) for difference in compare(answer(base), answer(other))]


def summary(difference: Difference) -> tuple[str, str]:
    if isinstance(difference, ShapeDifference):
        return difference.kind.value, difference.path
    assert isinstance(difference, ValueDifference), difference
    return "value", difference.path


@pytest.mark.parametrize(
    ("base", "other", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, [("missing", "$.b")]),
        ({"a": 1}, {"a": 1, "b": 2}, [("extra", "$.b")]),
        ({"a": 1}, {"a": "1"}, [("type", "$.a")]),
        ({"a": 1}, {"a": None}, [("type", "$.a")]),
        ({"a": 1}, {"a": True}, [("type", "$.a")]),
        ({"a": {}}, {"a": []}, [("type", "$.a")]),
        ({"a": 1}, {"a": 2}, [("value", "$.a")]),
        ({"a": [1, 2, 3]}, {"a": [1, 2]}, [("length", "$.a")]),
        ({"a": []}, {"a": [1]}, [("length", "$.a")]),
        ({"a": [1, 2, 3]}, {"a": [3, 1, 2]}, [("order", "$.a")]),
        ({"a": [1, 2, 3]}, {"a": [1, 5, 3]}, [("value", "$.a[]")]),
        ({"a": [True]}, {"a": [1]}, [("type", "$.a[]")]),
        ({"a b": 1}, {"a b": 2}, [("value", '$["a b"]')]),
        ({"name": "x"}, {"title": "x"}, [("missing", "$.name"), ("extra", "$.title")]),
        ([1], {"a": 1}, [("type", "$")]),
    ],
)
def test_one_difference_is_found_at_its_place(
    answer: Answer, base: Any, other: Any, expected: list[tuple[str, str]]
) -> None:
    assert found(answer, base, other) == expected


@pytest.mark.parametrize(
    ("base", "other", "moves"),
    [
        ({"price": 1, "x": 2}, {"cost": {"price": 1}, "x": 2}, [("$.price", "$.cost.price")]),
        ({"cost": {"price": 1, "x": 2}}, {"price": 1, "x": 2}, [("$.cost.price", "$.price"), ("$.cost.x", "$.x")]),
        ({"u": {"price": 1, "x": 2}}, {"u": {"x": 2}, "price": 1}, [("$.u.price", "$.price")]),
        ({"a": {"id": 1}, "b": {}}, {"a": {}, "b": {"id": 2}}, [("$.a.id", "$.b.id")]),
        (
            {"items": [{"id": 1, "price": 5}, {"id": 2, "price": 6}]},
            {"items": [{"id": 2, "cost": {"price": 6}}, {"id": 1, "cost": {"price": 5}}]},
            [("$.items[].price", "$.items[].cost.price")],
        ),
    ],
)
def test_a_member_that_moved_is_one_difference(
    answer: Answer, base: Any, other: Any, moves: list[tuple[str, str]]
) -> None:
    differences = compare(answer(base), answer(other))
    nested = [one for one in differences if isinstance(one, ShapeDifference) and one.kind is ShapeKind.NESTING]
    assert [(one.baseline, one.branch) for one in nested] == moves
    assert [one.path for one in nested] == [old for old, _ in moves]
    rest = {summary(one)[0] for one in differences} - {"nesting"}
    assert rest <= {"order"}


def test_what_moved_leaves_the_rest_of_a_new_container_as_extra(answer: Answer) -> None:
    assert found(answer, {"price": 1}, {"cost": {"price": 1, "currency": "EUR"}}) == [
        ("nesting", "$.price"),
        ("extra", "$.cost"),
    ]


def test_elements_are_aligned_by_their_key_in_any_order(answer: Answer) -> None:
    base = [{"price": 1, "sku": "a"}, {"price": 2, "sku": "b"}, {"price": 3, "sku": "c"}]
    other = [{"price": 3, "sku": "c"}, {"price": 9, "sku": "a"}, {"price": 2, "sku": "b"}]
    assert found(answer, base, other) == [("order", "$"), ("value", "$[].price")]


def test_a_key_is_what_finds_partners_and_not_what_is_merely_unique(answer: Answer) -> None:
    base = [{"id": f"request-{n}", "name": f"n{n}", "stock": n} for n in range(4)]
    other = [{"id": f"other-{n}", "name": f"n{n}", "stock": n} for n in reversed(range(4))]
    assert found(answer, base, other) == [("order", "$"), ("value", "$[].id")]


def test_a_missing_element_does_not_shift_the_others(answer: Answer) -> None:
    base = [{"id": n, "name": f"n{n}"} for n in range(5)]
    assert found(answer, base, base[1:]) == [("length", "$")]
    assert found(answer, [1, 2, 3, 4], [2, 3, 4]) == [("length", "$")]


def test_elements_without_key_are_a_multiset(answer: Answer) -> None:
    base = [{"a": [1]}, {"a": [2]}, {"a": [2]}]
    assert found(answer, base, [base[1], base[0], base[2]]) == [("order", "$")]
    assert found(answer, base, [{"a": [2]}, {"a": [7]}, {"a": [2]}]) == [("value", "$[].a[]")]


def test_the_same_difference_in_many_elements_is_one(answer: Answer) -> None:
    base = {"items": [{"id": n, "price": n} for n in range(50)]}
    other = {"items": [{"id": n, "price": str(n)} for n in range(50)]}
    assert compare(answer(base), answer(other)) == (
        ShapeDifference(ShapeKind.TYPE, "$.items[].price", "number", "string"),
    )


def test_names_that_are_ids_are_one_place(answer: Answer) -> None:
    base = {"17": 1, "e58ed763-928c-4155-bee9-fdbaaadc15f3": 1, "line_1": 1}
    other = dict.fromkeys(base, 2)
    assert found(answer, base, other) == [("value", "$.*"), ("value", "$.line_1")]


@pytest.mark.parametrize(
    ("base", "other", "expected"),
    [
        (b'{"a":123456789012345678901}', b'{"a":123456789012345678902}', [("value", "$.a")]),
        (b'{"a":18446744073709551616}', b'{"a":18446744073709551616.0}', []),
        (b'{"a":-9999999999999999999}', b'{"a":-9999999999999999998}', [("value", "$.a")]),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992}', [("value", "$.a")]),
        (b'{"a":1.0}', b'{"a":1}', []),
        (b'{"a":1e2}', b'{"a":100}', []),
        (b'{"a":NaN}', b'{"a": NaN}', []),
        (b'{"a":NaN}', b'{"a":Infinity}', [("value", "$.a")]),
        (b'{"a":NaN}', b'{"a":"NaN"}', [("type", "$.a")]),
        (b'{"a":[NaN,2]}', b'{"a":["NaN",2]}', [("type", "$.a[]")]),
        (b'{"a":[true,2]}', b'{"a":[1,2]}', [("type", "$.a[]")]),
        (b'{"a":1e400}', b'{"a":1e401}', [("value", "$.a")]),
        (b'{"a":' + b"9" * 5000 + b"}", b'{"a":' + b"9" * 4999 + b"8}", [("value", "$.a")]),
        (b'{"a":"\\ud800"}', b'{"a":"\\ud801"}', [("value", "$.a")]),
        (b'{"\\ud800":1}', b'{"\\ud800":2}', [("value", '$["\\ud800"]')]),
        (b'\xef\xbb\xbf{"a":1}', b'{"a":1}', []),
        (b'{"a":1,"a":1}', b'{"a":1}', [("missing", "$.a")]),
        (b'{"a":1}', b'{"a":1,"a":1}', [("extra", "$.a")]),
        (b'{"a" :1,"a":2}', b'{"a":2}', [("missing", "$.a")]),
        (b'{"a":1,"a":2}', b'{"a":3,"a":2}', []),
        (b'{"s":"x\\":","a":1}', b'{"a":1,"s":"x\\":"}', []),
    ],
)
def test_numbers_and_members_are_read_exactly(
    answer: Answer, base: bytes, other: bytes, expected: list[tuple[str, str]]
) -> None:
    assert found(answer, base, other) == expected


def test_the_order_of_members_and_blanks_are_no_difference(answer: Answer) -> None:
    assert found(answer, b'{"a":1,"b":[1,2]}', b'{ "b" : [1, 2],\n "a": 1 }') == []


def test_values_that_are_shown_are_short_and_differ(answer: Answer) -> None:
    (difference,) = compare(answer({"a": "x" * 5000 + "y"}), answer({"a": "x" * 5000 + "z"}))
    assert isinstance(difference, ValueDifference)
    assert len(difference.baseline) <= 200
    assert difference.baseline != difference.branch


def test_a_hostile_body_yields_a_bounded_number_of_differences(answer: Answer) -> None:
    base, other = {f"m{n}x": n for n in range(100_000)}, {f"m{n}x": n + 1 for n in range(100_000)}
    assert len(compare(answer(base), answer(other))) == Rules().max_differences
    assert len(compare(answer(base), answer({"k" + name: 1 for name in base}))) <= 2 * Rules().max_differences


@pytest.mark.parametrize("levels", [80, 240, 300, 5_000, 100_000])
def test_deep_nesting_is_compared_as_far_as_it_can_be(answer: Answer, levels: int) -> None:
    deep = b"[" * levels + b"%d" + b"]" * levels
    assert compare(answer(deep % 1), answer(deep % 1)) == ()
    assert len(compare(answer(deep % 1), answer(deep % 2))) == 1
    objects = b'{"a":' * levels + b"%d" + b"}" * levels
    assert len(compare(answer(objects % 1), answer(objects % 2))) == 1


def test_a_long_name_is_one_of_many_and_a_long_place_is_cut(answer: Answer) -> None:
    assert found(answer, {"n" * 5000: 1}, {"n" * 5000: 2}) == [("value", "$.*")]
    base: Any = 1
    other: Any = 2
    for _ in range(50):
        base, other = {"a_rather_long_name_of_a_member": base}, {"a_rather_long_name_of_a_member": other}
    ((kind, path),) = found(answer, base, other)
    assert kind == "value"
    assert path.endswith(".a_rather_long_name_of_a_member.**")
    assert len(path) < 450
