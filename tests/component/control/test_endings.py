"""`--ttl`: a shadow ends by itself, also when that cannot be stored, and also after the control plane was away."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import pytest

from microstax.api import methods
from microstax.control.ahead import Pauser
from microstax.errors import EXIT_USAGE
from microstax.model.shadow import DEFAULT_TTL_MS
from microstax.report.summary import facts
from microstax.runtime.port import ProcessKey, ProcessRole
from microstax.store.memory import MemoryStore
from microstax.store.state import PutShadow
from microstax.xds.type_urls import CLUSTER, RUNTIME

CONTROL = ProcessKey("branch", "catalog", ProcessRole.CONTROL)


@pytest.fixture
async def ready(stage: Any) -> Any:
    """Give a stage with a baseline and an overlay."""
    await stage.baseline()
    await stage.overlay()
    return stage


def record(stage: Any) -> Any:
    return stage.plane.plane.state.shadows["branch"]


def is_on(stage: Any) -> bool:
    return bool(record(stage).settings.enabled)


def layer(stage: Any) -> Any:
    return stage.plane.xds.snapshot("tee~prod").resources(RUNTIME)["microstax"]


def copies(stage: Any) -> bool:
    return any(name.startswith("copy/") for name in stage.plane.xds.snapshot("tee~prod").resources(CLUSTER))


async def test_a_shadow_ends_a_day_later_unless_it_is_told_otherwise(ready: Any) -> None:
    before = ready.plane.plane.now_ms()
    lines = await ready.shadow()
    assert before + DEFAULT_TTL_MS <= record(ready).expires_ms <= ready.plane.plane.now_ms() + DEFAULT_TTL_MS
    assert "It ends by itself at 20" in lines[-1].message
    assert layer(ready).expires_at == record(ready).expires_ms / 1000
    lines = await ready.shadow(ttl_ms=0)
    assert record(ready).expires_ms == 0
    assert "It does not end by itself." in lines[-1].message
    assert layer(ready).expires_at is None


async def test_enabling_again_renews_the_end_and_keeps_the_report(ready: Any) -> None:
    await ready.shadow(ttl_ms=3_600_000)
    first = record(ready)
    await asyncio.sleep(0.005)
    await ready.shadow()
    again = record(ready)
    assert again.expires_ms > first.expires_ms
    assert replace(again, expires_ms=first.expires_ms) == first
    assert layer(ready).expires_at == again.expires_ms / 1000


@pytest.mark.parametrize("ttl_ms", [1, 999, 366 * 86_400_000, -1])
async def test_an_end_that_makes_no_sense_is_refused(ready: Any, ttl_ms: int) -> None:
    code, message = await ready.refusal(ready.shadow(ttl_ms=ttl_ms))
    assert (code, "must be at least 1 s and at most 365 days" in message) == (EXIT_USAGE, True)


async def test_it_ends_by_itself_and_says_so(ready: Any) -> None:
    await ready.shadow(ttl_ms=1_000)
    ended_ms = record(ready).expires_ms
    await ready.until(lambda: not is_on(ready))
    assert ready.plane.plane.now_ms() >= ended_ms == record(ready).expires_ms
    await ready.until(lambda: not copies(ready) and CONTROL not in ready.runtime.specs)
    assert not ready.plane.plane.to_envoys.paused
    document = orjson.loads((await ready.call(methods.GET_REPORT, overlay="branch")).document)
    assert any("ended by itself at" in one and "--enable" in one for one in document["reasons"])
    lines = await ready.shadow()
    assert "Mirroring" in lines[-1].message
    assert record(ready).generation == 2


async def test_who_switches_off_leaves_no_end(ready: Any) -> None:
    await ready.shadow()
    await ready.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    assert (is_on(ready), record(ready).expires_ms) == (False, 0)
    document = orjson.loads((await ready.call(methods.GET_REPORT, overlay="branch")).document)
    assert not any("by itself" in one for one in document["reasons"])
    assert document["until"] is None


async def test_a_report_says_until_when(ready: Any) -> None:
    await ready.shadow()
    document = orjson.loads((await ready.call(methods.GET_REPORT, overlay="branch")).document)
    until_ms = datetime.fromisoformat(document["until"]).timestamp() * 1000
    assert record(ready).expires_ms - 1000 < until_ms <= record(ready).expires_ms
    assert "unless 'microstax env shadow branch --enable' is said again before" in dict(facts(document))["until"]
    await ready.shadow(ttl_ms=0)
    document = orjson.loads((await ready.call(methods.GET_REPORT, overlay="branch")).document)
    assert document["until"] is None


async def test_on_a_full_disk_it_is_paused_and_written_down_later(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microstax.control.endings.RETRY_S", 0.05)
    await ready.shadow(ttl_ms=1_000)
    ready.store.failing = "The disk is full."
    await ready.until(lambda: "branch" in ready.plane.plane.to_envoys.paused_by(Pauser.EXPIRY))
    await ready.plane.plane.publisher.settled("tee~prod")
    assert is_on(ready)
    assert b"numerator" not in layer(ready).body or layer(ready).expires_at is None
    pause = ready.plane.plane.to_envoys.paused["branch"]
    assert "ended by itself at" in pause.why
    ready.store.failing = None
    await ready.until(lambda: not is_on(ready))
    await ready.until(lambda: not ready.plane.plane.to_envoys.paused)


async def test_renewing_what_could_not_be_stored_as_ended_mirrors_again(ready: Any) -> None:
    await ready.shadow(ttl_ms=1_000)
    ready.store.failing = "The disk is full."
    await ready.until(lambda: "branch" in ready.plane.plane.to_envoys.paused)
    ready.store.failing = None
    lines = await ready.shadow(ttl_ms=60_000)
    assert lines[-1].message.startswith("Mirroring 100%")
    assert not ready.plane.plane.to_envoys.paused
    assert is_on(ready)
    assert copies(ready)


async def test_a_control_plane_that_comes_back_too_late_ends_it_first(start: Any) -> None:
    """No configuration that mirrors goes out, not even for a moment."""
    store = MemoryStore()
    async with start(store=store) as stage:
        await stage.mirroring()
        over = replace(record(stage), expires_ms=stage.plane.plane.now_ms() - 1)
        await store.commit(PutShadow(over))
    async with start(store=store) as stage:
        assert not is_on(stage)
        assert not copies(stage)
        assert record(stage).expires_ms == over.expires_ms


async def test_one_that_an_older_microstax_switched_on_gets_an_end(start: Any) -> None:
    store = MemoryStore()
    async with start(store=store) as stage:
        await stage.mirroring()
        await store.commit(PutShadow(replace(record(stage), expires_ms=0)))
    async with start(store=store) as stage:
        assert is_on(stage)
        assert stage.plane.plane.now_ms() < record(stage).expires_ms <= stage.plane.plane.now_ms() + DEFAULT_TTL_MS


async def test_a_control_plane_that_comes_back_in_time_says_nothing_new_to_envoys(start: Any) -> None:
    store = MemoryStore()
    async with start(store=store) as stage:
        await stage.mirroring()
        version = layer(stage).version
    async with start(store=store) as stage:
        assert layer(stage).version == version


async def test_of_two_shadows_of_a_tee_the_first_end_is_envoys(ready: Any) -> None:
    """All shares are one resource; the control plane gives it the next end when the first has come."""
    await ready.overlay("other")
    await ready.shadow("other", ttl_ms=60_000)
    later = layer(ready).expires_at
    await ready.shadow(ttl_ms=1_000)
    assert layer(ready).expires_at == record(ready).expires_ms / 1000
    await ready.until(lambda: not is_on(ready))
    await ready.until(lambda: layer(ready).expires_at == later)
    await ready.stream(methods.SET_SHADOW, overlay="other", enable=False)
