"""`env shadow --disable-all`: nothing is mirrored any more, whatever is broken or busy."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from microstax.api import methods
from microstax.control import kill_switch
from microstax.control.ahead import Pauser
from microstax.control.progress import Teller
from microstax.envoy.check import PlanError
from microstax.errors import EXIT_FAULT, EXIT_USAGE, FaultError
from microstax.runtime.port import ProcessKey, ProcessRole
from microstax.store.memory import MemoryStore
from microstax.xds.type_urls import CLUSTER, RUNTIME

CONTROL = ProcessKey("branch", "catalog", ProcessRole.CONTROL)


@pytest.fixture
async def ready(stage: Any) -> Any:
    """Give a stage with a baseline and an overlay that is shadowed."""
    await stage.mirroring()
    return stage


async def pull(stage: Any) -> Any:
    return (await stage.stream(methods.DISABLE_SHADOWS))[-1]


def is_on(stage: Any, overlay: str = "branch") -> bool:
    return bool(stage.plane.plane.state.shadows[overlay].settings.enabled)


def shares(stage: Any) -> list[int]:
    """Return the shares that the tee was told last."""
    from envoy_data_plane.envoy.service.runtime.v3 import Runtime

    body = stage.plane.xds.snapshot("tee~prod").resources(RUNTIME)["microstax"].body
    return [int(one["numerator"]) for one in Runtime.parse(body).layer.to_dict().values()]


def copies(stage: Any) -> bool:
    return any(name.startswith("copy/") for name in stage.plane.xds.snapshot("tee~prod").resources(CLUSTER))


async def test_every_shadow_is_off_and_named(ready: Any) -> None:
    await ready.overlay("other")
    await ready.shadow("other")
    await ready.overlay("third")
    done = await pull(ready)
    assert done.done
    assert done.message.startswith("Switched off 2 shadows (branch, other) in 0.")
    told = json.loads(done.object_json)
    assert (told["switched_off"], 0 <= told["seconds"] < kill_switch.ACK_TIMEOUT_S) == (["branch", "other"], True)
    assert not is_on(ready)
    assert not is_on(ready, "other")
    await ready.plane.plane.publisher.settled("tee~prod")
    assert not copies(ready)
    await ready.until(lambda: CONTROL not in ready.runtime.specs)
    assert not ready.plane.plane.to_envoys.paused


async def test_without_a_shadow_it_says_so(stage: Any) -> None:
    await stage.baseline()
    done = await pull(stage)
    assert (done.done, done.message) == (True, "No shadow is on, so nothing is mirrored.")
    assert json.loads(done.object_json) == {"switched_off": [], "seconds": 0.0}


async def test_what_was_switched_off_can_be_switched_on_again(ready: Any) -> None:
    await pull(ready)
    assert (await ready.shadow())[-1].message.startswith("Mirroring 100%")
    assert copies(ready)
    assert set(shares(ready)) == {1_000_000}


async def test_it_waits_for_nobody_who_holds_the_overlay(ready: Any) -> None:
    async with ready.plane.plane.locks.hold("branch"):
        assert (await pull(ready)).done
        assert not is_on(ready)
        await ready.plane.plane.publisher.settled("tee~prod")
        assert not copies(ready)
        assert CONTROL in ready.runtime.specs
    await ready.until(lambda: CONTROL not in ready.runtime.specs)


async def test_on_a_full_disk_nothing_is_mirrored_all_the_same(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microstax.control.endings.RETRY_S", 0.05)
    ready.store.failing = "The disk is full."
    code, message = await ready.refusal(pull(ready))
    assert code == EXIT_FAULT
    assert message.startswith("Nothing is mirrored any more for 1 shadow (branch), after 0.")
    assert "That cannot be stored: The disk is full." in message
    assert shares(ready) in ([], [0, 0])
    assert is_on(ready)
    assert "branch" in ready.plane.plane.to_envoys.paused_by(Pauser.KILL_SWITCH)
    ready.store.failing = None
    await ready.until(lambda: not is_on(ready))
    await ready.until(lambda: not ready.plane.plane.to_envoys.paused)


async def test_nobody_else_ends_its_pause(ready: Any) -> None:
    ready.store.failing = "The disk is full."
    await ready.refusal(pull(ready))
    ahead = ready.plane.plane.to_envoys
    ahead.resume("branch", by=Pauser.GUARD)
    assert "branch" in ahead.paused
    ready.store.failing = None
    await ready.shadow()
    assert "branch" not in ahead.paused
    assert set(shares(ready)) == {1_000_000}


class StuckStore(MemoryStore):
    """A store whose disk does not answer while `stuck`."""

    def __init__(self) -> None:
        super().__init__()
        self.moving = asyncio.Event()
        self.moving.set()

    async def commit(self, *changes: Any) -> None:
        await self.moving.wait()
        await super().commit(*changes)


@contextlib.asynccontextmanager
async def stuck(start: Any) -> AsyncIterator[Any]:
    async with start(store=StuckStore()) as stage:
        await stage.mirroring()
        stage.store.moving.clear()
        yield stage
        stage.store.moving.set()


def impatient(stage: Any) -> kill_switch.KillSwitch:
    return kill_switch.KillSwitch(stage.plane.plane, stage.plane.endings, ack_timeout_s=0.2, store_timeout_s=0.2)


async def test_a_disk_that_does_not_answer_holds_nothing_up(start: Any) -> None:
    async with stuck(start) as stage:
        with pytest.raises(FaultError, match="The database did not answer in 0.2 s"):
            await impatient(stage).pull(Teller())
        assert shares(stage) in ([], [0, 0])
        stage.store.moving.set()
        await stage.until(lambda: not is_on(stage))
        await stage.until(lambda: not stage.plane.plane.to_envoys.paused)


async def test_who_is_switching_on_meanwhile_is_told_and_mirrors_nothing(ready: Any) -> None:
    envoy = ready.runtime.envoys["tee~prod"]
    await ready.overlay("late")
    envoy.hold.clear()
    enabling = asyncio.ensure_future(ready.refusal(ready.shadow("late")))
    await ready.until(lambda: "late" in ready.plane.plane.to_envoys.overlays)
    pulling = asyncio.ensure_future(pull(ready))
    await ready.until(lambda: "late" not in ready.plane.plane.to_envoys.overlays)
    envoy.hold.set()
    assert "Switched off 2 shadows (branch, late)" in (await pulling).message
    code, message = await enabling
    assert (code, "All shadows were switched off while that of late" in message) == (EXIT_USAGE, True)
    assert "late" not in ready.plane.plane.state.shadows
    await ready.plane.plane.publisher.settled("tee~prod")
    assert not copies(ready)


async def test_who_waits_for_the_overlay_meanwhile_is_told_too(ready: Any) -> None:
    async with ready.plane.plane.locks.hold("branch"):
        enabling = asyncio.ensure_future(ready.refusal(ready.shadow(sample_ppm=5)))
        await asyncio.sleep(0.05)
        await pull(ready)
    assert "All shadows were switched off while that of branch" in (await enabling)[1]
    assert not is_on(ready)


async def test_an_envoy_that_does_not_confirm_is_named(ready: Any) -> None:
    teller = Teller()
    ready.runtime.envoys["tee~prod"].hold.clear()
    with pytest.raises(FaultError, match="Not every Envoy has confirmed"):
        await impatient(ready).pull(teller)
    teller.end()
    warnings = [line.message async for line in teller.lines() if line.warning]
    assert "The Envoy tee~prod" in warnings[0]
    assert "Runtime is not acknowledged" in warnings[0]
    assert not is_on(ready)
    ready.runtime.envoys["tee~prod"].hold.set()


async def test_what_an_envoy_refused_before_does_not_matter(ready: Any) -> None:
    envoy = ready.runtime.envoys["tee~prod"]
    await ready.overlay("other")
    envoy.refusal = "no such filter"
    await ready.refusal(ready.shadow("other"))
    envoy.refusal = ""
    assert (await pull(ready)).message.startswith("Switched off 1 shadow (branch)")


async def test_a_plan_that_cannot_be_built_holds_nothing_up(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shares go by what Envoy has: nothing has to be built for that."""

    def broken(plan: object) -> None:
        raise PlanError("something is wrong with the plan")

    monkeypatch.setattr(ready.plane.plane.publisher, "_build", broken)
    done = await pull(ready)
    assert done.message.startswith("Switched off 1 shadow (branch)")
    assert shares(ready) == []
    assert copies(ready)


async def test_what_is_being_built_meanwhile_brings_no_share_back(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = ready.plane.plane.publisher
    build, building, release = publisher._build, asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(plan: Any) -> Any:
        made = build(plan)
        loop.call_soon_threadsafe(building.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return made

    monkeypatch.setattr(publisher, "_build", slow)
    enabling = asyncio.ensure_future(ready.refusal(ready.shadow(sample_ppm=500_000)))
    await building.wait()
    pulling = asyncio.ensure_future(pull(ready))
    await ready.until(lambda: shares(ready) == [])
    seen: list[list[int]] = []
    release.set()
    while not (pulling.done() and enabling.done()):
        seen.append(shares(ready))
        await asyncio.sleep(0.001)
    assert all(not any(one) for one in seen)
    assert "Switched off 1 shadow (branch)" in pulling.result().message
