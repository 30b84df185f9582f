"""Of a mismatch that was asked again, only what came back counts, on both sides alike."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.aggregate import ServiceAggregate, Sides
from microstax.diff.deviations import Deviations
from microstax.model.exchange import Response
from microstax.testing import a_response, a_triple
from microstax.worker.recurring import recurring, tells_apart

DOCUMENTS = st.fixed_dictionaries(
    {
        "a": st.integers(0, 2),
        "b": st.sampled_from(["x", "y", "9b2d8e1c-6a3f-4f0e-8f5a-0c1d2e3f4a5b", 1, None]),
        "at": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-02-01T00:00:00Z"]),
    },
    optional={"c": st.lists(st.integers(0, 1), max_size=2)},
)
ROUNDS = st.tuples(DOCUMENTS, DOCUMENTS, DOCUMENTS)


def answer(document: Any) -> Response:
    return a_response(json.dumps(document).encode())


def sides(baseline: Any, branch: Any, control: Any = ...) -> Sides:
    noise = None if control is ... else answer(control)
    found = ServiceAggregate.empty().differences(a_triple(answer(baseline), answer(branch), noise))
    assert found is not None
    return found


def ways(found: Any) -> set[Any]:
    return set(Deviations(found).ways)


@given(ROUNDS, ROUNDS)
def test_what_counts_was_seen_in_both_rounds(first: Any, again: Any) -> None:
    before, after = sides(*first), sides(*again)
    expected = [(ways(one), ways(other)) for one, other in zip(before, after, strict=True)]
    found = recurring(before, after)
    for one, (early, late) in zip(found, expected, strict=True):
        assert ways(one) == early & late


@given(ROUNDS, ROUNDS)
def test_exchanging_branch_and_control_exchanges_what_counts(first: Any, again: Any) -> None:
    here = recurring(sides(*first), sides(*again))
    there = recurring(sides(first[0], first[2], first[1]), sides(again[0], again[2], again[1]))
    assert (ways(here.branch), ways(here.control)) == (ways(there.control), ways(there.branch))
    assert tells_apart(here) == tells_apart(there)
    assert tells_apart(sides(*first)) == tells_apart(sides(first[0], first[2], first[1]))


@given(ROUNDS)
def test_what_persists_is_all_counted_as_it_was(first: Any) -> None:
    before = sides(*first)
    assert [ways(one) for one in recurring(before, sides(*first))] == [ways(one) for one in before]


def test_what_both_sides_show_is_not_worth_asking() -> None:
    assert not tells_apart(sides({"a": 1}, {"a": 2}, {"a": 3}))
    assert tells_apart(sides({"a": 1}, {"a": 2}, {"a": 1}))
    assert tells_apart(sides({"a": 1}, {"a": 1}, {"a": 2}))
    assert not tells_apart(sides({"a": 1}, {"a": 1}, {"a": 1}))


def test_without_a_control_every_difference_is_but_not_what_time_it_is() -> None:
    assert tells_apart(sides({"a": 1}, {"a": 2}))
    assert not tells_apart(sides({"at": "2026-01-01T00:00:00Z"}, {"at": "2026-01-01T00:00:01Z"}))
    race, calm = sides({"a": 1}, {"a": 2}), sides({"a": 2}, {"a": 2})
    assert recurring(race, calm) == Sides((), None)


def test_a_race_vanishes_and_the_bug_beside_it_stays() -> None:
    found = recurring(
        sides({"stock": 4, "price": 1}, {"stock": 5, "price": "1"}, {"stock": 4, "price": 1}),
        sides({"stock": 5, "price": 1}, {"stock": 5, "price": "1"}, {"stock": 5, "price": 1}),
    )
    assert {way.place for way in ways(found.branch)} == {"$.price"}
    assert found.control == ()
    assert tells_apart(found)
