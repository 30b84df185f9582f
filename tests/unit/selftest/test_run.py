"""The self-test as a whole: nothing is found without a fault, every fault is, and what is undecided says so."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from microstax.errors import EXIT_DIFFERENT, EXIT_DONE, EXIT_UNDECIDED
from microstax.model.record import StoredPair
from microstax.selftest import FAULTS, SelfTest, Trial, TrialVerdict, self_test

SOME = tuple(
    fault
    for fault in FAULTS
    if fault.name in {"status-500", "member-missing", "varying-null", "array-order", "number-shifted", "spike"}
)
Pairs = Callable[..., list[StoredPair]]


@pytest.fixture(scope="module")
def everything(pairs: Pairs) -> SelfTest:
    """Try the whole catalogue in every request."""
    return self_test(pairs(250), rates=(1.0,))


def test_no_finding_without_a_fault(everything: SelfTest) -> None:
    assert (everything.pairs, everything.false_findings, everything.calibrated) == (250, (), True)


def test_every_fault_in_every_request_is_found_and_nothing_else(everything: SelfTest) -> None:
    wrong = [trial for trial in everything.trials if trial.verdict is not TrialVerdict.FOUND]
    assert wrong == []
    assert len(everything.trials) == len(FAULTS)
    assert (everything.share, everything.exit_code) == (1.0, EXIT_DONE)


def test_a_fault_is_found_long_before_all_requests_are_seen(everything: SelfTest) -> None:
    after = {trial.fault: trial.found_after for trial in everything.trials}
    assert after["member-missing"] is not None
    assert after["member-missing"] < 40


def test_rare_faults_are_undecided_and_say_how_much_more_they_need(pairs: Pairs) -> None:
    result = self_test(pairs(250), faults=SOME, rates=(0.01,))
    assert {trial.verdict for trial in result.trials} == {TrialVerdict.UNDECIDED}
    hit = [trial for trial in result.trials if trial.hits and trial.fault != "spike"]
    assert hit
    assert all(trial.needs and trial.needs > 0 for trial in hit)
    assert (result.share, result.exit_code) == (None, EXIT_UNDECIDED)


def test_more_traffic_decides_what_was_undecided(pairs: Pairs) -> None:
    missing = tuple(fault for fault in SOME if fault.name == "member-missing")
    few, many = (self_test(pairs(count), faults=missing, rates=(0.1,)).trials[0] for count in (40, 600))
    assert (few.verdict, many.verdict) == (TrialVerdict.UNDECIDED, TrialVerdict.FOUND)


def test_without_a_control_shapes_are_found_and_values_are_said_to_need_one(pairs: Pairs) -> None:
    result = self_test(pairs(150, control=False), faults=SOME, rates=(1.0,))
    verdicts = {trial.fault: trial for trial in result.trials}
    assert not result.calibrated
    assert verdicts["member-missing"].verdict is TrialVerdict.FOUND
    assert verdicts["number-shifted"].verdict is TrialVerdict.UNDECIDED
    assert "control" in verdicts["number-shifted"].reason


def test_a_difference_that_is_there_already_is_a_false_finding(pairs: Pairs) -> None:
    result = self_test([_without_price(pair) for pair in pairs(100)], faults=SOME[:1], rates=(1.0,))
    assert {str(finding) for finding in result.false_findings} == {
        "catalog: GET /products/{id}: missing $.price",
        "catalog: GET /products/{id}: extra $.cost",
    }
    assert result.exit_code == EXIT_DIFFERENT
    assert result.trials[0].others == ()


def _without_price(pair: StoredPair) -> StoredPair:
    branch = pair.triple.branch
    assert branch.response is not None
    body = branch.response.body.replace(b'"price"', b'"cost"')
    faulty = replace(branch, response=replace(branch.response, body=body))
    return replace(pair, triple=replace(pair.triple, branch=faulty))


def test_no_pairs_decide_nothing() -> None:
    result = self_test([])
    assert {trial.verdict for trial in result.trials} == {TrialVerdict.ABSENT}
    assert (result.pairs, result.share, result.exit_code) == (0, None, EXIT_UNDECIDED)


def test_the_same_pairs_give_the_same_result(pairs: Pairs) -> None:
    first, second = (self_test(pairs(60), faults=SOME[:2], rates=(0.1,)).document() for _ in range(2))
    assert first == second


def test_the_document_counts_what_the_trials_say() -> None:
    trials = tuple(
        Trial(fault=str(number), says="", rate=1.0, spot=None, verdict=verdict)
        for number, verdict in enumerate((TrialVerdict.FOUND, TrialVerdict.MISSED, TrialVerdict.UNDECIDED))
    )
    result = SelfTest(pairs=1, not_compared=0, verdict="same", calibrated=True, false_findings=(), trials=trials)
    assert (result.document()["decided"], result.document()["detected_share"]) == (2, 0.5)
    assert result.exit_code == EXIT_DIFFERENT
