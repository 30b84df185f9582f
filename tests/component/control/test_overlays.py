"""Overlays over the real management API: everything that can be refused is refused before anything starts."""

from typing import Any

import pytest

from microstax.api import methods
from microstax.errors import EXIT_FAULT, EXIT_USAGE
from microstax.generated.management.microstax.management import v1
from microstax.runtime.port import ProcessKey, ProcessRole


async def test_only_what_is_modified_runs_and_the_rest_is_bridged(stage: Any) -> None:
    await stage.baseline()
    done = (await stage.overlay())[-1]
    assert done.done
    assert [str(key) for key in stage.runtime.statuses("branch")] == ["branch/bridge.envoy", "branch/catalog"]
    info = await stage.call(methods.GET_OVERLAY, name="branch")
    assert [(service.name, service.runs_in) for service in info.services] == [
        ("catalog", "overlay"),
        ("pricing", "bridge"),
    ]
    assert not info.shadowed
    assert "+++ branch/catalog" in info.manifest_diff
    environ = stage.runtime.specs[ProcessKey("branch", "catalog")].environ
    assert f"http://127.0.0.1:{environ['PRICING_SERVICE_PORT']}" == info.services[1].url


async def test_a_dry_run_prints_the_difference_and_starts_nothing(stage: Any) -> None:
    await stage.baseline()
    before = list(stage.runtime.calls)
    done = (await stage.overlay(dry_run=True))[-1]
    assert "# bridged: pricing" in done.output
    assert "+++ branch/catalog" in done.output
    assert stage.runtime.calls == before
    assert (await stage.call(methods.LIST_OVERLAYS)).overlays == []
    assert not any(key.owner == "branch" for key in stage.plane.plane.state.ports)


async def test_processes_of_an_overlay_are_kept_from_the_ports_of_the_baseline(stage: Any) -> None:
    await stage.mirroring()
    ports = {
        key.name: spec.address.port for key, spec in stage.runtime.specs.items() if key.group == "prod" and spec.address
    }
    denied = {18101, 18102, ports["catalog"], ports["pricing"]}
    own = stage.runtime.specs[ProcessKey("branch", "catalog")]
    control = stage.runtime.specs[ProcessKey("branch", "catalog", ProcessRole.CONTROL)]
    assert own.denied_ports == control.denied_ports == denied
    assert int(own.environ["PRICING_SERVICE_PORT"]) not in denied
    assert not stage.runtime.specs[ProcessKey("prod", "catalog")].denied_ports
    assert (await stage.call(methods.GET_OVERLAY, name="branch")).direct == "refused"
    assert (await stage.call(methods.GET_STATUS)).shadows[0].fence == ""


async def test_patch_yaml_may_allow_connections_past_the_bridge(stage: Any) -> None:
    await stage.baseline()
    done = await stage.overlay(text="services: {catalog: {}}\nbridge: {direct: allow}")
    assert not [one.message for one in done if "cannot be stopped" in one.message]
    assert stage.runtime.specs[ProcessKey("branch", "catalog")].denied_ports == frozenset()
    assert (await stage.call(methods.GET_OVERLAY, name="branch")).direct == "allowed"


async def test_where_the_kernel_cannot_stop_them_it_is_said(stage: Any) -> None:
    stage.runtime.fences = False
    await stage.baseline()
    warnings = [one.message for one in await stage.overlay(dry_run=True) if one.warning]
    assert any("no Landlock for TCP" in message for message in warnings)
    await stage.overlay()
    await stage.shadow()
    assert "no Landlock for TCP" in (await stage.call(methods.GET_STATUS)).shadows[0].fence
    assert (await stage.call(methods.GET_OVERLAY, name="branch")).direct == "open"


async def test_a_database_is_bridged_and_shown_as_what_it_is(stage: Any) -> None:
    text = """
services:
  catalog: {command: [catalog], port: 18101}
  db: {protocol: tcp, command: [postgres], port: 18102}
"""
    await stage.baseline(text=text)
    done = (await stage.overlay(dry_run=True))[-1]
    assert "# bridged: db (TCP, refused)" in done.output
    await stage.overlay(text="services: {catalog: {}}\nbridge: {allow: [{service: db, tcp: true}]}")
    info = await stage.call(methods.GET_OVERLAY, name="branch")
    (fence,) = info.fence
    assert (fence.service, fence.protocol, fence.allowed) == ("db", "tcp", "TCP")
    assert [one.url.partition(":")[0] for one in info.services] == ["http", "tcp"]
    environment = await stage.call(methods.GET_ENVIRONMENT, name="prod")
    assert [one.url for one in environment.services] == ["http://127.0.0.1:18101", "tcp://127.0.0.1:18102"]
    environ = stage.runtime.specs[ProcessKey("branch", "catalog")].environ
    assert f"tcp://127.0.0.1:{environ['DB_SERVICE_PORT']}" == info.services[1].url


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"baseline": "nope"}, "There is no baseline 'nope': there are prod."),
        ({"baseline": "draft"}, "draft is no baseline yet: promote it with 'microstax env promote draft'."),
        ({"name": "prod"}, "There is an environment 'prod' already"),
        ({"name": "Not A Name"}, "is not usable"),
        ({"text": "services: [{name: catalogue, command: [x]}]"}, "did you mean 'catalog'?"),
        ({"text": "services: ["}, "patch.yaml, line 1"),
        (
            {"text": "services: [{name: catalog, patch: [{op: remove, path: /no/such/place}]}]"},
            "has no field 'no'",
        ),
        ({"text": "services: [{name: catalog, url: 'http://127.0.0.1:18101'}]"}, "127.0.0.1:18101 is the tee itself"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_starts(
    stage: Any, fields: dict[str, str], sentence: str
) -> None:
    await stage.baseline()
    await stage.create("draft", "services: [{name: catalog, command: [x], port: 18110}]")
    before = list(stage.runtime.calls)
    code, message = await stage.refusal(stage.overlay(**fields))
    assert code == EXIT_USAGE
    assert sentence in message
    assert stage.runtime.calls == before


async def test_a_taken_name_and_an_overlay_as_baseline_are_refused(stage: Any) -> None:
    await stage.baseline()
    await stage.overlay()
    _, message = await stage.refusal(stage.overlay())
    assert "There is an overlay 'branch' already" in message
    _, message = await stage.refusal(stage.overlay("second", baseline="branch"))
    assert "use --baseline prod" in message
    _, message = await stage.refusal(stage.create("branch"))
    assert "There is an overlay 'branch' already" in message


async def test_a_branch_that_does_not_start_leaves_nothing_behind(stage: Any) -> None:
    await stage.baseline()
    stage.runtime.unhealthy[ProcessKey("branch", "catalog")] = "SyntaxError"
    code, message = await stage.refusal(stage.overlay())
    assert code == EXIT_FAULT
    assert "SyntaxError" in message
    assert stage.runtime.statuses("branch") == {}
    assert (await stage.call(methods.LIST_OVERLAYS)).overlays == []
    assert len(stage.runtime.statuses("prod")) == 3


async def test_names_that_are_something_else_are_told_so(stage: Any) -> None:
    await stage.baseline()
    await stage.overlay()
    _, message = await stage.refusal(stage.call(methods.GET_OVERLAY, name="prod"))
    assert message == "prod is a baseline, not an overlay: its overlays are branch."
    _, message = await stage.refusal(stage.call(methods.GET_ENVIRONMENT, name="branch"))
    assert "branch is an overlay (of prod), not an environment" in message


async def test_a_request_without_a_file_is_a_mistake_of_the_caller(stage: Any) -> None:
    code, message = await stage.refusal(stage.stream(methods.CREATE_OVERLAY, name="x", baseline="prod"))
    assert code == EXIT_USAGE
    assert "patch.yaml" in message
    assert v1.CreateOverlayRequest().file is None
