"""From triples to the report: noise is not drift, planted drift is found, and all figures add up."""

import json
import random
import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

import microstax.report
from microstax.diff import Policy, ReportInput, ServiceAggregate, build_report
from microstax.errors import UndecidedError, UsageError
from microstax.model.exchange import Exchange, Side, Triple
from microstax.model.flags import TIMEOUT
from microstax.model.ignore import ExpectedChange, IgnoreRule
from microstax.model.report import Coverage, EndpointReport, ReportDocument
from microstax.report.render import FORMATS, render

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]
SCHEMA = Path(microstax.report.__file__).parent / "report.schema.json"
COVERAGE: Coverage = {"mirrored": 0, "paired": 0, "not_compared": {}, "skipped_methods": {}, "blocked_calls": 0}


class Shop:
    """A service with honest noise, and a branch of it with drift of every kind."""

    def __init__(self, answer: Answer, seed: int, *, drift: bool) -> None:
        self._answer, self._drift = answer, drift
        self._rng = random.Random(seed)
        self._served = 0

    def get(self, side: Side, product: int) -> Exchange:
        rng = self._rng
        self._served += 1
        items = [{"sku": f"a{number}", "price": number * product % 7} for number in range(4)]
        rng.shuffle(items)
        body: dict[str, Any] = {
            "name": f"product {product}",
            "at": f"2026-11-24T07:00:{rng.randrange(60):02}Z",
            "request": str(uuid.UUID(int=rng.getrandbits(128))),
            "served": self._served,
            "items": items,
            "price": {"amount": product, "currency": "EUR"},
        }
        status, headers, latency = 200, [("content-type", "application/json")], rng.lognormvariate(8, 0.2)
        if self._drift and side is Side.BRANCH:
            body["title"] = body.pop("name")
            body["amount"] = body["price"].pop("amount")
            for item in items:
                item["price"] = str(item["price"])
            if product % 20 == 2:
                items.pop()
            if product % 20 == 0:
                status, body = 500, {"error": "none"}
            if product % 20 == 1:
                latency += 300_000
            headers.append(("cache-control", "no-store"))
        return self._answer(
            body, status=status, headers=tuple(headers), side=side, path=f"/products/{product}", latency_us=int(latency)
        )


def aggregate_of(answer: Answer, joined: Joined, *, drift: bool, control: bool = True, pairs: int = 500) -> Any:
    shop, rng = Shop(answer, 1, drift=drift), random.Random(2)
    total, delta = ServiceAggregate.empty(), ServiceAggregate.empty()
    for number in range(pairs):
        product = rng.randrange(200)
        sides = [shop.get(side, product) for side in (Side.BASELINE, Side.BRANCH, Side.CONTROL)[: 2 + control]]
        delta.add(joined(*sides, pair=f"p{number:04}"))
        if number % 50 == 49:
            total.merge(ServiceAggregate.from_bytes(delta.to_bytes()))
            delta = delta.fresh()
    total.merge(delta)
    return total


def report(aggregate: ServiceAggregate, **given: Any) -> ReportDocument:
    coverage: Coverage = {**COVERAGE, "mirrored": aggregate.pairs, "paired": aggregate.pairs}
    return build_report(
        ReportInput(
            **{
                "overlay": "branch",
                "baseline": "production",
                "since": "2026-11-24T07:00:00Z",
                "aggregates": {"shop": aggregate},
                "coverage": coverage,
                **given,
            }
        )
    )


def only(document: ReportDocument) -> EndpointReport:
    ((endpoint,),) = [service["endpoints"] for service in document["services"]]
    return endpoint


def drifting(endpoint: EndpointReport) -> set[tuple[str, str]]:
    found = {(one["kind"], one["path"]) for one in endpoint["shape"] if one["verdict"] == "different"}
    found |= {("value", one["path"]) for one in endpoint["values"] if one["verdict"] == "different"}
    found |= {("header", one["name"]) for one in endpoint["headers"] if one["verdict"] == "different"}
    return found | {("status", str(one["branch"])) for one in endpoint["status"] if one["verdict"] == "different"}


PLANTED = {
    ("missing", "$.name"),
    ("extra", "$.title"),
    ("nesting", "$.price.amount"),
    ("type", "$.items[].price"),
    ("length", "$.items"),
    ("header", "cache-control"),
    ("status", "500"),
}


def test_all_planted_drift_is_found_and_no_noise(answer: Answer, joined: Joined) -> None:
    document = report(aggregate_of(answer, joined, drift=True))
    endpoint = only(document)
    assert drifting(endpoint) == PLANTED
    assert document["verdict"] == endpoint["verdict"] == "different"
    assert document["calibrated"] is True
    assert endpoint["latency"]["verdict"] == "slower"
    assert 10 < endpoint["latency"]["spikes"] < 50
    assert document["reasons"][0].startswith("shop GET /products/{id} differs beyond noise: ")
    assert "status 200 -> 500" in document["reasons"][0]
    assert any("spikes" in reason for reason in document["reasons"])
    assert document["failing_contexts"] == document["contexts"] > 150
    assert document["accuracy"] == 0.0


def test_honest_noise_yields_no_finding(answer: Answer, joined: Joined) -> None:
    document = report(aggregate_of(answer, joined, drift=False))
    endpoint = only(document)
    assert drifting(endpoint) == set()
    assert {one["path"] for one in endpoint["values"]} == {"$.at", "$.request", "$.served"}
    assert all(one["noise_rate"] > 0.8 for one in endpoint["values"])
    assert document["verdict"] in ("same", "undecided")
    assert document["accuracy"] == 1.0
    assert endpoint["latency"]["verdict"] == "same"
    assert endpoint["latency"]["spikes"] == 0


def test_the_document_follows_the_published_schema(answer: Answer, joined: Joined) -> None:
    schema = json.loads(SCHEMA.read_text())
    rules = (IgnoreRule(kind="order", reason="random"),)
    for control in (True, False):
        aggregate = aggregate_of(answer, joined, drift=True, control=control, pairs=150)
        document = report(aggregate, ignore_rules=rules)
        jsonschema.validate(json.loads(orjson.dumps(document)), schema)
        jsonschema.validate(json.loads(orjson.dumps(report(ServiceAggregate.empty()))), schema)


def test_hostile_names_stay_short_and_can_be_written(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    base = answer({"v": 1}, path="/\udcff/" + "x/" * 500, method="M" * 5_000)
    branch = answer(b'{"\\ud800":1}', headers=(("x" * 5_000, "\udcff" * 5_000),))
    for number in range(5):
        aggregate.add(joined(base, branch, base, pair=f"p{number}"))
    document = report(aggregate)
    assert len(orjson.dumps(document)) < 6_000
    assert aggregate.size_bytes() < 6_000
    assert report(ServiceAggregate.from_bytes(aggregate.to_bytes())) == document


def failing_products(answer: Answer, joined: Joined, *failing: int) -> ReportDocument:
    aggregate = ServiceAggregate.empty()
    for number in range(1_000):
        product = number % 50
        base = answer({"v": 1}, path=f"/products/{product}")
        branch = answer({"v": 1}, status=500 if product in failing else 200)
        aggregate.add(joined(base, branch, base, pair=f"p{number:03}"))
    return report(aggregate, minutes=2.0)


def test_drift_of_two_inputs_leaves_the_others_right(answer: Answer, joined: Joined) -> None:
    document = failing_products(answer, joined, 7, 8)
    assert (document["contexts"], document["failing_contexts"], document["accuracy"]) == (50, 2, 0.96)
    (status,) = only(document)["status"]
    assert (status["count"], status["contexts"], status["noise"], status["pair"]) == (40, 2, 0, "p007")
    assert status["verdict"] == "different"
    assert status["evidence"] is not None
    assert status["evidence"] > 2


def test_one_input_does_not_decide_alone_however_often_it_is_asked(answer: Answer, joined: Joined) -> None:
    document = failing_products(answer, joined, 7)
    (status,) = only(document)["status"]
    assert (status["count"], status["verdict"], status["needs"]) == (20, "undecided", None)
    assert document["verdict"] == "undecided"
    assert "for one input only" in document["reasons"][0]


def test_what_is_missing_is_told_in_requests_and_minutes(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(200):
        base = answer({"v": 1}, path=f"/products/{number}")
        aggregate.add(joined(base, base, base, pair=str(number)))
    document = report(aggregate, minutes=2.0)
    endpoint = only(document)
    assert (document["verdict"], document["pairs_per_minute"]) == ("undecided", 100.0)
    assert endpoint["needs"] is not None
    assert 100 < endpoint["needs"] < 200
    assert endpoint["needs_minutes"] == pytest.approx(endpoint["needs"] / 100, abs=0.1)
    assert report(aggregate, policy=Policy(tolerance=0.05))["verdict"] == "same"


def test_findings_that_come_together_are_one_group_with_its_condition(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(600):
        country = ("DE", "FR", "IT", "US")[number % 4]
        base = answer({"price": 1, "tax": 2}, path=f"/cart?country={country}&n={number % 90}")
        branch = answer({"price": 2}) if country == "DE" else base
        aggregate.add(joined(base, branch, base, pair=f"p{number:03}"))
    (group,) = only(report(aggregate))["groups"]
    assert (group["findings"], group["count"], group["expected"]) == (2, 150, False)
    assert group["condition"] == "query country=DE"
    assert (group["failing_share"], group["passing_share"]) == (1.0, 0.0)
    assert "always together, only when query country=DE" in report(aggregate)["reasons"][0]


def cheaper(answer: Answer, joined: Joined, *, pairs: int = 600) -> ServiceAggregate:
    aggregate = ServiceAggregate.empty()
    for number in range(pairs):
        base = answer({"price": 100, "token": str(uuid.UUID(int=number))}, path=f"/products/{number}")
        control = answer({"price": 100, "token": str(uuid.UUID(int=number + 10**6))})
        aggregate.add(
            joined(base, answer({"price": 90, "token": uuid.UUID(int=number).hex}), control, pair=f"{number}")
        )
    return aggregate


def test_a_value_that_always_differs_is_tested_by_its_signature(answer: Answer, joined: Joined) -> None:
    endpoint = only(report(cheaper(answer, joined)))
    found = {(one["kind"], one["path"], one["verdict"]) for one in endpoint["values"]}
    assert ("value", "$.token", "same") in found
    assert ("format", "$.token", "different") in found
    assert {one["kind"] for one in endpoint["values"] if one["path"] == "$.price"} == {"value"}


def test_a_shift_counts_the_direction_that_is_seen_more_often(answer: Answer, joined: Joined) -> None:
    aggregate, rng = ServiceAggregate.empty(), random.Random(3)
    for number in range(400):
        base, control = (answer({"load": rng.randrange(100, 200)}, path=f"/{number}") for _ in range(2))
        branch = answer({"load": rng.randrange(100, 160)}, path=f"/{number}")
        aggregate.add(joined(base, branch, control, pair=f"{number}"))
    (shift,) = [one for one in only(report(aggregate))["values"] if one["kind"] == "shift"]
    assert shift["verdict"] == "different"
    assert shift["rate"] + shift["noise_rate"] == pytest.approx(1, abs=0.02)
    assert shift["excess"] == pytest.approx(shift["rate"] - shift["noise_rate"], abs=1e-5)


def test_declared_changes_are_no_drift(answer: Answer, joined: Joined) -> None:
    aggregate = cheaper(answer, joined)
    price = ExpectedChange(path="$.price", kind="value", reason="the sale", origin="microstax.yaml:3")
    token = ExpectedChange(path="$.token", reason="short tokens", origin="microstax.yaml:4")
    document = report(aggregate, expected=(price, token))
    assert document["verdict"] == "same"
    assert [one["verdict"] for one in document["expected"]] == ["appeared", "appeared"]
    assert document["accuracy"] == 1.0
    assert report(aggregate, expected=(price,))["verdict"] == "different"


def test_a_declared_change_that_does_not_appear_is_told(answer: Answer, joined: Joined) -> None:
    change = ExpectedChange(path="$.discount", kind="extra", reason="the feature", origin="microstax.yaml:9")
    everything = (ExpectedChange(path="$.price"), ExpectedChange(path="$.token"))
    document = report(cheaper(answer, joined), expected=(change, *everything))
    assert document["verdict"] == "different"
    assert "The declared extra $.discount at any endpoint (microstax.yaml:9) did not appear." in document["reasons"]
    early = report(cheaper(answer, joined, pairs=30), expected=(change, *everything))
    assert early["verdict"] == "undecided"
    assert early["expected"][0]["verdict"] == "undecided"


def test_an_expired_rule_hides_nothing_and_is_named(answer: Answer, joined: Joined) -> None:
    rule = IgnoreRule(path="$.**", owner="team-a", expires=date(2026, 11, 23), origin="microstax.yaml:2")
    aggregate = cheaper(answer, joined)
    assert report(aggregate, ignore_rules=(rule,), today=date(2026, 11, 23))["verdict"] == "same"
    late = report(aggregate, ignore_rules=(rule,), today=date(2026, 11, 24))
    assert late["verdict"] == "different"
    assert late["ignored"][0]["expired"] is True
    assert any("microstax.yaml:2 of team-a expired on 2026-11-23" in reason for reason in late["reasons"])


def test_a_rule_that_hides_something_new_says_so(answer: Answer, joined: Joined) -> None:
    rule = IgnoreRule(path="$.token", signature=("value uuid>uuid",), origin="rule 3")
    document = report(cheaper(answer, joined), ignore_rules=(rule,))
    assert document["ignored"][0]["news"]
    assert any(reason.startswith("The ignore rule rule 3 hides what it was not") for reason in document["reasons"])


def test_endpoints_that_are_rarely_called_are_judged_together(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(600):
        path = f"/{'abcdef'[number % 6]}"
        aggregate.add(joined(answer(path=path), answer(path=path), answer(path=path), pair=str(number)))
    document = report(aggregate)
    assert {one["verdict"] for one in document["services"][0]["endpoints"]} == {"undecided"}
    assert document["verdict"] == "same"


def test_without_a_control_values_are_not_judged(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(500):
        base = {"at": f"2026-11-24T07:00:{number % 60:02}Z", "served": number, "cost": 1}
        branch = {"at": f"2026-11-24T07:01:{number % 60:02}Z", "served": -number - 1, "cost": 2}
        aggregate.add(joined(answer(base), answer(branch), pair=f"p{number}"))
    document = report(aggregate)
    verdicts = {one["path"]: one["verdict"] for one in only(document)["values"]}
    assert verdicts == {"$.at": "same", "$.served": "same", "$.cost": "not comparable"}
    assert document["calibrated"] is False
    assert document["verdict"] == "same"
    assert any(reason.startswith("Uncalibrated") for reason in document["reasons"])


def test_without_a_control_shapes_and_statuses_are_believed(answer: Answer, joined: Joined) -> None:
    document = report(aggregate_of(answer, joined, drift=True, control=False))
    assert drifting(only(document)) == PLANTED


def test_few_pairs_are_never_called_same(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(3):
        aggregate.add(joined(answer({"v": 1}), answer({"v": 1}), answer({"v": 1}), pair=str(number)))
    document = report(aggregate)
    assert document["verdict"] == "undecided"
    assert document["reasons"] == ["shop GET /things/{id} is undecided after 3 pairs: about 359 more are needed."]
    assert report(aggregate, policy=Policy(min_pairs=3, tolerance=0.9))["verdict"] == "same"


def test_a_rarely_called_endpoint_does_not_hold_up_the_rest(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(1_000):
        path = "/rare" if number == 5 else "/often"
        aggregate.add(joined(answer(path=path), answer(path=path), answer(path=path), pair=str(number)))
    document = report(aggregate)
    assert document["verdict"] == "same"
    assert any("rarely called" in reason for reason in document["reasons"])


@pytest.mark.parametrize(
    ("coverage", "verdict", "says"),
    [
        ({}, "undecided", "No request has been mirrored yet: send traffic to production."),
        ({"mirrored": 7}, "undecided", "7 requests were mirrored and none is compared yet"),
        ({"mirrored": 7, "not_compared": {"branch_error": 7}}, "not comparable", "No mirrored request could be"),
    ],
)
def test_without_pairs_the_report_says_what_it_waits_for(coverage: Any, verdict: str, says: str) -> None:
    document = report(ServiceAggregate.empty(), coverage={**COVERAGE, **coverage})
    assert document["verdict"] == verdict
    assert document["reasons"][0].startswith(says)


def test_ignore_rules_hide_and_say_how_much(answer: Answer, joined: Joined) -> None:
    aggregate = aggregate_of(answer, joined, drift=True)
    rules = (
        IgnoreRule(endpoint="GET /products/*", path="$.items.**", reason="prices become text"),
        IgnoreRule(kind="status"),
        IgnoreRule(path="$.nothing"),
    )
    document = report(aggregate, ignore_rules=rules)
    assert drifting(only(document)) == PLANTED - {
        ("type", "$.items[].price"),
        ("length", "$.items"),
        ("status", "500"),
    }
    ignored = document["ignored"]
    assert [(one["findings"], one["reason"]) for one in ignored] == [
        (3, "prices become text"),
        (1, ""),
        (0, ""),
    ]
    assert ignored[0]["count"] > ignored[1]["count"] > 0
    everything = report(aggregate, ignore_rules=(IgnoreRule(),))
    assert everything["verdict"] == "same"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"kind": "shape"}, {one for one in PLANTED if one[1].startswith("$")}),
        ({"kind": "missing"}, {("missing", "$.name")}),
        ({"kind": "status"}, {("status", "500")}),
        ({"endpoint": "GET /products/{id}"}, PLANTED),
        ({"service": "shop"}, PLANTED),
    ],
)
def test_a_part_can_be_shown(answer: Answer, joined: Joined, shown: Any, expected: set[tuple[str, str]]) -> None:
    assert drifting(only(report(aggregate_of(answer, joined, drift=True, pairs=400), **shown))) == expected


def test_what_is_not_there_is_not_shown(answer: Answer, joined: Joined) -> None:
    aggregate = aggregate_of(answer, joined, drift=True, pairs=10)
    assert report(aggregate, service="other")["services"] == []
    with pytest.raises(UsageError, match="no kind of difference 'colour'"):
        report(aggregate, kind="colour")


def test_an_endpoint_that_was_not_called_is_named_beside_those_that_were(answer: Answer, joined: Joined) -> None:
    """A report without a line in it would say that nothing is compared yet, which is not true."""
    aggregate = aggregate_of(answer, joined, drift=True, pairs=10)
    with pytest.raises(UndecidedError, match=r"'GET /prodcts' has been compared: there are 'GET /products/\{id\}'\."):
        report(aggregate, endpoint="GET /prodcts")
    assert report(ServiceAggregate.empty(), endpoint="GET /")["verdict"] == "undecided"


def test_a_slow_answer_is_told_by_what_makes_it_slow(answer: Answer, joined: Joined) -> None:
    """The median, or the tail, or answers that never came: the branch's tail lies among the timeouts then."""
    told = []
    for median, slow_of, slow in ((20_000, 50, 2_000), (10_000, 20, 40_000), (10_000, 20, None)):
        aggregate, rng = ServiceAggregate.empty(), random.Random(5)
        for number in range(2_000):
            base = answer(path="/things", latency_us=int(rng.gauss(10_000, 500)))
            after = answer(path="/things", latency_us=int(rng.gauss(median, 500)))
            if number % slow_of == 0:
                unanswered = answer(path="/things", status=504, latency_us=15_000_000, local_reason=TIMEOUT)
                after = answer(path="/things", latency_us=slow) if slow is not None else unanswered
            aggregate.add(joined(base, after, base, pair=str(number)))
        document = report(aggregate)
        assert only(document)["latency"]["verdict"] == "slower"
        told += [reason for reason in document["reasons"] if "slower" in reason]
        assert all("nan" not in render(document, name).lower() for name in FORMATS)
    assert [one.partition(" is slower: ")[2].partition(" times")[0] for one in told] == [
        "median 1.99",
        "p99 3.53",
        "p99 at least 1313.22",
    ]
