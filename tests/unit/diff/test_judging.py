"""What is asked of an endpoint, in worlds that are hard to judge: branch and baseline are drawn alike."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from microstax.diff import Policy, ReportInput, ServiceAggregate, build_report
from microstax.diff.discrepancy import Discrepancy, reversed_of
from microstax.model.exchange import Exchange, Side, Triple
from microstax.model.ignore import ExpectedChange, IgnoreRule
from microstax.model.report import Coverage, ReportDocument

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]
COVERAGE: Coverage = {"mirrored": 0, "paired": 0, "not_compared": {}, "skipped_methods": {}, "blocked_calls": 0}


def different(document: ReportDocument) -> set[tuple[str, str]]:
    """Return (kind, place) of all that is different."""
    (endpoint,) = document["services"][0]["endpoints"]
    found = {(one["kind"], one["path"]) for one in (*endpoint["shape"], *endpoint["values"]) if is_drift(one)}
    found |= {(one["kind"], one["name"]) for one in endpoint["headers"] if is_drift(one)}
    return found | {("status", f"{one['baseline']}>{one['branch']}") for one in endpoint["status"] if is_drift(one)}


def is_drift(finding: Any) -> bool:
    return bool(finding["verdict"] == "different")


def report(aggregate: ServiceAggregate, **given: Any) -> ReportDocument:
    return build_report(
        ReportInput(overlay="b", baseline="base", since="", aggregates={"shop": aggregate}, coverage=COVERAGE, **given)
    )


@pytest.mark.parametrize(
    ("discrepancy", "opposite"),
    [
        (Discrepancy("shape", "missing", "$.a"), Discrepancy("shape", "extra", "$.a")),
        (Discrepancy("header", "extra", "x-a"), Discrepancy("header", "missing", "x-a")),
        (Discrepancy("shape", "type", "$.a", "null>number"), Discrepancy("shape", "type", "$.a", "number>null")),
        (Discrepancy("status", "grpc", "", "0>14"), Discrepancy("status", "grpc", "", "14>0")),
        (Discrepancy("shape", "nesting", "$.a", "$.b.a"), Discrepancy("shape", "nesting", "$.b.a", "$.a")),
        (Discrepancy("shape", "length", "$.a"), None),
        (Discrepancy("value", "value", "$.a"), None),
    ],
)
def test_what_is_seen_has_an_opposite(discrepancy: Discrepancy, opposite: Discrepancy | None) -> None:
    assert reversed_of(discrepancy) == opposite
    assert opposite is None or reversed_of(opposite) == discrepancy


def flaky(answer: Answer, rng: random.Random, side: Side, thing: int, *, drift: float = 0.0) -> Exchange:
    """Answer as a service does that leaves things out, is busy now and then, and says how long it took."""
    body: dict[str, Any] = {"thing": thing, "state": rng.choice([None, 1, "1"])}
    if rng.random() < 0.3:
        body["hint"] = 1
    if rng.random() >= (drift if side is Side.BRANCH else 0.0):
        body["sometimes"] = 1
    headers = [("content-type", "application/json"), ("x-took", "1" * int(rng.paretovariate(1)))]
    if rng.random() < 0.5:
        headers.append(("x-half", "1"))
    status = 503 if rng.random() < 0.2 else 200
    return answer(body, side=side, status=status, headers=tuple(headers), path=f"/things/{thing}")


def test_without_a_control_what_the_baseline_does_as_well_is_no_drift(answer: Answer, joined: Joined) -> None:
    rng, aggregate = random.Random(5), ServiceAggregate.empty()
    for thing in range(1_500):
        aggregate.add(joined(*(flaky(answer, rng, side, thing) for side in (Side.BASELINE, Side.BRANCH))))
        if thing > 200 and not thing % 50:
            assert different(report(aggregate)) == set()
    document = report(aggregate)
    assert not document["calibrated"]
    assert document["verdict"] == "undecided"


def test_without_a_control_drift_stands_out_of_what_the_baseline_does_as_well(answer: Answer, joined: Joined) -> None:
    rng, aggregate = random.Random(6), ServiceAggregate.empty()
    for thing in range(1_500):
        baseline = flaky(answer, rng, Side.BASELINE, thing)
        drifting = flaky(answer, rng, Side.BRANCH, thing, drift=0.1)
        aggregate.add(joined(baseline, drifting))
    assert different(report(aggregate)) == {("missing", "$.sometimes")}
    for thing in range(1_500, 1_800):
        broken = answer({"thing": thing}, status=503, side=Side.BRANCH, path=f"/things/{thing}")
        aggregate.add(joined(flaky(answer, rng, Side.BASELINE, thing), broken))
    assert ("status", "200>503") in different(report(aggregate))


def test_a_control_that_is_sampled_is_waited_for(answer: Answer, joined: Joined) -> None:
    rng, aggregate = random.Random(7), ServiceAggregate.empty()
    for thing in range(60):
        baseline, branch = answer({"thing": thing}), answer({"thing": thing, "new": 1}, side=Side.BRANCH)
        aggregate.add(joined(baseline, branch, pair=f"p{thing}"))
    assert different(report(aggregate)) == {("extra", "$.new")}
    assert report(aggregate, controlled=frozenset({"shop"}))["verdict"] == "undecided"
    for _ in range(200):
        aggregate.add(joined(*(flaky(answer, rng, side, 1) for side in (Side.BASELINE, Side.BRANCH))))
    assert ("extra", "$.new") in different(report(aggregate, controlled=frozenset({"shop"})))


def triples(answer: Answer, joined: Joined, headers: Callable[[Side], str], *, pairs: int = 400) -> ServiceAggregate:
    """Compare answers that differ in the header x-a alone."""
    aggregate = ServiceAggregate.empty()
    for number in range(pairs):
        sides = (
            answer(
                {},
                side=side,
                headers=(("content-type", "application/json"), ("x-a", headers(side))),
                path=f"/a/{number}",
            )
            for side in (Side.BASELINE, Side.BRANCH, Side.CONTROL)
        )
        aggregate.add(joined(*sides, pair=f"p{number}"))
    return aggregate


def test_a_rule_for_the_value_of_a_header_means_its_form_too(answer: Answer, joined: Joined) -> None:
    aggregate = triples(answer, joined, lambda side: "a-long-word-for-it" if side is Side.BRANCH else "word")
    assert different(report(aggregate)) == {("value", "x-a")}
    hiding = report(aggregate, ignore_rules=(IgnoreRule(path="x-a", kind="value"),))
    assert (hiding["verdict"], different(hiding)) == ("same", set())
    declared = report(aggregate, expected=(ExpectedChange(path="x-a", kind="value"),))
    assert declared["verdict"] == "same"
    assert not any("beyond noise" in reason for reason in declared["reasons"])
    only_form = report(aggregate, expected=(ExpectedChange(path="x-a", kind="length_class"),))
    assert "header x-a value" in only_form["reasons"][0]
    assert different(report(aggregate, kind="value")) == {("value", "x-a")}


def test_a_service_without_a_control_is_named_beside_one_that_has_one(answer: Answer, joined: Joined) -> None:
    calibrated, without = triples(answer, joined, lambda _: "word"), ServiceAggregate.empty()
    for number in range(400):
        sides = (answer({"a": side}, side=side, path=f"/a/{number}") for side in (Side.BASELINE, Side.BRANCH))
        without.add(joined(*sides, pair=f"p{number}"))
    document = build_report(
        ReportInput(
            overlay="b", baseline="x", since="", aggregates={"shop": calibrated, "cart": without}, coverage=COVERAGE
        )
    )
    assert (document["verdict"], document["calibrated"]) == ("same", True)
    assert document["reasons"] == [
        "Uncalibrated: no control measured the noise of cart (--control copy does). "
        "1 difference in values or order cannot be judged so.",
        "800 pairs show no difference that noise does not explain (alpha 0.05), and none in more than 1% of an "
        "endpoint's requests, of what can be judged.",
    ]


def test_what_is_too_far_away_is_not_blamed_on_one_input(answer: Answer, joined: Joined) -> None:
    rng = random.Random(8)
    aggregate = triples(answer, joined, lambda _: rng.choice("ab"), pairs=100)
    reasons = report(aggregate, policy=Policy(tolerance=0.0001))["reasons"]
    assert reasons == [
        "shop GET /a/{id} is undecided after 100 pairs: as the answers vary now, over 10,000,000 more would be needed."
    ]
