"""A plan that cannot be carried out is refused in one sentence."""

import dataclasses
from typing import Any

import pytest

from microstax.envoy.build import build
from microstax.envoy.check import PlanError, check
from microstax.envoy.cluster import MAX_BODY
from microstax.errors import UsageError
from microstax.model.environment import Address
from microstax.model.exchange import Side
from microstax.model.plan import BridgeService, Preview


def test_good_plans_pass(plans: Any) -> None:
    for plan in (plans.full_tee(), plans.bridge(), plans.tee()):
        check(plan)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ppm": -1}, "not between 0 and 1000000"),
        ({"ppm": 1_000_001}, "not between 0 and 1000000"),
        ({"methods": ()}, "no method is mirrored"),
        ({"methods": ("get",)}, "'get' cannot be mirrored"),
        ({"methods": ("CONNECT",)}, "without CONNECT"),
        ({"max_body_bytes": MAX_BODY + 1}, "body limit"),
        ({"timeout_ms": 0}, "for ever"),
        ({"side": Side.BASELINE}, "branch or control"),
        ({"address": Address("127.0.0.1", 8001)}, "the tee itself"),
        ({"address": Address("127.0.0.1", 0)}, "no address"),
    ],
)
def test_mirrors(plans: Any, change: dict[str, Any], sentence: str) -> None:
    plan = plans.tee(plans.service(dataclasses.replace(plans.mirror(), **change)))
    with pytest.raises(PlanError, match=sentence) as caught:
        build(plan)
    assert caught.value.message.startswith("tee tee, service catalog")


def test_names_and_addresses_are_unique(plans: Any) -> None:
    with pytest.raises(PlanError, match="two services are called catalog"):
        check(plans.tee(plans.service(), plans.service()))
    with pytest.raises(PlanError, match=r"two services listen on 127\.0\.0\.1:8001"):
        check(plans.tee(plans.service(), plans.service(name="search")))
    with pytest.raises(PlanError, match="two mirrors are branch of next"):
        check(plans.tee(plans.service(plans.mirror(), plans.mirror())))
    preview = Preview(overlay="next", address=plans.at(9001))
    with pytest.raises(PlanError, match="two previews are for next"):
        check(plans.tee(plans.service(previews=(preview, preview))))


def test_services(plans: Any) -> None:
    with pytest.raises(PlanError, match="forward 127.0.0.1:8001 to itself"):
        check(plans.tee(plans.service(upstream=plans.at(8001))))
    with pytest.raises(UsageError, match="service name 'a.b' is not usable"):
        check(plans.tee(plans.service(name="a.b")))
    with pytest.raises(UsageError, match="overlay name 'a/b' is not usable"):
        check(plans.tee(plans.service(plans.mirror(overlay="a/b"))))


@pytest.mark.parametrize("header", ["X-Env", "", "x env", "x-microstax-side"])
def test_environment_headers(plans: Any, header: str) -> None:
    with pytest.raises(PlanError, match="environment header"):
        check(plans.tee(environment_header=header))


def test_a_tcp_service_is_mirrored_nowhere(plans: Any) -> None:
    with pytest.raises(PlanError, match="connections of a TCP service cannot be mirrored"):
        check(plans.tee(plans.service(plans.mirror(), tcp=True)))


def test_bridges(plans: Any) -> None:
    with pytest.raises(PlanError, match="lets nothing pass"):
        check(plans.bridge(services=(dataclasses.replace(plans.bridge().services[0], max_rps=0),)))
    service = BridgeService(name="a", listen=plans.at(1), upstream=plans.at(2), allowed_methods=("post",))
    with pytest.raises(PlanError, match="'post' cannot be mirrored or bridged"):
        check(plans.bridge(services=(service,)))
