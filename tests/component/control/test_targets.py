"""What a worker is told to poll follows the state, and lags behind it where answers are still to come."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from microstax.capture.redaction import Redaction
from microstax.control import coverage, targets
from microstax.control.targets import Targets
from microstax.model.redaction import RedactionRules
from microstax.store.state import PortKey, State


async def first_of(watching: Any) -> list[str]:
    return [one.node_id for one in (await anext(watching)).targets]


async def test_a_shadow_that_was_switched_off_is_polled_until_its_last_answers_are_in(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "DELIVERY_MS", 50)
    await stage.mirroring()
    on = stage.plane.plane.state
    shadow = replace(on.shadows["branch"], settings=replace(on.shadows["branch"].settings, branch_timeout_ms=1))
    on = replace(on, shadows={"branch": shadow})
    off = replace(on, shadows={"branch": replace(shadow, settings=replace(shadow.settings, enabled=False))})
    followed = Targets(stage.folder, redaction_key=b"k" * 32)
    followed.follow(on)
    watching = followed.watch("worker")
    assert await first_of(watching) == ["tee~prod", "bridge~branch"]
    followed.follow(off)
    assert [one.node_id for one in followed.of_worker("worker").targets] == ["tee~prod", "bridge~branch"]
    async with asyncio.timeout(5):
        assert await first_of(watching) == []
    await watching.aclose()
    assert targets.owner("tee~prod", followed._workers) is None


async def test_a_shadow_that_is_switched_off_again_waits_anew(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "DELIVERY_MS", 400)
    await stage.mirroring()
    on = stage.plane.plane.state
    shadow = replace(on.shadows["branch"], settings=replace(on.shadows["branch"].settings, branch_timeout_ms=1))
    on = replace(on, shadows={"branch": shadow})
    off = replace(on, shadows={"branch": replace(shadow, settings=replace(shadow.settings, enabled=False))})
    followed = Targets(stage.folder, redaction_key=b"k" * 32)
    watching = followed.watch("worker")
    assert await first_of(watching) == []
    for state in (on, off):
        followed.follow(state)
    await asyncio.sleep(0.3)
    for state in (on, off):
        followed.follow(state)
    await asyncio.sleep(0.2)
    assert [one.node_id for one in followed.of_worker("worker").targets] == ["tee~prod", "bridge~branch"]
    await watching.aclose()


async def test_nothing_is_polled_without_a_shadow(stage: Any) -> None:
    await stage.baseline()
    await stage.overlay()
    followed = Targets(stage.folder, redaction_key=b"k" * 32)
    watching = followed.watch("worker")
    assert await first_of(watching) == []
    followed.follow(stage.plane.plane.state)
    followed.follow(State())
    assert followed.of_worker("worker").targets == []
    await watching.aclose()


async def test_a_worker_learns_what_the_user_wants_redacted(stage: Any) -> None:
    await stage.mirroring()
    state = stage.plane.plane.state
    record = state.environments["prod"]
    spec = replace(record.spec, redaction=RedactionRules(json_paths=("$.email",)))
    followed = Targets(stage.folder, redaction_key=b"k" * 32)
    followed.follow(replace(state, environments={"prod": replace(record, spec=spec)}))
    watching = followed.watch("worker")
    rules = Redaction.from_bytes((await anext(watching)).targets[0].redaction)
    assert rules == Redaction(key=b"k" * 32, json_paths=("$.email",))
    await watching.aclose()


async def told(stage: Any, **settings: Any) -> Any:
    """Return what a worker is told of the shadow with other settings."""
    await stage.shadow(**settings)
    followed = Targets(stage.folder, redaction_key=b"k" * 32)
    followed.follow(stage.plane.plane.state)
    watching = followed.watch("worker")
    (shadow,) = (await anext(watching)).targets[0].shadows
    await watching.aclose()
    return shadow


async def test_a_worker_learns_the_processes_to_ask_again_and_never_the_tee(stage: Any) -> None:
    await stage.baseline()
    await stage.overlay()
    shadow = await told(stage)
    assert (shadow.recheck_rps, shadow.baseline_address, shadow.branch_address, shadow.control_address) == (
        0,
        "",
        "",
        "",
    )
    ports = stage.plane.plane.state.ports

    def listening(owner: str, purpose: str = "process") -> str:
        return f"127.0.0.1:{ports[PortKey(owner, 'catalog', purpose)]}"

    shadow = await told(stage, recheck_rps=5)
    ports = stage.plane.plane.state.ports
    assert (shadow.baseline_address, shadow.branch_address) == (listening("prod"), listening("branch"))
    assert shadow.control_address == listening("branch", "control")
    assert (await told(stage, control="self")).control_address == listening("prod")
    assert (await told(stage, control="none")).control_address == ""


async def test_a_server_of_ones_own_is_asked_at_its_own_address(stage: Any) -> None:
    await stage.baseline(text="services: [{name: catalog, url: 'http://127.0.0.1:9000', port: 18101}]")
    await stage.overlay(text="services: [{name: catalog, url: 'http://127.0.0.1:9001'}]")
    shadow = await told(stage, recheck_rps=5)
    found = (shadow.control, shadow.baseline_address, shadow.branch_address, shadow.control_address)
    assert found == ("none", "127.0.0.1:9000", "127.0.0.1:9001", "")


async def test_a_worker_learns_what_copies_lack_where_it_asks_again(stage: Any) -> None:
    await stage.baseline()
    await stage.overlay()
    assert list((await told(stage, strip_headers=["cookie"])).strip_headers) == []
    assert list((await told(stage, strip_headers=["cookie"], recheck_rps=5)).strip_headers) == ["cookie"]
