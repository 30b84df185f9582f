"""Each fault changes one thing of one answer, and the differ names that thing and no other."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from microstax.diff import compare
from microstax.diff.json_text import parse
from microstax.model.difference import HeaderDifference, ShapeDifference, StatusDifference
from microstax.model.exchange import Exchange, Triple
from microstax.model.record import StoredPair
from microstax.selftest import FAULTS
from microstax.selftest.catalogue import Fault
from microstax.selftest.spots import Sight, Spot, Target
from microstax.selftest.survey import Survey
from microstax.selftest.trials import is_hit, with_fault

BY_NAME = {fault.name: fault for fault in FAULTS}
IN_ANSWERS = [fault for fault in FAULTS if fault.target is not Target.TIME]
ENDPOINT = "GET /products/{id}"


@pytest.fixture(scope="module")
def triples(pairs: Callable[..., list[StoredPair]]) -> list[Triple]:
    return [pair.triple for pair in pairs(60)]


@pytest.fixture(scope="module")
def survey(triples: list[Triple]) -> Survey:
    made = Survey(FAULTS)
    for triple in triples:
        made.add(ENDPOINT, triple)
    return made


def spot_of(survey: Survey, fault: Fault) -> Spot:
    spot = survey.place_for(fault)
    assert spot is not None
    return spot


def sight_of(difference: Any) -> Sight:
    match difference:
        case StatusDifference(before, after):
            return Sight("status", f"{before} -> {after}")
        case HeaderDifference():
            return Sight("header", difference.name)
        case ShapeDifference():
            return Sight(difference.kind.value, difference.path)
        case _:
            kind = "type" if getattr(difference, "kind", "") == "content_type" else "value"
            return Sight(kind, getattr(difference, "path", "$"))


def test_there_are_at_least_fifteen_kinds_each_with_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(FAULTS) >= 15


@pytest.mark.parametrize("fault", IN_ANSWERS, ids=lambda fault: fault.name)
def test_the_differ_names_the_fault_and_nothing_else(fault: Fault, survey: Survey, triples: list[Triple]) -> None:
    spot = spot_of(survey, fault)
    hit = 0
    for triple in triples:
        faulty = with_fault(fault, spot, triple)
        if faulty is None:
            continue
        hit += 1
        seen = {sight_of(difference) for difference in compare(triple.branch, faulty.branch)}
        assert any(wanted.covers(sight) for wanted in fault.shows(spot) for sight in seen), seen
        explained = fault.shows(spot) | fault.besides(spot)
        assert all(any(one.covers(sight) for one in explained) for sight in seen), seen
    assert hit


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_touches_only_the_branch(fault: Fault, survey: Survey, triples: list[Triple]) -> None:
    spot = spot_of(survey, fault)
    faulty = [with_fault(fault, spot, triple) for triple in triples]
    assert all(
        one is None or replace(one, branch=triple.branch) == triple for one, triple in zip(faulty, triples, strict=True)
    )
    assert any(one is not None and one.branch != triple.branch for one, triple in zip(faulty, triples, strict=True))


@pytest.mark.parametrize("name", ["slower-50ms", "slower-double"])
def test_a_slow_answer_is_slower_by_what_the_fault_says(name: str, survey: Survey, triples: list[Triple]) -> None:
    fault = BY_NAME[name]
    faulty = with_fault(fault, spot_of(survey, fault), triples[0])
    before = triples[0].branch.latency_us
    assert faulty is not None
    assert before is not None
    expected = before + 50_000 if name == "slower-50ms" else before + max(before, 5_000)
    assert faulty.branch.latency_us == expected


def test_the_content_length_stays_true(survey: Survey, triples: list[Triple]) -> None:
    fault = BY_NAME["text-empty"]
    response = triples[0].branch.response
    assert response is not None
    longer = replace(response, headers=(*response.headers, ("content-length", str(len(response.body)))))
    triple = replace(triples[0], branch=replace(triples[0].branch, response=longer))
    faulty = with_fault(fault, spot_of(survey, fault), triple)
    assert faulty is not None
    assert faulty.branch.response is not None
    assert dict(faulty.branch.response.headers)["content-length"] == str(len(faulty.branch.response.body))


@pytest.mark.parametrize("rate", [1.0, 0.1, 0.01])
def test_the_rate_is_kept_and_the_same_requests_are_hit_again(rate: float) -> None:
    hits = [is_hit(FAULTS[0], f"pair-{number}", rate) for number in range(20_000)]
    assert hits == [is_hit(FAULTS[0], f"pair-{number}", rate) for number in range(20_000)]
    assert abs(sum(hits) / 20_000 - rate) <= 0.01 * rate**0.5


HOSTILE = [
    b"",
    b"{",
    b'"text"',
    b"[" * 5000,
    b'{"role":"user","role":"admin"}',
    b'{"n":1e400}',
    b'{"at":"9999-99-99T99:99:99Z","id":"\\ud800","n":123456789012345678901234567890}',
    bytes(range(256)),
]


@pytest.mark.parametrize("body", HOSTILE)
def test_no_answer_makes_a_fault_raise(body: bytes, survey: Survey, triples: list[Triple]) -> None:
    for fault in FAULTS:
        spot = spot_of(survey, fault)
        for steps in (spot.steps, ("n",), ("at",), ("id",)):
            place = replace(spot, steps=steps) if fault.target is Target.MEMBER else spot
            with_fault(fault, place, _with_body(triples[0], body))


def _with_body(triple: Triple, body: bytes) -> Triple:
    branch: Exchange = triple.branch
    assert branch.response is not None
    return replace(triple, branch=replace(branch, response=replace(branch.response, body=body)))


def test_a_body_with_members_that_repeat_is_left_alone(survey: Survey, triples: list[Triple]) -> None:
    spot = replace(spot_of(survey, BY_NAME["text-cut"]), steps=("role",))
    triple = _with_body(triples[0], b'{"role":"user","role":"admin"}')
    assert with_fault(BY_NAME["text-cut"], spot, triple) is None


def test_members_of_arrays_without_a_key_are_no_place_for_a_fault() -> None:
    from microstax.selftest.survey import members_of

    document = parse(b'{"rows":[{"a":1},{"a":2}],"items":[{"id":1,"price":2}],"3f2a9c4e1b7d4e1c":{"x":1}}')
    assert [steps for steps, _ in members_of(document)] == [("rows",), ("items",), ("items", None, "price")]
