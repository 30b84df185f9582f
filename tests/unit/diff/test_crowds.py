"""Drift below names that are made by traffic is found, though each name is seen once; noise there is none."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from microstax.diff import ReportInput, ServiceAggregate, build_report
from microstax.diff.crowds import Crowds
from microstax.diff.deviations import Deviations
from microstax.diff.discrepancy import Discrepancy
from microstax.diff.variations import Variation
from microstax.model.difference import ShapeDifference, ShapeKind
from microstax.model.exchange import Exchange, Side, Triple
from microstax.model.report import Coverage

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]
Body = Callable[[random.Random, str], Any]
COVERAGE: Coverage = {"mirrored": 0, "paired": 0, "not_compared": {}, "skipped_methods": {}, "blocked_calls": 0}


def name(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghij", k=7))


def found(answer: Answer, joined: Joined, body: Body, *, pairs: int = 1_000, flush: int = 40) -> tuple[str, set[str]]:
    """Return the verdict and what differs, of deltas that hold hardly any pairs."""
    rng, total, delta = random.Random(4), ServiceAggregate.empty(), ServiceAggregate.empty()
    for number in range(pairs):
        shared = rng.getrandbits(32)
        sides = (answer(bodies(body, rng, shared, side), side=side, path=f"/a/{number % 300}") for side in Side)
        delta.add(joined(*sides, pair=f"p{number}"))
        if number % flush == flush - 1:
            total.merge(ServiceAggregate.from_bytes(delta.to_bytes()))
            delta = delta.fresh()
    document = build_report(
        ReportInput(overlay="b", baseline="x", since="", aggregates={"shop": total}, coverage=COVERAGE)
    )
    (endpoint,) = document["services"][0]["endpoints"]
    findings = [*endpoint["shape"], *endpoint["values"]]
    return document["verdict"], {f"{one['kind']} {one['path']}" for one in findings if one["verdict"] == "different"}


def bodies(body: Body, rng: random.Random, shared: int, side: Side) -> Any:
    """Draw an answer: what all sides share from `shared`, the rest anew."""
    made = body(random.Random(shared), side)
    if isinstance(made, dict) and made.pop("noisy", False):
        made |= {name(rng): 1 for _ in range(2)}
    return made


def customers(rng: random.Random, side: str, *, drift: float) -> Any:
    names = [name(rng) for _ in range(4)]
    is_drifting = side == Side.BRANCH and rng.random() < drift
    return {"customers": {one: {"age": 98 if is_drifting else 7} for one in names}}


def added(rng: random.Random, side: str) -> Any:
    return {"a": 1, **({name(rng): 1} if side == Side.BRANCH else {})}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda rng, side: customers(rng, side, drift=1), {"value $.customers.*.age"}),
        (lambda rng, side: customers(rng, side, drift=0.1), {"value $.customers.*.age"}),
        (added, {"extra $.*"}),
        (lambda _, side: {"noisy": True, "a": 1 + (side == Side.BRANCH)}, {"value $.a"}),
    ],
    ids=["always", "sometimes", "names of its own", "beside names at random"],
)
def test_drift_below_names_made_by_traffic(answer: Answer, joined: Joined, body: Body, expected: set[str]) -> None:
    assert found(answer, joined, body) == ("different", expected)


@pytest.mark.parametrize(
    "body",
    [
        lambda rng, side: customers(rng, side, drift=0),
        lambda *_: {"noisy": True},
        lambda rng, _: {"map": {name(rng): rng.random() for _ in range(rng.choice([0, 1, 20]))}},
    ],
    ids=["no difference", "names at random", "many at once"],
)
def test_names_made_by_traffic_are_no_drift(answer: Answer, joined: Joined, body: Body) -> None:
    verdict, different = found(answer, joined, body)
    assert not different
    assert verdict != "different"


def test_many_members_of_one_answer_are_no_crowd() -> None:
    crowds = Crowds()
    members = [Discrepancy("shape", "missing", f"$.map.m{number}") for number in range(200)]
    crowds.learn((one, [1, 2]) for one in members)
    assert not crowds.places
    crowds.learn((one, [number]) for number, one in enumerate(members))
    assert crowds.places == {"$.map"}
    assert crowds.general(members[0]) == Discrepancy("shape", "missing", "$.map.*")
    assert crowds.general(Discrepancy("header", "extra", "$.map.a")) is None
    assert crowds.general(Discrepancy("shape", "missing", "$.map[].a")) is None
    moved = Discrepancy("shape", "nesting", "$.map.a.x", "$.map.a.y.x")
    assert crowds.general(moved) == Discrepancy("shape", "nesting", "$.map.*.x", "$.map.*.y.x")


def test_what_only_reads_the_clock_is_no_drift_below_any_name() -> None:
    crowds = Crowds(["$.map"])
    deviations = Deviations(
        [
            Variation.of_value("$.map.a", "2026-11-24T07:00:00Z", "2026-11-24T07:00:01Z"),
            ShapeDifference(ShapeKind.MISSING, "$.map.b", "null", "absent"),
        ]
    )
    crowds.extend(deviations, list(deviations.ways))
    assert [one.place for one in deviations.ways] == ["$.map.a", "$.map.b", "$.map.*"]
