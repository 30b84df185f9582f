"""Reports by the user's own rules: microstax.yaml over the API, rules that are kept here, and how sure verdicts are."""

from typing import Any

import orjson
import pytest

from microstax.api import methods
from microstax.diff.aggregate import ServiceAggregate
from microstax.errors import EXIT_USAGE
from microstax.generated.management.microstax.management import v1
from microstax.testing import a_response, a_triple

MEANT = "reason: why, owner: me"
HIDE = f"ignore:\n- {{path: $.price, {MEANT}, expires: 2999-01-01}}\n"
PAIRS = 400


@pytest.fixture
async def compared(stage: Any) -> Any:
    """Give a stage whose branch turned a number into a text, in each of PAIRS pairs."""
    await stage.baseline()
    await stage.overlay()
    await stage.shadow(recheck_rps=5)
    aggregate = ServiceAggregate.empty()
    for number in range(PAIRS):
        same = a_response(b'{"price": %d}' % number)
        branch = a_response(b'{"price": "%d"}' % number)
        triple = a_triple(id=f"p{number}", baseline=same, control=same, branch=branch, overlay="branch")
        aggregate.add(triple)
    found = v1.ServiceDelta(overlay="branch", service="catalog", paired=PAIRS, aggregate=aggregate.to_bytes())
    await stage.client.call(
        methods.SUBMIT_DELTA, v1.Delta(worker_id="w", sequence=1, at_ms=1, services=[found], lag_ms=3)
    )
    return stage


async def report(stage: Any, rules: str = "", **fields: Any) -> Any:
    file = v1.SourceFile(name="ci/microstax.yaml", text=rules) if rules else None
    answer = await stage.call(methods.GET_REPORT, overlay="branch", rules=file, **fields)
    return orjson.loads(answer.document)


async def test_a_report_follows_the_file_that_it_is_asked_with(compared: Any) -> None:
    assert (await report(compared))["verdict"] == "different"
    found = await report(compared, HIDE)
    [rule] = found["ignored"]
    assert (rule["origin"], rule["owner"], rule["expires"]) == ("ci/microstax.yaml:2", "me", "2999-01-01")
    assert (rule["expired"], rule["findings"], rule["signature"]) == (False, 1, ["type number>string"])
    assert found["verdict"] == "same"
    assert (await report(compared))["ignored"] == []


async def test_a_declared_change_is_no_drift_and_one_that_is_missing_is(compared: Any) -> None:
    price = f"expect:\n- {{path: $.price, kind: type, {MEANT}}}\n"
    found = await report(compared, price)
    assert (found["verdict"], found["expected"][0]["verdict"], found["expected"][0]["count"]) == (
        "same",
        "appeared",
        PAIRS,
    )
    assert [one["expected"] for one in found["services"][0]["endpoints"][0]["shape"]] == [True]
    found = await report(compared, f"{price}- {{path: $.discount, {MEANT}}}\n")
    assert [one["verdict"] for one in found["expected"]] == ["appeared", "missing"]
    assert found["verdict"] == "different"


async def test_the_file_is_asked_before_the_rules_that_are_kept(compared: Any) -> None:
    await compared.call(methods.ADD_IGNORE_RULE, path="$.*", reason="all", owner="ops", expires="2999-12-31")
    found = await report(compared, HIDE)
    assert [(rule["origin"], rule["findings"]) for rule in found["ignored"]] == [
        ("ci/microstax.yaml:2", 1),
        ("rule 1", 0),
    ]
    [kept] = (await report(compared))["ignored"]
    assert (kept["origin"], kept["owner"], kept["expires"], kept["findings"]) == ("rule 1", "ops", "2999-12-31", 1)


async def test_a_rule_that_is_kept_expires(compared: Any) -> None:
    made = await compared.call(methods.ADD_IGNORE_RULE, path="$.price", owner="me", expires="2020-02-29")
    assert (made.owner, made.expires) == ("me", "2020-02-29")
    found = await report(compared)
    assert (found["verdict"], found["ignored"][0]["expired"], found["ignored"][0]["findings"]) == ("different", True, 0)


async def test_rates_need_a_shadow_that_is_on(compared: Any) -> None:
    assert (await report(compared))["pairs_per_minute"] > 0
    await compared.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    assert (await report(compared))["pairs_per_minute"] is None


async def test_the_policy_is_the_one_that_was_asked_for(compared: Any) -> None:
    policy = (await report(compared, alpha=0.01, tolerance=0.2, min_pairs=7))["policy"]
    assert (policy["alpha"], policy["tolerance"], policy["min_pairs"]) == (0.01, 0.2, 7)
    policy = (await report(compared))["policy"]
    assert (policy["alpha"], policy["tolerance"], policy["min_pairs"]) == (0.05, 0.01, 100)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"rules": "ignore:\n- {pth: $.a}\n"},
            "ci/microstax.yaml, line 2: ignore[0]: unknown field 'pth', did you mean",
        ),
        ({"rules": "{"}, "ci/microstax.yaml, line 1: this is not YAML"),
        ({"alpha": 0.7}, "alpha is 0.7: it has to be above 0 and at most 0.5."),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"tolerance": -0.1}, "tolerance is -0.1: it is a share, above 0 and at most 1."),
        ({"min_pairs": -1}, "min_pairs is -1"),
    ],
)
async def test_what_cannot_be_asked_is_refused(compared: Any, fields: dict[str, Any], said: str) -> None:
    code, message = await compared.refusal(report(compared, **fields))
    assert code == EXIT_USAGE
    assert message.startswith(said)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"path": "$.a", "expires": "2027-02-30"}, "There is no day 2027-02-30"),
        ({"path": "$.a", "expires": "soon"}, "'soon' is no day"),
        ({"path": "$.**"}, "This rule would hide every difference"),
        ({"path": "$.a", "owner": "x" * 3000}, "A rule has a text of more than 2000 characters"),
    ],
)
async def test_a_rule_that_cannot_be_kept_is_refused(stage: Any, fields: dict[str, str], said: str) -> None:
    code, message = await stage.refusal(stage.call(methods.ADD_IGNORE_RULE, **fields))
    assert (code, message.startswith(said)) == (EXIT_USAGE, True)
