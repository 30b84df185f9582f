"""From triples to the report: noise is not drift, planted drift is found, and all figures add up."""

import json
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

import microstax.report
from microstax.diff import Policy, ReportInput, ServiceAggregate, build_report
from microstax.errors import UndecidedError, UsageError
from microstax.model.exchange import Exchange, Side, Triple
from microstax.model.ignore import IgnoreRule
from microstax.model.report import Coverage, EndpointReport, ReportDocument

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
    assert document["reasons"][0].startswith("shop GET /products/{id} differs beyond noise: status 200 -> 500, ")
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


def test_drift_of_one_input_leaves_the_others_right(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(1_000):
        product, status = number % 50, 500 if number % 50 == 7 else 200
        base = answer({"v": 1}, path=f"/products/{product}")
        aggregate.add(joined(base, answer({"v": 1}, status=status), base, pair=f"p{number}"))
    document = report(aggregate)
    assert (document["contexts"], document["failing_contexts"], document["accuracy"]) == (50, 1, 0.98)
    assert only(document)["status"] == [
        {"baseline": 200, "branch": 500, "count": 20, "noise": 0, "verdict": "different", "pair": "p7"}
    ]


def test_without_a_control_values_are_not_judged(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(300):
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
    assert document["reasons"] == ["shop GET /things/{id} is undecided after 3 pairs: about 97 more are needed."]
    assert report(aggregate, policy=Policy(min_pairs=3))["verdict"] == "same"


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
