"""The shadow switch over the real management API, with Envoys that acknowledge or refuse."""

import asyncio
from typing import Any

import orjson
import pytest

from microstax.api import methods
from microstax.errors import EXIT_FAULT, EXIT_USAGE
from microstax.generated.management.microstax.management import v1
from microstax.model.exchange import Side
from microstax.model.shadow import ControlMode
from microstax.runtime.port import ProcessKey, ProcessRole
from microstax.xds.type_urls import CLUSTER

CONTROL = ProcessKey("branch", "catalog", ProcessRole.CONTROL)


@pytest.fixture
async def ready(stage: Any) -> Any:
    """Give a stage with a baseline and an overlay."""
    await stage.baseline()
    await stage.overlay()
    return stage


def mirrors(stage: Any) -> list[Side]:
    from microstax.control import plans

    state = stage.plane.plane.state
    return [one.side for one in plans.tee_plan(state, state.environments["prod"]).services[0].mirrors]


async def test_enabling_starts_a_copy_of_the_baseline_first_and_mirrors_when_envoy_has_agreed(ready: Any) -> None:
    lines = await ready.shadow()
    messages = [line.message for line in lines]
    assert "a second catalog of prod measures the noise" in messages[0]
    assert messages[1] == "waiting for Envoy"
    assert messages[-1].startswith(
        "Mirroring 100% of GET, HEAD, OPTIONS requests for catalog into branch (control: copy)"
    )
    assert ready.runtime.specs[CONTROL].command == ("catalog", "--v1")
    assert mirrors(ready) == [Side.BRANCH, Side.CONTROL]
    status = await ready.call(methods.GET_STATUS)
    assert [service.state for service in status.shadows[0].services] == ["mirroring"]
    assert all(envoy.applied for envoy in status.envoys)


async def test_disabling_stops_the_copy_and_enabling_begins_anew(ready: Any) -> None:
    await ready.shadow()
    first = ready.plane.plane.state.shadows["branch"]
    lines = await ready.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    assert lines[-1].done
    assert CONTROL not in ready.runtime.specs
    assert mirrors(ready) == []
    assert "off already" in (await ready.stream(methods.SET_SHADOW, overlay="branch", enable=False))[-1].message
    await ready.shadow()
    again = ready.plane.plane.state.shadows["branch"]
    assert again.generation == first.generation + 1


async def test_a_new_share_keeps_what_was_found_and_other_methods_do_not(ready: Any) -> None:
    await ready.shadow()
    await ready.shadow(sample_ppm=250_000, max_rps=50)
    shadow = ready.plane.plane.state.shadows["branch"]
    assert (shadow.generation, shadow.settings.sample_ppm, shadow.settings.max_rps) == (1, 250_000, 50)
    await ready.shadow(keep_pairs=100)
    shadow = ready.plane.plane.state.shadows["branch"]
    assert (shadow.generation, shadow.settings.keep_pairs) == (1, 100)
    await ready.shadow(methods=["GET"])
    shadow = ready.plane.plane.state.shadows["branch"]
    assert (shadow.generation, shadow.settings.sample_ppm, shadow.settings.methods) == (2, 250_000, ("GET",))


async def test_asking_mismatches_again_begins_anew_and_is_said(ready: Any) -> None:
    await ready.shadow()
    lines = await ready.shadow(recheck_rps=5)
    assert "Mismatches are asked again, at most 5 a second." in lines[-1].message
    shadow = ready.plane.plane.state.shadows["branch"]
    assert (shadow.generation, shadow.settings.recheck_rps) == (2, 5)
    await ready.shadow(sample_ppm=250_000)
    assert ready.plane.plane.state.shadows["branch"].generation == 2
    lines = await ready.shadow(recheck_rps=0)
    assert "asked again" not in lines[-1].message
    assert ready.plane.plane.state.shadows["branch"].generation == 3
    code, message = await ready.refusal(ready.shadow(recheck_rps=101))
    assert (code, message) == (EXIT_USAGE, "--recheck-rps is 101, and must be at least 0 and at most 100.")


async def test_without_a_control_the_copy_goes(ready: Any) -> None:
    await ready.shadow()
    await ready.shadow(control="none")
    assert CONTROL not in ready.runtime.specs
    assert mirrors(ready) == [Side.BRANCH]
    assert ready.plane.plane.state.shadows["branch"].settings.control is ControlMode.NONE


async def test_control_self_needs_no_copy(ready: Any) -> None:
    await ready.shadow(control="self")
    assert CONTROL not in ready.runtime.specs
    assert mirrors(ready) == [Side.BRANCH, Side.CONTROL]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "prod"}, "prod is a baseline, not an overlay: its overlays are branch."),
        ({"name": "nope"}, "There is no overlay 'nope' (known: branch)."),
        ({"services": ["pricing"]}, "branch does not run 'pricing' but catalog"),
        ({"methods": ["POST"]}, "add --unsafe-methods"),
        ({"methods": ["BREW"]}, "cannot be mirrored"),
        ({"control": "maybe"}, "--control 'maybe' is none of copy, self, none."),
        ({"sample_ppm": 0}, "--sample is 0"),
        ({"max_rps": 0}, "--max-rps is 0"),
        ({"max_body_bytes": 1 << 40}, "body limit"),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_changes(
    ready: Any, fields: dict[str, Any], sentence: str
) -> None:
    code, message = await ready.refusal(ready.shadow(**fields))
    assert code == EXIT_USAGE
    assert sentence in message
    assert mirrors(ready) == []
    assert CONTROL not in ready.runtime.specs


async def test_unsafe_methods_are_mirrored_for_who_insists(ready: Any) -> None:
    await ready.shadow(methods=["get", "post"], unsafe_methods=True)
    assert ready.plane.plane.state.shadows["branch"].settings.methods == ("GET", "POST")


async def test_a_server_that_already_runs_cannot_be_copied(stage: Any) -> None:
    await stage.baseline(text="services: [{name: catalog, url: 'http://127.0.0.1:9', port: 18120}]")
    await stage.overlay(text="services: [{name: catalog, url: 'http://127.0.0.1:10'}]")
    _, message = await stage.refusal(stage.shadow(control="copy"))
    assert "cannot start a copy: use --control self or --control none" in message
    assert "(control: none)" in (await stage.shadow())[-1].message


async def test_a_copy_that_does_not_start_leaves_the_shadow_off(ready: Any) -> None:
    ready.runtime.unhealthy[CONTROL] = "port stolen"
    code, message = await ready.refusal(ready.shadow())
    assert code == EXIT_FAULT
    assert "port stolen" in message
    assert mirrors(ready) == []
    assert CONTROL not in ready.runtime.specs


async def test_a_refusal_by_envoy_brings_the_previous_state_back(ready: Any) -> None:
    ready.runtime.envoys["tee~prod"].refusal = "no such runtime key"
    code, message = await ready.refusal(ready.shadow())
    assert code == EXIT_FAULT
    assert "no such runtime key" in message
    assert mirrors(ready) == []
    assert CONTROL not in ready.runtime.specs
    status = await ready.call(methods.GET_STATUS)
    assert list(status.shadows) == []
    ready.runtime.envoys["tee~prod"].refusal = ""
    await ready.shadow()
    # What the refused one may have sent must not count as this one's.
    assert ready.plane.plane.state.shadows["branch"].generation == 2


async def test_a_refused_generation_leaves_what_was_found_before(ready: Any) -> None:
    await ready.shadow()
    before = ready.plane.plane.state.shadows["branch"]
    await submit(ready, paired=7)
    ready.runtime.envoys["tee~prod"].refusal = "no such method"
    code, message = await ready.refusal(ready.shadow(control="none"))
    assert (code, "no such method" in message) == (EXIT_FAULT, True)
    assert ready.plane.plane.state.shadows["branch"] == before
    assert (await coverage(ready))["paired"] == 7
    assert ready.runtime.specs[CONTROL].command == ("catalog", "--v1")


async def test_a_disk_that_is_full_leaves_everything_as_it_was(ready: Any) -> None:
    ready.store.failing = "The disk is full."
    code, message = await ready.refusal(ready.shadow(control="self"))
    assert (code, message) == (EXIT_FAULT, "The disk is full.")
    await ready.plane.plane.publisher.settled("tee~prod")
    assert not any(name.startswith("copy/") for name in clusters(ready))
    ready.store.failing = None
    await ready.shadow(control="self")
    assert any(name.startswith("copy/") for name in clusters(ready))


def clusters(stage: Any) -> list[str]:
    return list(stage.plane.xds.snapshot("tee~prod").resources(CLUSTER))


async def submit(stage: Any, *, sequence: int = 1, **service: Any) -> None:
    services = [v1.ServiceDelta(overlay="branch", service="catalog", **service)]
    await stage.call(methods.SUBMIT_DELTA, worker_id="worker-1", sequence=sequence, services=services)


async def coverage(stage: Any) -> Any:
    return orjson.loads((await stage.call(methods.GET_REPORT, overlay="branch")).document)["coverage"]


async def test_what_an_older_generation_found_counts_nowhere(ready: Any) -> None:
    await ready.shadow()
    await ready.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    await ready.shadow()
    await submit(ready, generation=1, paired=5, not_compared={"branch_timeout": 2})
    await submit(ready, sequence=2, generation=2, paired=1)
    await submit(ready, sequence=3, generation=3, paired=9)
    assert ((await coverage(ready))["paired"], (await coverage(ready))["not_compared"]) == (1, {})


class Watcher:
    """A worker that says at once what it watches, or `holds` its tongue."""

    def __init__(self, stage: Any, *, holds: bool = False) -> None:
        self.stage, self.holds, self.sequence, self.said = stage, holds, 0, asyncio.Event()
        self.connected = asyncio.Event()

    async def run(self) -> None:
        stream = self.stage.client.stream(methods.WATCH_TARGETS, v1.WatchTargetsRequest(worker_id="w", pid=1))
        async for targets in stream:
            self.connected.set()
            watched = [
                v1.Watched(node_id=one.node_id, generations={each.overlay: each.generation for each in one.shadows})
                for one in targets.targets
            ]
            if watched and not self.holds:
                await self.say(watched=watched)
                self.said.set()

    async def say(self, **fields: Any) -> Any:
        self.sequence += 1
        return await self.stage.call(methods.SUBMIT_DELTA, worker_id="w", sequence=self.sequence, **fields)


async def test_envoy_mirrors_when_a_worker_looks_and_not_before(start: Any) -> None:
    async with start(watch_timeout_s=30) as stage, asyncio.TaskGroup() as group:
        await stage.baseline()
        await stage.overlay()
        worker = Watcher(stage, holds=True)
        watching = group.create_task(worker.run())
        await worker.connected.wait()
        enabling = group.create_task(stage.shadow())
        await stage.until(lambda: "branch" in stage.plane.plane.to_workers.overlays)
        await asyncio.sleep(0.05)
        assert not any(name.startswith("copy/") for name in clusters(stage))
        assert not enabling.done()
        await worker.say(watched=[v1.Watched(node_id="tee~prod", generations={"branch": 1})])
        assert not any(line.warning for line in await enabling)
        assert any(name.startswith("copy/") for name in clusters(stage))
        watching.cancel()


async def test_a_worker_that_does_not_look_is_waited_for_a_while_and_told(start: Any) -> None:
    async with start(watch_timeout_s=0.1) as stage, asyncio.TaskGroup() as group:
        await stage.baseline()
        await stage.overlay()
        worker = Watcher(stage, holds=True)
        watching = group.create_task(worker.run())
        await worker.connected.wait()
        lines = await stage.shadow()
        assert lines[-1].done
        assert any(line.warning and "No worker looks at tee~prod yet" in line.message for line in lines)
        watching.cancel()


async def test_what_comes_in_while_envoy_is_asked_counts_for_the_generation_it_is_of(start: Any) -> None:
    """The worker is faster than the commit: its delta waits for it, and is not lost."""
    async with start(watch_timeout_s=30) as stage, asyncio.TaskGroup() as group:
        await stage.baseline()
        await stage.overlay()
        worker = Watcher(stage)
        watching = group.create_task(worker.run())
        await worker.connected.wait()
        envoy = stage.runtime.envoys["tee~prod"]
        envoy.hold.clear()
        enabling = group.create_task(stage.shadow())
        await stage.until(lambda: "branch" in stage.plane.plane.to_envoys.overlays)
        await worker.said.wait()
        one = v1.ServiceDelta(overlay="branch", service="catalog", generation=1, paired=3)
        telling = group.create_task(worker.say(services=[one]))
        await asyncio.sleep(0.05)
        assert not telling.done()
        envoy.hold.set()
        await enabling
        await telling
        assert (await coverage(stage))["paired"] == 3
        watching.cancel()


async def test_a_refusal_shows_in_the_status(ready: Any) -> None:
    ready.runtime.envoys["tee~prod"].refusal = "no such runtime key"
    await ready.refusal(ready.shadow())
    nacks = [
        kind.nack_error
        for envoy in (await ready.call(methods.GET_STATUS)).envoys
        for kind in envoy.types
        if kind.nack_error
    ]
    assert "no such runtime key" in nacks[0]


async def test_deleting_an_overlay_switches_its_shadow_off_first(ready: Any) -> None:
    await ready.shadow()
    lines = await ready.stream(methods.DELETE_OVERLAY, name="branch")
    assert lines[-1].done
    assert ready.runtime.statuses("branch") == {}
    assert ready.plane.plane.state.shadows == {}
    assert mirrors(ready) == []


async def test_other_headers_of_copies_begin_anew_and_are_said(ready: Any) -> None:
    """What a branch answers without credentials is not what it answers with them."""
    await ready.shadow()
    lines = await ready.shadow(strip_headers=["Cookie", "authorization"])
    assert "Copies lack authorization, cookie." in lines[-1].message
    shadow = ready.plane.plane.state.shadows["branch"]
    assert (shadow.generation, shadow.settings.strip_headers) == (2, ("authorization", "cookie"))
    status = (await ready.call(methods.GET_STATUS)).shadows[0]
    assert (list(status.strip_headers), status.max_total_rps) == (["authorization", "cookie"], 1000)
    lines = await ready.shadow(max_total_rps=50)
    assert "Copies lack" in lines[-1].message
    shadow = ready.plane.plane.state.shadows["branch"]
    assert (shadow.generation, shadow.settings.max_total_rps) == (2, 50)
    lines = await ready.shadow(strip_nothing=True)
    assert "Copies lack" not in lines[-1].message
    assert ready.plane.plane.state.shadows["branch"].generation == 3


async def test_an_overlay_tells_when_its_shadow_ends(ready: Any) -> None:
    assert (await ready.call(methods.GET_OVERLAY, name="branch")).ends_ms == 0
    await ready.shadow()
    shadow = ready.plane.plane.state.shadows["branch"]
    assert (await ready.call(methods.GET_OVERLAY, name="branch")).ends_ms == shadow.expires_ms > 0


async def test_a_shadow_that_cannot_be_stored_as_off_stays_on_and_says_how_to_stop_it(ready: Any) -> None:
    await ready.shadow()
    ready.store.failing = "The disk is full."
    code, message = await ready.refusal(ready.stream(methods.SET_SHADOW, overlay="branch", enable=False))
    assert code == EXIT_FAULT
    assert "stays on; 'microstax env shadow --disable-all' stops all mirroring also" in message
    ready.store.failing = None
    assert mirrors(ready) == [Side.BRANCH, Side.CONTROL]
