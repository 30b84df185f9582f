"""The check must be able to fail in both directions: for what a report lacks and for what it makes up."""

from collections.abc import Callable, Iterable

import pytest

from microstax.demo.checker import check, findings
from microstax.demo.planted import PLANTED, Finding, Kind
from microstax.model.report import ReportDocument

ReportOf = Callable[[Iterable[Finding]], ReportDocument]
EXTRA = Finding("catalog", "GET /feed", Kind.TYPE, "$.served")


def test_a_report_with_all_of_it_and_nothing_else_is_right(report_of: ReportOf) -> None:
    outcome = check(report_of(PLANTED), PLANTED)
    assert outcome.right
    assert set(outcome.found) == set(PLANTED)


@pytest.mark.parametrize("lacking", PLANTED, ids=str)
def test_whatever_a_report_lacks_is_missed(report_of: ReportOf, lacking: Finding) -> None:
    outcome = check(report_of([finding for finding in PLANTED if finding != lacking]), PLANTED)
    assert outcome.missed == (lacking,)
    assert outcome.invented == ()
    assert not outcome.right


@pytest.mark.parametrize("kind", list(Kind))
def test_whatever_was_not_planted_is_invented(report_of: ReportOf, kind: Kind) -> None:
    place = {Kind.STATUS: "200 -> 404", Kind.SLOWER: "", Kind.FASTER: "", Kind.SPIKE: ""}.get(kind, "$.other")
    made_up = Finding("catalog", "GET /feed", kind, place)
    outcome = check(report_of([*PLANTED, made_up]), PLANTED)
    assert outcome.invented == (made_up,)
    assert outcome.missed == ()
    assert not outcome.right


def test_the_right_kind_at_the_wrong_place_is_missed_and_invented(report_of: ReportOf) -> None:
    planted = Finding("catalog", "GET /a", Kind.TYPE, "$.x")
    elsewhere = Finding("catalog", "GET /a", Kind.TYPE, "$.y")
    outcome = check(report_of([elsewhere]), [planted])
    assert (outcome.found, outcome.missed, outcome.invented) == ((), (planted,), (elsewhere,))


@pytest.mark.parametrize("verdict", ["same", "undecided", "not comparable"])
def test_a_difference_without_that_verdict_is_no_finding(report_of: ReportOf, verdict: str) -> None:
    document = report_of([EXTRA])
    document["services"][0]["endpoints"][0]["shape"][0]["verdict"] = verdict  # type: ignore[typeddict-item]
    assert list(findings(document)) == []


def test_a_few_slow_answers_of_a_busy_machine_are_no_spike(report_of: ReportOf) -> None:
    document = report_of([Finding("catalog", "GET /feed", Kind.SPIKE)])
    document["services"][0]["endpoints"][0]["latency"]["spikes"] = 4
    assert list(findings(document)) == []


def test_spikes_explain_a_slower_endpoint_and_nothing_else_does(report_of: ReportOf) -> None:
    spike, slower = (Finding("catalog", "GET /a", kind) for kind in (Kind.SPIKE, Kind.SLOWER))
    assert check(report_of([spike, slower]), [spike]).right
    assert check(report_of([spike, slower]), [slower]).right
    assert check(report_of([slower]), [spike]).missed == (spike,)
    faster = Finding("catalog", "GET /b", Kind.FASTER)
    assert check(report_of([spike, faster]), [spike]).invented == (faster,)


def test_an_empty_report_misses_everything(report_of: ReportOf) -> None:
    assert set(check(report_of([]), PLANTED).missed) == set(PLANTED)
