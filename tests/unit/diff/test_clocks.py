"""A time in an answer is no drift for being read a little later, and is one for being another time."""

import json

import pytest

from microstax.diff.discrepancy import VALUE, Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.variations import Variation

NEAR = [
    ('"2026-01-01T00:00:00.999Z"', '"2026-01-01T00:00:01.001Z"'),
    ('"2026-01-01T00:00:00+00:00"', '"2026-01-01T01:00:01+01:00"'),
    ('"2026-01-01 00:00:00"', '"2026-01-01 00:00:05"'),
    ('"Thu, 01 Jan 2026 00:00:00 GMT"', '"Thu, 01 Jan 2026 00:00:01 GMT"'),
    ('"Thu, 1 Jan 2026 00:00:00 +0000"', '"Thu, 1 Jan 2026 01:00:01 +0100"'),
    ('"Thu Jan  1 00:00:00 2026"', '"Thu Jan  1 00:00:01 2026"'),
    ('"01/Jan/2026:00:00:00 +0000"', '"01/Jan/2026:01:00:01 +0100"'),
    ('"08:59:59"', '"09:00:00.25"'),
    ('"23:59:59.9"', '"00:00:01"'),
    ('"1767225600.25"', '"1767225601.75"'),
    ("1767225600", "1767225601"),
    ("1767225600999", "1767225601001"),
    ("1767225600.25", "1767225600.5"),
    ("1767225600000000000", "1767225604000000000"),
]
FAR = [
    ('"2026-01-01T00:00:00Z"', '"2026-01-01T02:00:00Z"'),
    ('"2026-01-01T00:00:00+00:00"', '"2026-01-01T00:00:00+01:00"'),
    ('"2026-02-30T00:00:00Z"', '"2026-02-30T00:00:01Z"'),
    ('"08:00:00"', '"09:00:00"'),
    ('"25:00:00"', '"25:00:01"'),
    ('"32/Jan/2026:00:00:00 +0000"', '"32/Jan/2026:00:00:01 +0000"'),
    ('"Thu, 01 Jan 2026 00:00:00 GMT"', '"Thu, 01 Jan 2026 00:00:00 +0000"'),
    ("1767225600", "1767229200"),
    ('"a"', '"b"'),
    ("1", "2"),
    ('"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00"'),
    ('"2026-01-01T00:00:00Z"', '"Thu, 01 Jan 2026 00:00:00 GMT"'),
    ("1767225600", "1767225600000"),
]


def varying(before: str, after: str) -> Variation:
    return Variation.of_value("$.at", json.loads(before), json.loads(after))


@pytest.mark.parametrize(("before", "after"), NEAR)
def test_near_times_are_readings(before: str, after: str) -> None:
    assert varying(before, after).is_reading
    assert varying(after, before).is_reading
    assert not varying(before, after).aspects(), "how a clock's reading is written says nothing"


@pytest.mark.parametrize(("before", "after"), FAR)
def test_other_times_and_other_values_are_not(before: str, after: str) -> None:
    assert not varying(before, after).is_reading
    assert not varying(after, before).is_reading


def test_headers_are_read_alike() -> None:
    before, after = "Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:01 GMT"
    assert Variation.of_header("x-at", before, after).is_reading
    assert not Variation.of_header("x-at", before, "never").is_reading


def counted(branch: str | None, control: str | None) -> tuple[int, int, int]:
    """Count one triple whose baseline says the first instant of 2026; None says the same. Returns b, c and both."""
    baseline = '"2026-01-01T00:00:00.000Z"'

    def differences(other: str | None) -> tuple[Variation, ...]:
        return () if other is None else (varying(baseline, other),)

    endpoint = EndpointAggregate()
    endpoint.add(differences(branch), differences(control), pair="p", context=1, may_show=lambda *_: True)
    tally = endpoint.tallies.get(Discrepancy(VALUE, VALUE, "$.at"))
    return (0, 0, 0) if tally is None else (tally.branch_only, tally.control_only, tally.both)


SOON, LATER, ELSEWHERE = '"2026-01-01T00:00:00.001Z"', '"2026-01-01T00:00:00.040Z"', '"2026-01-01T02:00:00.000Z"'


def test_a_slower_branch_gives_no_evidence_against_its_clock() -> None:
    assert counted(LATER, None) == (0, 0, 1)
    assert counted(None, SOON) == (0, 0, 0)
    assert counted(LATER, SOON) == (0, 0, 1)


def test_another_time_is_evidence_although_the_clock_of_the_control_moved_too() -> None:
    assert counted(ELSEWHERE, SOON) == (1, 0, 0)
    assert counted(ELSEWHERE, ELSEWHERE) == (0, 0, 1)
    assert counted(SOON, ELSEWHERE) == (0, 1, 0), "or the count would lean to the branch"


def test_a_list_of_times_shows_the_one_that_is_another() -> None:
    baseline = "2026-01-01T00:00:00.000Z"
    branch = Variation.of_value("$.at[]", baseline, json.loads(SOON))
    branch.pairs += [(baseline, json.loads(ELSEWHERE)), (baseline, json.loads(LATER))]
    endpoint = EndpointAggregate()
    endpoint.add((branch,), (), pair="p", context=1, may_show=lambda *_: True)
    [tally] = endpoint.tallies.values()
    assert (tally.branch_only, tally.both) == (1, 0)
    assert tally.example is not None
    assert tally.example.branch == ELSEWHERE
