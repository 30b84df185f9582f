"""What ignore rules hide, how they end, and in which ways what they hide differs."""

from datetime import date
from typing import Any

import pytest

from microstax.diff.aggregate import ServiceAggregate
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.expecting import Expecting
from microstax.diff.hiding import SIGNATURE, Hidden
from microstax.model.ignore import ExpectedChange, IgnoreRule
from microstax.testing import a_response, a_triple

UUIDS = [f"{number:08x}-9d0b-4c56-8f0f-5e0a5a0a77a1" for number in range(20)]
ENDPOINT = "GET /products/{id}"


def aggregate(*bodies: tuple[str, str]) -> EndpointAggregate:
    """Return what is counted where baseline and branch answer these bodies, and the control as the baseline does."""
    service = ServiceAggregate.empty()
    for number, (before, after) in enumerate(bodies):
        answers = {"baseline": before, "branch": after, "control": before}
        sides = {side: a_response(body.encode()) for side, body in answers.items()}
        service.add(a_triple(id=f"p{number}", **sides))
    [endpoint] = service.endpoints.values()
    return endpoint


def uuids(count: int, to: str = '"{}"') -> list[tuple[str, str]]:
    return [(f'{{"id": "{UUIDS[n]}"}}', f'{{"id": {to.format(UUIDS[n + 1])}}}') for n in range(count)]


def hide(*rules: IgnoreRule, bodies: list[tuple[str, str]], **options: Any) -> tuple[list[str], list[Any]]:
    """Return the kinds and places that are left, and what the rules did."""
    hidden = Hidden(rules, **options)
    left = hidden.rest("catalog", ENDPOINT, aggregate(*bodies))
    return [f"{discrepancy.kind} {discrepancy.place}" for discrepancy, _ in left], hidden.report()


def test_a_rule_hides_and_says_how_much() -> None:
    rule = IgnoreRule(path="$.id", kind="value", reason="why", owner="me", expires=date(2027, 1, 1), origin="f:2")
    left, [deeds] = hide(rule, bodies=[*uuids(5), ('{"id": "a"}', "{}")], today=date(2027, 1, 1))
    assert left == ["missing $.id"]
    assert (deeds["findings"], deeds["count"]) == (1, 5)
    assert deeds["signature"] == ["value uuid>uuid"]
    told = {name: deeds[name] for name in ("origin", "path", "kind", "reason", "owner", "expires", "expired", "news")}
    assert told == {
        "origin": "f:2",
        "path": "$.id",
        "kind": "value",
        "reason": "why",
        "owner": "me",
        "expires": "2027-01-01",
        "expired": False,
        "news": [],
    }


def test_the_day_after_its_last_a_rule_hides_nothing_and_is_still_listed() -> None:
    rule = IgnoreRule(path="$.id", expires=date(2027, 1, 1))
    left, [deeds] = hide(rule, bodies=uuids(5), today=date(2027, 1, 2))
    assert left == ["value $.id"]
    assert (deeds["expired"], deeds["findings"], deeds["signature"]) == (True, 0, [])


def test_the_first_rule_that_fits_hides_and_an_expired_one_stands_back() -> None:
    rules = [IgnoreRule(path="$.id", expires=date(2020, 1, 1)), IgnoreRule(path="$.*"), IgnoreRule(kind="value")]
    _, deeds = hide(*rules, bodies=uuids(3), today=date(2027, 1, 1))
    assert [one["findings"] for one in deeds] == [0, 1, 0]


def test_a_rule_for_another_endpoint_hides_nothing() -> None:
    left, [deeds] = hide(IgnoreRule(endpoint="POST *", path="$.id"), bodies=uuids(3))
    assert (left, deeds["findings"]) == (["value $.id"], 0)


def test_a_hidden_behaviour_that_changes_is_news() -> None:
    """The rule was made for identifiers that are new in every answer; now there is a null as well."""
    rule = IgnoreRule(path="$.id", signature=("value uuid>uuid",))
    nulls = uuids(3, to="null")
    assert hide(rule, bodies=[*uuids(5), *nulls[:2]])[1][0]["news"] == []
    [deeds] = hide(rule, bodies=[*uuids(5), *nulls])[1]
    assert deeds["signature"] == ["type string>null", "value uuid>uuid"]
    assert deeds["news"] == ["type string>null"]


def test_a_rule_that_lists_no_ways_has_no_news() -> None:
    assert hide(IgnoreRule(path="$.id"), bodies=uuids(5, to="null"))[1][0]["news"] == []


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ('{"a": 1}', '{"a": "1"}', "type number>string"),
        ('{"a": 1}', "{}", "missing"),
        ("{}", '{"a": 1}', "extra"),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', "order"),
    ],
)
def test_the_ways_are_those_of_the_report(before: str, after: str, way: str) -> None:
    assert hide(IgnoreRule(path="$.**", kind="shape"), bodies=[(before, after)] * 3)[1][0]["signature"] == [way]


def test_a_signature_is_bounded() -> None:
    bodies = [(f'{{"a": {before}}}', f'{{"a": {after}}}') for before in KINDS for after in KINDS if before != after]
    [deeds] = hide(IgnoreRule(path="$.a"), bodies=bodies)[1]
    assert deeds["findings"] > SIGNATURE
    assert len(deeds["signature"]) == SIGNATURE
    assert deeds["signature"] == sorted(deeds["signature"])


KINDS = ("null", "true", "1", '"x"', "[1]", '{"b": 1}')


def test_a_declared_change_is_not_hidden() -> None:
    declared = Expecting((ExpectedChange(path="$.id"),))
    left, [deeds] = hide(IgnoreRule(path="$.**"), bodies=uuids(3), expecting=declared)
    assert (left, deeds["findings"]) == (["value $.id"], 0)
