"""Findings that come together are one group, and a group says on which requests it appears."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from microstax.diff import ServiceAggregate
from microstax.diff.conditions import LEAST_FAILING, LEAST_PASSING, chance_of, condition
from microstax.diff.discrepancy import HEADER, SHAPE, STATUS, VALUE, Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.grouping import FoundGroup, group_findings, subsumed
from microstax.model.exchange import Exchange, Headers, Request, Side, Triple

Answer = Callable[..., Exchange]
Fails = Callable[[random.Random, Request], bool]
JSON: Headers = (("content-type", "application/json"),)
PRICE = Discrepancy(SHAPE, "missing", "$.price")


def request(rng: random.Random) -> Request:
    """Return a request with many independent features, each of which some requests have."""
    rare = rng.random() < 0.001
    query = {"country": "LI" if rare else rng.choice(["DE", "FR", "US", "IT", "ES"]), "page": rng.randrange(1, 30)}
    for name, share in (("lang", 0.5), ("debug", 0.1), ("sort", 0.3)):
        if rng.random() < share:
            query[name] = rng.choice(["a", "b"])
    body = {
        "customer": {"tier": rng.choice(["gold", "silver"]), "id": f"{rng.getrandbits(128):032x}"},
        "items": [{"kind": rng.choice(["book", "gift", "food"])}],
        **({"coupon": "SAVE"} if rng.random() < 0.2 else {}),
    }
    headers = (
        ("accept-language", rng.choice(["de-DE,de;q=0.9", "en", "fr"])),
        ("user-agent", rng.choice(["Mozilla/5.0", "shop-app/3.1"])),
        ("x-request-id", f"{rng.getrandbits(64):016x}"),
        ("authorization", "redacted:0011223344556677"),
        *([("x-beta", "1")] if rng.random() < 0.3 else []),
        *JSON,
    )
    path = f"/things/{rng.randrange(1_000)}?{urlencode(query)}"
    return Request(method="POST", path=path, authority="shop", headers=headers, body=orjson.dumps(body))


@pytest.fixture
def observe(answer: Answer, joined: Callable[..., Triple]) -> Callable[..., EndpointAggregate]:
    """Return what counts pairs of which some fail, as workers do: in deltas that are merged."""

    def observe(
        fails: Fails,
        *,
        pairs: int = 3_000,
        body: Any = None,
        delta: int = 250,
        seed: int = 3,
        noise: float = 0.0,
    ) -> EndpointAggregate:
        rng = random.Random(seed)
        merged, part = ServiceAggregate.empty(), ServiceAggregate.empty()
        before = {"price": 5, "name": "thing"}
        for at in range(1, pairs + 1):
            asked = request(rng)
            wrong = fails(rng, asked) or rng.random() < noise
            after = (body if body is not None else {"name": "thing"}) if wrong else before
            base, branch, control = (
                replace(answer(content, side=side), request=asked)
                for content, side in ((before, Side.BASELINE), (after, Side.BRANCH), (before, Side.CONTROL))
            )
            part.add(joined(base, branch, control, pair=f"pair-{seed}-{at}"))
            if at % delta == 0 or at == pairs:
                merged.merge(ServiceAggregate.from_bytes(part.to_bytes()))
                part = part.fresh()
        (endpoint,) = merged.endpoints.values()
        return endpoint

    return observe


def groups_of(endpoint: EndpointAggregate) -> list[FoundGroup]:
    return group_findings(endpoint, endpoint.tallies)


def has(text: str) -> Fails:
    return lambda _, asked: text in asked.path or text.encode() in asked.body or text in str(asked.headers)


def both(*needed: Fails) -> Fails:
    return lambda rng, asked: all(fails(rng, asked) for fails in needed)


def sometimes(share: float) -> Fails:
    return lambda rng, _: rng.random() < share


@pytest.mark.parametrize(
    ("fails", "expected"),
    [
        (has("country=DE"), "query country=DE"),
        (has("debug="), "query debug"),
        (has("de-DE"), "header accept-language=de-DE"),
        (has("x-beta"), "header x-beta=1"),
        (has("shop-app"), "header user-agent=shop-app"),
        (has('"gold"'), "field $.customer.tier=gold"),
        (has('"gift"'), "field $.items[].kind=gift"),
        (has("coupon"), "field $.coupon=SAVE"),
        (both(has("country=DE"), has('"gold"')), "query country=DE and field $.customer.tier=gold"),
        (lambda _, asked: "lang=" not in asked.path, "without query lang"),
    ],
)
def test_a_planted_condition_is_found(observe: Callable[..., EndpointAggregate], fails: Fails, expected: str) -> None:
    """The smallest condition that separates failing from passing requests is named."""
    (group,) = groups_of(observe(fails))
    assert group.members == (PRICE,)
    assert group.condition is not None
    assert group.condition.text == expected
    assert (group.condition.failing_share, group.condition.passing_share) == (1.0, 0.0)


def test_a_condition_is_found_among_noise(observe: Callable[..., EndpointAggregate]) -> None:
    """A few failures for another reason do not hide it: one in twenty failing requests fails for no reason."""
    (group,) = groups_of(observe(has("country=DE"), noise=0.01, pairs=6_000))
    assert group.condition is not None
    assert group.condition.text == "query country=DE"
    assert 0.9 <= group.condition.failing_share <= 1.0


def test_the_condition_of_a_rare_failure_is_found(observe: Callable[..., EndpointAggregate]) -> None:
    """One request in a thousand: the endpoint's own sample holds none of them, the discrepancy's does."""
    (group,) = groups_of(observe(has("country=LI"), pairs=12_000, delta=1_000))
    assert 5 <= group.count <= 25
    assert group.condition is not None
    assert group.condition.text == "query country=LI"


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(2))
def test_no_condition_is_invented(observe: Callable[..., EndpointAggregate], share: float, seed: int) -> None:
    """Where failing has nothing to do with the request, none of its hundreds of features is named."""
    endpoint = observe(sometimes(share), seed=seed, pairs=1_500)
    assert [group.condition for group in groups_of(endpoint)] in ([None], [])


def test_differences_of_one_cause_are_one_group(observe: Callable[..., EndpointAggregate]) -> None:
    """A renamed member and a changed type, always in the same answers, are one finding."""
    (group,) = groups_of(observe(has("country=DE"), body={"amount": 5, "name": 7}))
    assert group.members == (
        PRICE,
        Discrepancy(SHAPE, "extra", "$.amount"),
        Discrepancy(SHAPE, "type", "$.name", "string>number"),
    )
    assert group.condition is not None
    assert group.condition.text == "query country=DE"


def counted(sets: dict[str, Sequence[int]]) -> EndpointAggregate:
    """Return an endpoint in which each named header differs in the given pairs."""
    endpoint = EndpointAggregate()
    for name, pairs in sets.items():
        tally = endpoint._tally(Discrepancy(HEADER, "value", name))
        for pair in pairs:
            tally.alone += 1
            tally.seen.add(random.Random(pair).getrandbits(64))
    return endpoint


def names(groups: list[FoundGroup]) -> list[set[str]]:
    return [{member.place for member in group.members} for group in groups]


def test_causes_that_overlap_by_half_are_two_groups() -> None:
    """Sharing many pairs is not enough: always together means always."""
    endpoint = counted({"a": range(1_000), "b": range(500, 1_500), "c": range(1_000)})
    assert names(groups_of(endpoint)) == [{"a", "c"}, {"b"}]


def test_few_pairs_must_agree_exactly() -> None:
    """With three pairs each, one that differs makes two groups."""
    assert names(groups_of(counted({"a": [1, 2, 3], "b": [1, 2, 4], "c": [1, 2, 3]}))) == [{"a", "c"}, {"b"}]


def test_groups_are_not_chained() -> None:
    """Of many sets that each deviate a little from the one before, those that are far apart are not one group."""
    endpoint = counted({f"h{at:02}": range(at * 3, 100 + at * 3) for at in range(20)})
    assert all(len(group) < 5 for group in names(groups_of(endpoint)))


def test_what_only_noise_shows_is_in_no_group_with_others() -> None:
    """Discrepancies that were never seen on the branch alone have no pairs to compare."""
    endpoint = counted({"a": [], "b": [], "c": [1]})
    assert names(groups_of(endpoint)) == [{"c"}, {"a"}, {"b"}]


def test_the_most_telling_finding_leads_a_group() -> None:
    """A status says more than the members that are missing with it."""
    endpoint = counted({"x": [1, 2, 3]})
    for discrepancy in (Discrepancy(VALUE, VALUE, "$.a"), PRICE, Discrepancy(STATUS, STATUS, "", "200>500")):
        endpoint._tally(discrepancy).merge(endpoint.tallies[HEADER, "value", "x", ""])
    (group,) = groups_of(endpoint)
    assert [member.family for member in group.members] == [STATUS, SHAPE, VALUE, HEADER]
    assert group_findings(endpoint, [PRICE, Discrepancy(VALUE, VALUE, "$.unknown")]) == [
        replace(group, members=(PRICE,))
    ]


@pytest.mark.parametrize(
    ("discrepancy", "other", "expected"),
    [
        (Discrepancy(VALUE, "format", "$.at"), Discrepancy(VALUE, VALUE, "$.at"), True),
        (Discrepancy(VALUE, "shift", "$.at"), Discrepancy(VALUE, VALUE, "$.when"), False),
        (Discrepancy(VALUE, "shift", "$.at"), Discrepancy(VALUE, "magnitude", "$.at"), True),
        (Discrepancy(VALUE, "magnitude", "$.at"), Discrepancy(VALUE, "shift", "$.at"), False),
        (Discrepancy(VALUE, VALUE, "$.at"), Discrepancy(VALUE, "format", "$.at"), False),
        (Discrepancy(VALUE, VALUE, "$.a.b"), Discrepancy(SHAPE, "missing", "$.a"), False),
        (Discrepancy(SHAPE, "missing", "$.a"), Discrepancy(SHAPE, "missing", "$.a"), False),
        (Discrepancy(VALUE, "format", "$.at"), Discrepancy(SHAPE, "missing", "$.at"), False),
    ],
)
def test_what_another_finding_says_already(discrepancy: Discrepancy, other: Discrepancy, *, expected: bool) -> None:
    """A signature beside its value is redundant; what is inside of something that is gone at other times is not."""
    assert subsumed(discrepancy, [discrepancy, other]) is expected


def test_too_few_requests_give_no_condition() -> None:
    """Without requests to compare with, nothing can be said."""
    failing, passing = [("query a=1",)] * 30, [("query a=2",)] * 60
    assert condition(failing, passing) is not None
    assert condition(failing[: LEAST_FAILING - 1], passing) is None
    assert condition(failing, passing[: LEAST_PASSING - 1]) is None
    assert condition(failing, []) is None


def test_what_separates_by_chance_is_not_told() -> None:
    """Five requests against ten: with some features to choose from, one of them separates easily."""
    rng = random.Random(5)
    others = [[f"query b{at}=2" for at in range(20) if rng.random() < 0.6] for _ in range(15)]
    failing, passing = [("query a=1", *told) for told in others[:5]], [tuple(told) for told in others[5:]]
    assert chance_of(5, failing=5, passing=10, having=5) == pytest.approx(1 / 3_003)
    assert condition(failing, passing) is None
    assert condition(failing * 2, passing * 2) is not None


def test_a_chance_is_a_hypergeometric_tail() -> None:
    """Against the definition: the share of all ways to choose the failing requests that are as telling."""
    assert chance_of(0, failing=3, passing=4, having=2) == 1.0
    assert chance_of(2, failing=3, passing=4, having=2) == pytest.approx(3 / 21)
    assert chance_of(3, failing=3, passing=4, having=2) == 0.0


def test_a_condition_does_not_depend_on_the_order_of_requests() -> None:
    """Of several that separate alike, the families' order decides, and then the text."""
    failing = [("field $.a=1", "header x-a=1", "query z=1", "query a=1")] * 20
    passing = [("method GET",), ("query ...",)] * 10
    for _ in range(3):
        random.Random(1).shuffle(passing)
        found = condition(failing, passing)
        assert found is not None
        assert found.text == "query a=1"


def test_the_absence_of_what_was_left_out_is_not_claimed() -> None:
    """Where a request has more parameters than are told of, none of them can be said to be missing."""
    failing, passing = [("query a=1",)] * 20, [("query a=1", "query lang=de")] * 20
    found = condition(failing, passing)
    assert found is not None
    assert found.text == "without query lang=de"
    assert condition([*failing[1:], ("query ...", "query a=1")], passing) is None
