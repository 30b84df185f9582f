"""What every Envoy and process is to do, from one state."""

from dataclasses import replace
from typing import Any

from microstax.control import plans, processes
from microstax.model.environment import Address
from microstax.model.exchange import Side
from microstax.model.shadow import SELF_CONTROL_SHARE, ControlMode, ShadowSettings
from microstax.store.state import PutShadow, State, apply


def with_settings(state: State, **changes: object) -> State:
    shadow = state.shadows["branch"]
    return apply(state, PutShadow(replace(shadow, settings=replace(shadow.settings, **changes))))


def test_a_tee_stands_before_every_service_and_mirrors_what_the_overlay_modifies(state: State) -> None:
    services = plans.tee_plan(state, state.environments["prod"]).services
    assert [(one.name, one.listen.port, one.upstream.port) for one in services] == [
        ("catalog", 8081, 20001),
        ("pricing", 8082, 20002),
        ("stock", 8083, 9000),
    ]
    catalog, pricing, stock = services
    assert [(mirror.side, mirror.address.port) for mirror in catalog.mirrors] == [
        (Side.BRANCH, 20003),
        (Side.CONTROL, 20004),
    ]
    assert pricing.mirrors == ()
    assert pricing.previews == ()
    # A server that we did not start cannot be copied.
    assert [(mirror.side, mirror.address.port) for mirror in stock.mirrors] == [(Side.BRANCH, 9001)]
    assert [(preview.overlay, preview.address.port) for preview in stock.previews] == [("branch", 9001)]


def test_a_shadow_that_is_off_leaves_the_previews(state: State) -> None:
    catalog = plans.tee_plan(with_settings(state, enabled=False), state.environments["prod"]).services[0]
    assert catalog.mirrors == ()
    assert [preview.overlay for preview in catalog.previews] == ["branch"]


def test_a_shadow_may_cover_some_services_only(state: State) -> None:
    catalog, _, stock = plans.tee_plan(with_settings(state, services=("stock",)), state.environments["prod"]).services
    assert catalog.mirrors == ()
    assert len(stock.mirrors) == 1


def test_the_budget_turns_the_share_of_branch_and_copy_alike(state: State) -> None:
    shadow = replace(state.shadows["branch"], in_force={"catalog": 1234})
    catalog, _, stock = plans.tee_plan(apply(state, PutShadow(shadow)), state.environments["prod"]).services
    assert [mirror.ppm for mirror in catalog.mirrors] == [1234, 1234]
    assert [mirror.ppm for mirror in stock.mirrors] == [1_000_000]


def test_control_self_sends_production_a_small_share_of_safe_requests(state: State) -> None:
    changed = with_settings(state, control=ControlMode.SELF, methods=("GET", "POST"))
    branch, control = plans.tee_plan(changed, state.environments["prod"]).services[0].mirrors
    assert branch.methods == ("GET", "POST")
    assert (control.address.port, control.ppm, control.methods) == (20001, SELF_CONTROL_SHARE, ("GET",))


def test_control_self_without_a_safe_method_has_no_mirror(state: State) -> None:
    changed = with_settings(state, control=ControlMode.SELF, methods=("POST",))
    assert [one.side for one in plans.tee_plan(changed, state.environments["prod"]).services[0].mirrors] == [
        Side.BRANCH
    ]


def test_a_bridge_reaches_every_baseline_service_past_the_tee(state: State) -> None:
    plan = plans.bridge_plan(state, state.overlays["branch"])
    assert [(one.name, one.listen.port, one.upstream.port, one.allowed_methods) for one in plan.services] == [
        ("catalog", 20005, 20001, ()),
        ("pricing", 20006, 20002, ("POST",)),
        ("stock", 20007, 9000, ()),
    ]


def test_every_envoy_has_a_plan_under_its_node_id(state: State) -> None:
    assert plans.envoy_nodes(state) == ("tee~prod", "bridge~branch")
    assert [plans.plan_of(state, node).node_id for node in plans.envoy_nodes(state)] == ["tee~prod", "bridge~branch"]


def test_services_find_each_other_where_they_should(state: State) -> None:
    specs = {str(key): spec for key, spec in processes.service_processes(state).items()}
    assert set(specs) == {
        "prod/catalog",
        "prod/pricing",
        "prod/stock",
        "branch/catalog",
        "branch/stock",
        "branch/catalog.control",
    }
    baseline, branch, control = (specs[key] for key in ("prod/catalog", "branch/catalog", "branch/catalog.control"))
    ports = ("PORT", "CATALOG_SERVICE_PORT", "PRICING_SERVICE_PORT", "STOCK_SERVICE_PORT", "MODE")
    assert [baseline.environ[name] for name in ports] == ["20001", "8081", "8082", "8083", "v1"]
    assert [branch.environ[name] for name in ports] == ["20003", "20003", "20006", "9001", "v2"]
    assert [control.environ[name] for name in ports] == ["20004", "20005", "20006", "20007", "v1"]
    assert control.command == baseline.command
    assert specs["branch/stock"].command == ()
    assert specs["branch/stock"].address == Address("127.0.0.1", 9001)


def test_no_copies_run_while_the_shadow_is_off(state: State) -> None:
    specs = processes.service_processes(with_settings(state, enabled=False))
    assert all(str(key) != "branch/catalog.control" for key in specs)


def test_equal_states_give_equal_plans(state: State) -> None:
    """A control plane that comes back has nothing to send: the settings went through the store meanwhile."""
    settings = ShadowSettings(enabled=True, control=ControlMode("copy"))
    again = apply(state, PutShadow(replace(state.shadows["branch"], settings=settings)))
    for node in plans.envoy_nodes(state):
        assert plans.plan_of(again, node) == plans.plan_of(state, node)


def test_copies_lack_what_the_shadow_strips_whoever_gets_them(state: State) -> None:
    stripped = with_settings(state, strip_headers=("authorization",))
    for service in plans.tee_plan(stripped, state.environments["prod"]).services:
        assert all(mirror.strip_headers == ("authorization",) for mirror in service.mirrors)


def test_a_tees_end_is_that_of_the_first_shadow_that_mirrors(state: State) -> None:
    def end(**changes: Any) -> int:
        changed = apply(state, PutShadow(replace(state.shadows["branch"], **changes)))
        return plans.tee_plan(changed, state.environments["prod"]).mirrors_until_ms

    assert end() == 0
    assert end(expires_ms=7) == 7
    assert end(expires_ms=7, settings=replace(state.shadows["branch"].settings, enabled=False)) == 0
    # What is paused mirrors nothing, and an end that has come must not be told.
    assert end(expires_ms=7, in_force={"catalog": 0, "stock": 0}) == 0
    assert end(expires_ms=7, in_force={"catalog": 0}) == 7
