"""What a bridge refuses, by its rules alone; tests/e2e/envoy has the same on a real Envoy."""

import re
from typing import Any

import pytest
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from microstax.envoy import refusals
from microstax.envoy.bridge_stats import FILTER, read_bridges
from microstax.envoy.build import build
from microstax.envoy.resources import CLUSTER_TYPE, LISTENER_TYPE, ROUTES_TYPE


def policies(*allowed: str, bodies: bool = False) -> dict[str, Any]:
    rbac = refusals.rules(allowed, bodies=bodies).rbac
    assert rbac is not None
    assert rbac.rules is not None
    return dict(rbac.rules.policies)


def parameter() -> re.Pattern[str]:
    """Return the expression that finds a parameter that overrides the method."""
    rules = policies()["override"].permissions[0].or_rules.rules
    (found,) = (rule.header.string_match.safe_regex.regex for rule in rules if rule.header.name == ":path")
    return re.compile(found)


def test_every_kind_has_a_counter_and_what_is_allowed_has_none() -> None:
    assert set(policies()) == {"POST", "PUT", "PATCH", "DELETE", "other", "upgrade", "override", "body"}
    assert set(policies("POST", bodies=True)) == {"PUT", "PATCH", "DELETE", "other", "upgrade", "override"}


def test_headers_that_override_the_method_in_every_spelling() -> None:
    names = refusals.override_headers()
    assert len(names) == len(set(names)) == 16
    assert {"x-http-method-override", "x_http-method_override", "x_http_method", "x-method-override"} <= set(names)


@pytest.mark.parametrize(
    "path",
    [
        "/a?_method=DELETE",
        "/a?x=1&_method=PUT",
        "/a?x;_METHOD=put",
        "/a?%5fmethod=PUT",
        "/a?_%6Dethod=x",
        "/?_method[]=x",
    ],
)
def test_parameters_that_override_the_method(path: str) -> None:
    assert parameter().fullmatch(path)


@pytest.mark.parametrize("path", ["/a", "/_method=PUT", "/a?q=_method", "/a?my_method=PUT", "/a?_methods=1", "/a?"])
def test_parameters_that_only_look_like_it(path: str) -> None:
    assert not parameter().fullmatch(path)


def test_one_bucket_is_shared_by_all_routes_of_a_service(plans: Any) -> None:
    (body,) = (one.body for one in build(plans.bridge()) if one.type_url == ROUTES_TYPE)
    (host,) = RouteConfiguration.parse(body).virtual_hosts
    assert set(host.typed_per_filter_config) == {"microstax.rbac", "microstax.rate", "microstax.body"}
    read = {route.stat_prefix for route in host.routes if route.typed_per_filter_config}
    assert read == {"passed/GET", "passed/HEAD", "passed/OPTIONS"}
    assert [route.stat_prefix for route in host.routes] == [
        "passed/GET",
        "passed/HEAD",
        "passed/OPTIONS",
        "passed/POST",
        "passed/other",
        "",
    ]


def test_a_database_that_is_not_allowed_has_no_way_to_the_baseline(plans: Any) -> None:
    (service,) = plans.bridge().services
    refused = type(service)(name="db", listen=service.listen, upstream=service.upstream, tcp=True)
    found = build(plans.bridge(services=(refused,)))
    assert {one.type_url for one in found if one.type_url in {CLUSTER_TYPE, ROUTES_TYPE}} == set()
    (listener,) = (Listener.parse(one.body) for one in found if one.type_url == LISTENER_TYPE)
    assert [one.name for one in listener.filter_chains[0].filters] == ["envoy.filters.network.direct_response"]


def test_what_was_counted_is_read_back() -> None:
    values = {
        "cluster.bridge/pricing.upstream_rq_total": 7,
        "vhost.bridge/pricing.route.passed/GET.upstream_rq_total": 5,
        "vhost.bridge/pricing.route.passed/POST.upstream_rq_total": 2,
        "http.bridge/pricing.rbac.policy.override.denied": 3,
        "bridge/pricing.http_local_rate_limit.rate_limited": 4,
        "listener.bridge/db/refused.downstream_cx_total": 6,
        "cluster.bridge/cache/tcp.upstream_cx_total": 8,
        "cluster.bridge/cache/tcp.upstream_cx_overflow": 9,
        "local_rate_limit.bridge/cache.rate_limited": 10,
    }
    pattern = FILTER.removeprefix("|")
    assert all(re.fullmatch(pattern, name) for name in values)
    found = read_bridges(values)
    assert list(found) == ["cache", "db", "pricing"]
    pricing, db, cache = found["pricing"], found["db"], found["cache"]
    assert (pricing.passed, dict(pricing.unsafe), dict(pricing.blocked), pricing.limited) == (
        7,
        {"POST": 2},
        {"override": 3},
        4,
    )
    assert (db.passed, dict(db.blocked)) == (0, {"tcp": 6})
    assert (cache.passed, dict(cache.unsafe), cache.overflow, cache.limited) == (8, {"tcp": 8}, 9, 10)
