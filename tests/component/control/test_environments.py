"""Environments over the real management API: created, promoted, deleted, and refused with a reason."""

import asyncio
import json
import socket
from typing import Any

from microstax.api import methods
from microstax.errors import EXIT_FAULT, EXIT_USAGE
from microstax.generated.management.microstax.management import v1
from microstax.model.environment import ServicePhase
from microstax.runtime.port import ProcessKey, ProcessRole


async def test_an_environment_starts_behind_its_tee_in_order(stage: Any) -> None:
    done = await stage.create()
    assert done.done
    assert json.loads(done.object_json)["name"] == "prod"
    started = [key for what, key in stage.runtime.calls if what == "start"]
    assert started == ["microstax/worker.worker", "prod/tee.envoy", "prod/pricing", "prod/catalog"]
    info = await stage.call(methods.GET_ENVIRONMENT, name="prod")
    assert (info.health, info.promoted, info.runtime) == ("healthy", False, "local")
    assert [service.url for service in info.services] == ["http://127.0.0.1:18101", "http://127.0.0.1:18102"]


async def test_promoting_records_what_runs(stage: Any) -> None:
    await stage.baseline()
    info = await stage.call(methods.GET_ENVIRONMENT, name="prod")
    assert info.promoted
    assert info.promoted_ms > 0
    assert all(len(service.version) == 12 for service in info.services)
    assert info.services[0].command == ["catalog", "--v1"]


async def test_promote_with_a_file_creates_first(stage: Any) -> None:
    text = "services: [{name: catalog, command: [x], port: 18103}]"
    file = v1.SourceFile(name="env.yaml", text=text, directory="/")
    assert (await stage.stream(methods.PROMOTE_ENVIRONMENT, name="prod", file=file))[-1].done
    assert (await stage.call(methods.GET_ENVIRONMENT, name="prod")).promoted


async def test_an_unhealthy_environment_is_not_promoted(stage: Any) -> None:
    await stage.create()
    stage.runtime.set_phase(ProcessKey("prod", "pricing"), ServicePhase.UNHEALTHY, "GET /healthz answered 503")
    code, message = await stage.refusal(stage.stream(methods.PROMOTE_ENVIRONMENT, name="prod"))
    assert code == EXIT_USAGE
    assert "pricing is unhealthy (GET /healthz answered 503)" in message
    assert not (await stage.call(methods.GET_ENVIRONMENT, name="prod")).promoted


async def test_an_environment_whose_envoy_refuses_its_listeners_is_not_promoted(stage: Any) -> None:
    """Its services are healthy, but nobody reaches them: the port was taken while microstax was down."""
    await stage.create()
    key = next(key for key in stage.runtime.specs if key.role is ProcessRole.ENVOY)
    envoy = stage.runtime.specs[key]
    await stage.runtime.stop(key)
    stage.runtime.refusals["tee~prod"] = "cannot bind '127.0.0.1:18101': Address already in use\n"
    await stage.runtime.start(envoy)
    code, message = await stage.refusal(stage.stream(methods.PROMOTE_ENVIRONMENT, name="prod"))
    assert code == EXIT_FAULT
    assert message.startswith("prod cannot be promoted: ")
    assert message.endswith("cannot bind '127.0.0.1:18101': Address already in use")
    assert not (await stage.call(methods.GET_ENVIRONMENT, name="prod")).promoted


async def test_a_service_that_never_gets_healthy_takes_the_others_down_with_it(stage: Any) -> None:
    stage.runtime.unhealthy[ProcessKey("prod", "catalog")] = "Traceback: no module named shop"
    code, message = await stage.refusal(stage.create())
    assert code == EXIT_FAULT
    assert "prod/catalog" in message
    assert "no module named shop" in message
    assert stage.runtime.statuses("prod") == {}
    assert (await stage.call(methods.LIST_ENVIRONMENTS)).environments == []
    del stage.runtime.unhealthy[ProcessKey("prod", "catalog")]
    assert (await stage.create()).done


async def test_of_two_creators_of_one_name_one_wins(stage: Any) -> None:
    results = await asyncio.gather(stage.create(), stage.create(), return_exceptions=True)
    failures = [one for one in results if isinstance(one, Exception)]
    assert len(failures) == 1
    assert "There is an environment 'prod' already" in str(failures[0])
    assert len(stage.runtime.statuses("prod")) == 3


async def test_a_caller_who_leaves_takes_the_half_started_environment_along(stage: Any) -> None:
    key = ProcessKey("prod", "catalog")
    waiting = asyncio.Event()
    stage.runtime.subscribe(lambda changed, _: waiting.set() if changed == key else None)
    begin = stage.runtime.start

    async def start_slowly(spec: Any) -> None:
        await begin(spec)
        if spec.key == key:
            stage.runtime.set_phase(key, ServicePhase.STARTING)

    stage.runtime.start = start_slowly
    creating = asyncio.ensure_future(stage.create())
    await waiting.wait()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    await stage.until(lambda: not stage.runtime.statuses("prod") and not stage.plane.plane.state.environments)
    stage.runtime.start = begin
    assert (await stage.create()).done


async def test_a_port_that_is_in_use_is_named_before_anything_starts(stage: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        text = f"services: [{{name: catalog, command: [x], port: {port}}}]"
        code, message = await stage.refusal(stage.create(text=text))
    assert code == EXIT_FAULT
    assert f"Port {port} of catalog cannot be used" in message
    assert stage.runtime.statuses("prod") == {}


async def test_two_environments_cannot_share_a_port(stage: Any) -> None:
    await stage.create()
    _, message = await stage.refusal(stage.create("other"))
    assert "Port 18101 of catalog is where catalog of prod listens" in message


async def test_a_file_that_is_wrong_is_told_with_its_line(stage: Any) -> None:
    code, message = await stage.refusal(stage.create(text="services:\n  - {name: catalog, comand: [x], port: 1}\n"))
    assert code == EXIT_USAGE
    assert message.startswith("env.yaml, line 2: ")
    assert "did you mean 'command'?" in message


async def test_an_envoy_that_refuses_is_told_in_its_own_words(stage: Any) -> None:
    stage.runtime.refusals["tee~prod"] = "cannot bind 127.0.0.1:18101: Address in use"
    code, message = await stage.refusal(stage.create())
    assert code == EXIT_FAULT
    assert "cannot bind 127.0.0.1:18101" in message
    assert stage.runtime.statuses("prod") == {}


async def test_an_environment_with_overlays_stays(stage: Any) -> None:
    await stage.baseline()
    await stage.overlay()
    code, message = await stage.refusal(stage.stream(methods.DELETE_ENVIRONMENT, name="prod"))
    assert code == EXIT_USAGE
    assert "prod is the baseline of branch" in message
    await stage.stream(methods.DELETE_OVERLAY, name="branch")
    assert (await stage.stream(methods.DELETE_ENVIRONMENT, name="prod"))[-1].done
    assert stage.runtime.statuses("prod") == {}
    assert (await stage.call(methods.LIST_ENVIRONMENTS)).environments == []


async def test_kubernetes_flags_are_refused(stage: Any) -> None:
    await stage.create()
    _, message = await stage.refusal(stage.stream(methods.PROMOTE_ENVIRONMENT, name="prod", namespace="shop"))
    assert "--context and --namespace" in message


async def test_unknown_names_are_told_with_those_that_are_known(stage: Any) -> None:
    await stage.create()
    assert await stage.refusal(stage.call(methods.GET_ENVIRONMENT, name="nope")) == (
        EXIT_USAGE,
        "There is no environment 'nope' (known: prod).",
    )
    _, message = await stage.refusal(stage.stream(methods.PROMOTE_ENVIRONMENT, name="nope"))
    assert "microstax env create nope --file env.yaml" in message
