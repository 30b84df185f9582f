"""Each claim of the demo fails when what it claims is not so."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from microstax.demo.checker import Outcome, check
from microstax.demo.planted import PLANTED, Finding
from microstax.demo.proof import Requests, claims, unsafe
from microstax.model.report import ReportDocument

ReportOf = Callable[[Iterable[Finding]], ReportDocument]
HELD = "POST /stock/{id}/holds"


@pytest.fixture
def good(report_of: ReportOf) -> dict[str, Any]:
    document = report_of(PLANTED)
    return {
        "outcome": check(document, PLANTED),
        "requests": Requests(sent=1000),
        "coverage": document["coverage"],
        "branch_received": {"GET /products": 200},
        "baseline_received": {"GET /products": 200, "POST /products/{id}/views": 9},
        "neighbour_received": {"inventory": {"GET /stock/{id}": 5}},
    }


def failing(facts: dict[str, Any]) -> list[str]:
    return [claim.text for claim in claims(**facts) if not claim.holds]


def test_all_of_it_holds_when_all_went_well(good: dict[str, Any]) -> None:
    assert failing(good) == []


def test_one_failed_request_is_told_with_its_sentence(good: dict[str, Any]) -> None:
    good["requests"] = Requests(sent=1000, failed=1, failures=("GET catalog /feed: status 503",))
    assert [text for text in failing(good) if "1 failed" in text]
    assert any("status 503" in line for claim in claims(**good) for line in claim.lines())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("requests", Requests(sent=0)),
        ("branch_received", {"GET /products": 200, "POST /products/{id}/views": 1}),
        ("branch_received", {}),
        ("baseline_received", {"GET /products": 200}),
        ("neighbour_received", {"inventory": {HELD: 1}}),
    ],
)
def test_every_count_matters(good: dict[str, Any], name: str, value: Any) -> None:
    assert len(failing({**good, name: value})) == 1


@pytest.mark.parametrize(("field", "value"), [("blocked_calls", 0), ("mirrored", 209), ("skipped_methods", {})])
def test_every_count_of_the_coverage_matters(good: dict[str, Any], field: str, value: Any) -> None:
    assert len(failing({**good, "coverage": {**good["coverage"], field: value}})) == 1


def test_missed_and_invented_fail_apart(good: dict[str, Any]) -> None:
    outcome: Outcome = good["outcome"]
    assert failing({**good, "outcome": replace(outcome, missed=(PLANTED[0],))}) == ["Missed:   1."]
    assert failing({**good, "outcome": replace(outcome, invented=(PLANTED[0],))}) == ["Invented: 1."]


def test_only_methods_that_change_something_are_unsafe() -> None:
    assert unsafe({"GET /a": 1, "HEAD /a": 2, "OPTIONS /a": 4, "POST /a": 8, "DELETE /a": 16}) == 24
