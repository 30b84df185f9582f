"""Declared changes: whose findings they are, and when it can be said that one did not come."""

import pytest

from microstax.diff.counts import Policy
from microstax.diff.discrepancy import Discrepancy
from microstax.diff.expecting import Expecting, Found, about
from microstax.diff.verdict import clean_needs
from microstax.model.ignore import ExpectedChange
from microstax.model.report import Verdict

POLICY = Policy()
ENOUGH = clean_needs(0, POLICY)
DISCOUNT = Discrepancy("shape", "extra", "$.discount")
CHANGE = ExpectedChange(service="catalog", path="$.discount", reason="the feature", origin="microstax.yaml:9")


def found(verdict: Verdict, discrepancy: Discrepancy = DISCOUNT, endpoint: str = "GET /a") -> Found:
    return Found(service="catalog", endpoint=endpoint, discrepancy=discrepancy, count=40, verdict=verdict)


def verdict(*findings: Found, pairs: dict[str, int], change: ExpectedChange = CHANGE) -> str:
    by_endpoint = {("catalog", name): count for name, count in pairs.items()}
    [report] = Expecting((change,)).report(findings, pairs=by_endpoint, policy=POLICY)
    return report["verdict"]


def test_what_appeared_is_counted() -> None:
    findings = [found("different"), found("different", endpoint="GET /b"), found("same", endpoint="GET /c")]
    [report] = Expecting((CHANGE,)).report(findings, pairs={("catalog", "GET /a"): 40}, policy=POLICY)
    assert report == {
        "origin": "microstax.yaml:9",
        "service": "catalog",
        "endpoint": "",
        "path": "$.discount",
        "kind": "",
        "reason": "the feature",
        "findings": 2,
        "count": 80,
        "verdict": "appeared",
    }


def test_a_finding_is_expected_where_a_change_means_it() -> None:
    expecting = Expecting((CHANGE,))
    assert expecting.is_expected("catalog", "GET /a", DISCOUNT)
    assert not expecting.is_expected("search", "GET /a", DISCOUNT)
    assert not expecting.is_expected("catalog", "GET /a", Discrepancy("shape", "extra", "$.other"))
    assert not Expecting(()).is_expected("catalog", "GET /a", DISCOUNT)


@pytest.mark.parametrize(
    ("pairs", "outcome"),
    [
        ({}, "undecided"),
        ({"GET /a": 0}, "undecided"),
        ({"GET /a": ENOUGH - 1}, "undecided"),
        ({"GET /a": ENOUGH}, "missing"),
        ({"GET /a": ENOUGH, "GET /b": ENOUGH // 2}, "undecided"),
        ({"GET /a": ENOUGH // 2 + 1, "GET /b": ENOUGH // 2}, "missing"),
        ({"GET /a": 100 * ENOUGH, "GET /b": ENOUGH // 2}, "missing"),
    ],
)
def test_it_takes_enough_traffic_to_miss_something(pairs: dict[str, int], outcome: str) -> None:
    assert verdict(pairs=pairs) == outcome


@pytest.mark.parametrize("open_end", ["undecided", "not comparable"])
def test_what_may_be_the_change_is_waited_for(open_end: Verdict) -> None:
    assert verdict(found(open_end), pairs={"GET /a": 100 * ENOUGH}) == "undecided"


def test_what_only_the_control_showed_is_not_waited_for() -> None:
    never = Found(service="catalog", endpoint="GET /a", discrepancy=DISCOUNT, count=0, verdict="undecided")
    assert verdict(never, pairs={"GET /a": ENOUGH}) == "missing"


@pytest.mark.parametrize(
    ("service", "endpoint", "is_about"),
    [("", "", True), ("catalog", "", True), ("search", "", False), ("", "GET /a", True), ("catalog", "POST /a", False)],
)
def test_a_part_of_a_report_has_the_changes_of_this_part(service: str, endpoint: str, *, is_about: bool) -> None:
    [report] = Expecting((ExpectedChange(service="cat*", endpoint="GET *"),)).report((), pairs={}, policy=POLICY)
    assert about(report, service=service, endpoint=endpoint) is is_about


def test_noise_at_the_place_is_not_the_change() -> None:
    assert verdict(found("same"), pairs={"GET /a": ENOUGH}) == "missing"


def test_other_services_do_not_make_it_missing() -> None:
    change = ExpectedChange(service="search", path="$.discount")
    assert verdict(found("different"), pairs={"GET /a": 100 * ENOUGH}, change=change) == "undecided"
