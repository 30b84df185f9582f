"""Promises about the resources as a whole."""

import dataclasses
from typing import Any

from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from microstax.envoy.build import build
from microstax.envoy.resources import CLUSTER_TYPE, LISTENER_TYPE, ROUTES_TYPE, RUNTIME_TYPE, BuiltResource


def changed(before: tuple[BuiltResource, ...], after: tuple[BuiltResource, ...]) -> set[tuple[str, str]]:
    old, new = ({(r.type_url, r.name): r.body for r in resources} for resources in (before, after))
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def test_equal_plans_give_equal_bytes_and_unchanged_parts_are_not_built_again(plans: Any) -> None:
    first, second = build(plans.full_tee()), build(plans.full_tee())
    assert first == second
    built = {id(resource.body) for resource in first if resource.type_url != RUNTIME_TYPE}
    assert built == {id(resource.body) for resource in second if resource.type_url != RUNTIME_TYPE}


def test_the_order_of_mirrors_and_methods_in_a_plan_does_not_matter(plans: Any) -> None:
    plan = plans.full_tee()
    catalog = plan.services[0]
    mirrors = [
        dataclasses.replace(mirror, methods=tuple(reversed(mirror.methods))) for mirror in reversed(catalog.mirrors)
    ]
    other = dataclasses.replace(plan, services=(dataclasses.replace(catalog, mirrors=tuple(mirrors)), plan.services[1]))
    assert build(other) == build(plan)


def test_every_reference_is_answered(plans: Any) -> None:
    for plan in (plans.full_tee(), plans.bridge()):
        resources = build(plan)
        names = {(resource.type_url, resource.name) for resource in resources}
        assert len(names) == len(resources)
        assert {reference for resource in resources for reference in resource.references} <= names


def test_turning_a_share_changes_the_runtime_only(plans: Any) -> None:
    low, high = plans.mirror(ppm=1_000), plans.mirror(overlay="other", ppm=500_000)
    before = build(plans.tee(plans.service(low, high)))
    after = build(plans.tee(plans.service(dataclasses.replace(low, ppm=400_000), high)))
    assert {type_url for type_url, _ in changed(before, after)} == {RUNTIME_TYPE}


def test_shares_that_overtake_each_other_change_one_route_table_as_well(plans: Any) -> None:
    low, high = plans.mirror(ppm=1_000), plans.mirror(overlay="other", ppm=500_000)
    before = build(plans.tee(plans.service(low, high)))
    after = build(plans.tee(plans.service(dataclasses.replace(low, ppm=600_000), high)))
    assert changed(before, after) >= {(ROUTES_TYPE, "tee/catalog")}
    assert {type_url for type_url, _ in changed(before, after)} == {RUNTIME_TYPE, ROUTES_TYPE}


def test_switching_a_shadow_touches_no_listener_and_no_baseline(plans: Any) -> None:
    before = build(plans.tee(plans.service()))
    after = build(plans.tee(plans.service(plans.mirror())))
    touched = changed(before, after)
    assert LISTENER_TYPE not in {type_url for type_url, _ in touched}
    assert (CLUSTER_TYPE, "baseline/catalog") not in touched


def test_a_restart_on_another_port_changes_endpoints_only(plans: Any) -> None:
    before = build(plans.tee(plans.service(plans.mirror())))
    after = build(plans.tee(plans.service(plans.mirror(address=plans.at(9999)), upstream=plans.at(9998))))
    assert {type_url.rpartition(".")[2] for type_url, _ in changed(before, after)} == {"ClusterLoadAssignment"}


def test_what_a_bridge_allows_is_in_its_route_table(plans: Any) -> None:
    before = build(plans.bridge())
    service = dataclasses.replace(plans.bridge().services[0], allowed_methods=())
    after = build(plans.bridge(services=(service,)))
    assert changed(before, after) == {(ROUTES_TYPE, "bridge/pricing")}


def test_without_a_mirror_nothing_is_counted_and_nothing_is_copied(plans: Any) -> None:
    (table,) = (
        RouteConfiguration.parse(resource.body)
        for resource in build(plans.tee(plans.service()))
        if (resource.type_url, resource.name) == (ROUTES_TYPE, "tee/catalog")
    )
    (route,) = table.virtual_hosts[0].routes
    assert route.stat_prefix == ""
    assert route.typed_per_filter_config == {}
    assert route.route is not None
    assert route.route.request_mirror_policies == []


def test_the_layer_of_shares_has_the_plans_end_and_nothing_else_has_one(plans: Any) -> None:
    plan = plans.full_tee()
    ends = {r.name: r.expires_at for r in build(dataclasses.replace(plan, mirrors_until_ms=1_500))}
    assert {name for name, end in ends.items() if end is not None} == {"microstax"}
    assert ends["microstax"] == 1.5
    assert {r.expires_at for r in build(plan)} == {None}
    # Without a mirror there is nothing to end, and an Envoy that starts waits for a layer.
    assert {r.expires_at for r in build(plans.tee(plans.service(), mirrors_until_ms=1_500))} == {None}


def test_an_end_changes_no_body(plans: Any) -> None:
    plan = plans.full_tee()
    assert changed(build(plan), build(dataclasses.replace(plan, mirrors_until_ms=1_500))) == set()


def test_stripped_headers_change_the_ways_of_their_copies_alone(plans: Any) -> None:
    plan = plans.full_tee()
    catalog, search = plan.services
    first, *others = catalog.mirrors
    stripped = dataclasses.replace(first, strip_headers=("authorization",))
    other = dataclasses.replace(plan, services=(dataclasses.replace(catalog, mirrors=(stripped, *others)), search))
    after = build(other)
    names = changed(build(plan), after)
    assert {kind for kind, _ in names} == {CLUSTER_TYPE}
    assert len(names) == 2  # one a protocol
    assert all(b"authorization" in r.body for r in after if (r.type_url, r.name) in names)
