"""The gate: every verdict has its exit code and one line that says why, and waiting ends when the answer is final."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_documents import documents
from rule_documents import EFFECT, JUDGED, document, endpoint, finding, latency, pattern, rule

from microstax.model.report import ReportDocument
from microstax.report.gate import FAIL_ON, FAILURES, gate

ALL = FAILURES
EXTRA = pattern(kind="extra", path="$.discount", verdict="missing", service="catalog", reason="", findings=0, count=0)


def said(report: Any, fail_on: tuple[str, ...] = FAIL_ON) -> str:
    """Return the sentence without its beginning."""
    sentence = gate(report, fail_on).sentence
    assert "\n" not in sentence
    return sentence.removeprefix("gate: ")


@pytest.mark.parametrize(
    ("verdict", "fail_on", "code", "final"),
    [
        ("same", FAIL_ON, 0, True),
        ("different", FAIL_ON, 1, True),
        ("undecided", FAIL_ON, 3, False),
        ("not comparable", FAIL_ON, 3, False),
        ("different", ("undecided",), 0, True),
        ("undecided", ("different",), 0, False),
        ("not comparable", ("slower",), 0, False),
        ("same", ("slower",), 0, True),
    ],
)
def test_the_verdict_is_the_exit_code_of_what_is_asked_for(
    verdict: str, fail_on: tuple[str, ...], code: int, *, final: bool
) -> None:
    outcome = gate(document(verdict), fail_on)
    assert (outcome.exit_code, outcome.final) == (code, final)
    assert outcome.sentence.startswith("gate: failed: " if code else "gate: passed: ")


def test_a_failure_names_the_weightiest_difference_that_nobody_declared() -> None:
    report = document(
        "different",
        endpoint(
            verdict="different",
            shape=[finding("$.price", "missing"), finding("$.new", "extra", evidence=99.0, expected=True)],
            values=[finding("$.name", verdict="same"), finding("$.total", evidence=1.0)],
            status=[{**JUDGED, "baseline": 200, "branch": 500, "noise": 0, "evidence": 2.0}],
        ),
        endpoint("GET /other", headers=[finding("etag", "missing", evidence=1.5)]),
    )
    assert said(report) == (
        "failed: different: catalog GET /products/{id} missing $.price (and 3 more); evidence 10^6.2, alpha 0.05"
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": [{**JUDGED, "baseline": 200, "branch": 500, "noise": 0}]}, "status 200 -> 500"),
        ({"status": [{**JUDGED, "baseline": 0, "branch": 5, "noise": 0, "grpc": True}]}, "grpc-status 0 -> 5"),
        ({"values": [finding("$.a", "format")]}, "format $.a"),
        ({"headers": [finding("x-cost", "missing")]}, "header x-cost missing"),
    ],
)
def test_every_family_has_words(fields: dict[str, Any], words: str) -> None:
    assert f"catalog GET /products/{{id}} {words};" in said(document("different", endpoint(**fields)))


def test_without_a_control_there_is_no_evidence_to_quote() -> None:
    report = document("different", endpoint(shape=[finding("$.a", "missing", evidence=None)]), calibrated=False)
    assert said(report).endswith("missing $.a; seen 40 times, uncalibrated, alpha 0.05")


def test_values_that_no_control_judged_do_not_fail_it() -> None:
    values = [finding("$.a", verdict="not comparable", evidence=None)]
    outcome = gate(document("same", endpoint(values=values), calibrated=False))
    assert (outcome.exit_code, outcome.final) == (0, True)
    assert outcome.sentence == "gate: passed: same in 100 pairs, uncalibrated"


def test_a_declared_change_that_did_not_come_is_named() -> None:
    report = document("different", expected=[EXTRA, {**EXTRA, "verdict": "appeared"}])
    assert said(report) == "failed: different: expected and missing: catalog extra $.discount (microstax.yaml:2)"
    both = document("different", endpoint(shape=[finding("$.a", "missing")]), expected=[EXTRA] * 5)
    assert "missing $.a; evidence 10^6.2, alpha 0.05; expected and missing: catalog extra $.discount" in said(both)
    assert said(both).endswith(" (and 2 more)")


def test_passing_says_how_much_that_says() -> None:
    busy = [endpoint(pairs=12_000), endpoint("GET /b", pairs=300)]
    assert said(document("same", *busy)) == "passed: same in 12,300 pairs, excess under 1%"
    declared = document("same", *busy, expected=[{**EXTRA, "verdict": "appeared"}])
    assert said(declared) == "passed: same in 12,300 pairs beside 1 expected change, excess under 1%"
    assert (
        said(document("different"), ("undecided",))
        == "passed: different after 100 pairs, which does not fail this gate"
    )


def test_doubt_says_where_and_how_long() -> None:
    open_ends = [
        endpoint("GET /rare", pairs=3, verdict="undecided", needs=97),
        endpoint("GET /b", pairs=40, verdict="undecided", needs=1_060, needs_minutes=2.5),
        endpoint("GET /c", pairs=9_000),
    ]
    assert said(document("undecided", *open_ends)) == (
        "failed: undecided: catalog GET /b after 40 pairs, about 1,060 more requests, 2 minutes at the rate so far "
        "(and 1 more)"
    )
    waiting = document("undecided", expected=[{**EXTRA, "verdict": "undecided"}])
    assert said(waiting) == "failed: undecided: expected and not seen yet: catalog extra $.discount (microstax.yaml:2)"
    assert said(document("undecided", reasons=["No traffic."])) == "failed: undecided: No traffic."
    assert said(document("not comparable", reasons=[])) == "failed: undecided: not comparable."


def test_rules_that_need_somebody_are_named_whatever_the_answer_is() -> None:
    ignored = [
        rule(path="$.at", service="catalog", expired=True),
        rule(origin="rule 3", path="$.b", news=["value string>null", "value uuid>hex"]),
        rule(path="$.quiet"),
    ]
    assert said(document("same", ignored=ignored)) == (
        "passed: same in 100 pairs, excess under 1%; expired: microstax.yaml:2 (catalog $.at, 2026-11-01); "
        "new under a rule: rule 3 hides value string>null"
    )
    assert "; expired: microstax.yaml:2" in said(document("different", ignored=ignored))


SLOW = latency(
    verdict="slower", effect={"p50": {"ratio": 1.417, "low": 1.2, "high": 1.61}, "p90": EFFECT, "p99": EFFECT}
)

TAIL = latency(
    verdict="slower", effect={"p50": EFFECT, "p90": EFFECT, "p99": {"ratio": None, "low": 3.2, "high": None}}
)


@pytest.mark.parametrize(
    ("slow", "how"),
    [
        (SLOW, "median 1.42 times the control (1.20 to 1.61)"),
        (TAIL, "p99 at least 3.20 times the control"),
        (latency(verdict="slower"), "than the control at some quantile"),
        (latency(spikes_verdict="different", spikes=31, reference_spikes=2), "31 spikes against 2 of the control"),
    ],
)
def test_slowness_fails_where_that_is_asked_for(slow: dict[str, Any], how: str) -> None:
    report = document("same", endpoint(latency=slow), endpoint("GET /b", latency=slow))
    assert gate(report).exit_code == 0
    outcome = gate(report, ALL)
    assert (outcome.exit_code, outcome.final) == (1, True)
    assert outcome.sentence == f"gate: failed: slower: catalog GET /products/{{id}} {how} (and 1 more)"


def test_drift_is_said_before_slowness() -> None:
    assert said(document("different", endpoint(latency=SLOW)), ALL).startswith("failed: different: ")


def test_latencies_that_are_open_hold_a_gate_for_slowness_up_unless_they_are_rare() -> None:
    unknown = latency(verdict="undecided")
    busy = document("same", endpoint(latency=unknown, pairs=50), endpoint("GET /b", pairs=9_000, latency=unknown))
    assert gate(busy).final
    outcome = gate(busy, ALL)
    assert (outcome.exit_code, outcome.final) == (3, False)
    assert outcome.sentence == "gate: failed: undecided: latency of catalog GET /b after 9,000 pairs (and 1 more)"
    assert not gate(busy, ("different", "slower")).final
    rare = document("same", endpoint(latency=unknown, pairs=50), endpoint("GET /b", pairs=9_000))
    assert gate(rare, ALL).final


def test_a_line_stays_a_line() -> None:
    hostile = endpoint("GET /a\n\x1b[2J" + "x" * 500, shape=[finding("$.a\nb", "missing")])
    sentence = gate(document("different", hostile)).sentence
    assert sentence.isprintable()
    assert len(sentence) < 300


@given(report=documents(), fail_on=st.sets(st.sampled_from(FAILURES), min_size=1))
@settings(max_examples=100, deadline=None)
def test_every_report_has_an_answer_in_one_line(report: ReportDocument, fail_on: set[str]) -> None:
    outcome = gate(report, fail_on)
    assert outcome.exit_code in {0, 1, 3}
    assert outcome.sentence.isprintable()
    assert outcome.sentence.startswith("gate: failed: " if outcome.exit_code else "gate: passed: ")
    if outcome.exit_code == 3:
        assert not outcome.final
    if "different" in fail_on and report["verdict"] == "different":
        assert outcome.exit_code == 1
    if fail_on == {"different"} and report["verdict"] != "different":
        assert outcome.exit_code == 0
