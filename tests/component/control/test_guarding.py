"""The guard in a whole control plane: pauses come into force at once, without the store, and are shown."""

import asyncio
from typing import Any

import orjson
import pytest

from microstax.api import methods
from microstax.control import guarding, layout
from microstax.errors import MicrostaxError
from microstax.generated.management.microstax.management import v1
from microstax.store.memory import MemoryStore

COPY = "cluster.copy/catalog/branch/branch"
BRANCH = "cluster.branch/catalog/branch/branch/h1"
ENVOY = layout.envoy_key("tee~prod")
MIB = 1024 * 1024


@pytest.fixture
async def shadowed(stage: Any) -> Any:
    """Give a stage whose overlay is shadowed, and whose Envoy holds 80 MiB."""
    await stage.baseline()
    await stage.overlay()
    stage.runtime.resident[ENVOY] = 80 * MIB
    await stage.shadow()
    while not (await envoy(stage)).memory_limit_bytes:  # noqa: ASYNC110  # the guard has looked
        await asyncio.sleep(0.02)
    return stage


async def status(stage: Any) -> Any:
    return await stage.call(methods.GET_STATUS)


async def envoy(stage: Any) -> Any:
    return next(one for one in (await status(stage)).envoys if one.node_id == "tee~prod")


async def shadow(stage: Any) -> Any:
    return (await status(stage)).shadows[0]


async def paused(stage: Any) -> Any:
    """Wait for the pause."""
    async with asyncio.timeout(30):
        while not (found := await shadow(stage)).paused:  # noqa: ASYNC110  # it comes by itself
            await asyncio.sleep(0.02)
    return found


def shares(stage: Any) -> bytes:
    """Return the layer of shares that the Envoy is to have."""
    layer = stage.plane.xds.snapshot("tee~prod").resources("type.googleapis.com/envoy.service.runtime.v3.Runtime")
    return bytes(next(iter(layer.values())).body)


async def test_an_envoy_that_grows_pauses_its_shadows(shadowed: Any) -> None:
    found = await envoy(shadowed)
    assert (found.memory_bytes, found.memory_limit_bytes) == (80 * MIB, 336 * MIB)
    before = shares(shadowed)
    shadowed.runtime.resident[ENVOY] = 337 * MIB
    found = await paused(shadowed)
    assert "the Envoy tee~prod grew by 257 MiB to 337 MiB since mirroring began" in found.paused
    assert [(one.state, one.current_ppm, one.sample_ppm) for one in found.services] == [("paused", 0, 1_000_000)]
    assert found.paused_ms > 0
    await shadowed.plane.plane.publisher.settled("tee~prod")
    assert shares(shadowed) != before
    assert f"branch: {found.paused}" in (await status(shadowed)).problems
    report = orjson.loads((await shadowed.call(methods.GET_REPORT, overlay="branch")).document)
    assert found.paused in report["reasons"]
    await shadowed.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    assert not (await shadow(shadowed)).paused
    await shadowed.shadow()  # a new beginning: the Envoy is measured from what it holds now
    assert not (await shadow(shadowed)).paused


async def test_a_pause_needs_no_disk(shadowed: Any, store: MemoryStore) -> None:
    store.failing = "the disk is full."
    shadowed.runtime.resident[ENVOY] = 400 * MIB
    found = await paused(shadowed)
    assert found.services[0].current_ppm == 0


def guarded(stage: Any, times: list[int], **limits: int) -> guarding.Guarding:
    """Return another guard of the same control plane, whose clock is `times[0]`."""
    return guarding.Guarding(
        stage.plane.plane,
        stage.plane._intake,
        worker_of=lambda _: "w" if "w" in stage.plane._intake.workers else None,
        limits=guarding.Limits(**limits),
        clock=lambda: times[0],
    )


async def test_it_goes_on_with_a_small_share_that_climbs(shadowed: Any) -> None:
    plane, times = shadowed.plane.plane, [0]
    guard = guarded(shadowed, times, absent_ms=1_000)
    await counted(shadowed, 1, copies=0)
    await counted(shadowed, 2, copies=100)
    for now_ms in range(0, 1_500, 250):
        times[0] = now_ms
        guard.look()
    assert "no worker has been connected for 1.2 s" in plane.to_envoys.paused["branch"].why
    lists = shadowed.client.stream(methods.WATCH_TARGETS, v1.WatchTargetsRequest(worker_id="w", pid=1))
    await anext(lists)
    await counted(shadowed, 3, copies=100)  # nothing is copied in a pause, and that is no calm
    while plane.to_envoys.paused:
        times[0] += 250
        await counted(shadowed, times[0], copies=100)
        guard.look()
    assert 11_000 <= times[0] <= 12_000
    found = await shadow(shadowed)
    assert found.services[0].current_ppm == 100_000
    assert found.adjusted == [
        "catalog: 10% of the 100% that were asked for: mirroring began again after a pause, and climbs."
    ]
    await lists.aclose()


async def test_who_was_stopped_itself_blames_nobody(shadowed: Any) -> None:
    """Both were stopped for an hour, with the machine maybe: nobody was silent."""
    plane, times = shadowed.plane.plane, [0]
    guard = guarded(shadowed, times, absent_ms=1_000)
    for now_ms in (0, 250, 500, 3_600_500, 3_600_750, 3_601_000):
        times[0] = now_ms
        guard.look()
    assert not plane.to_envoys.paused


async def counted(stage: Any, sequence: int, *, copies: int, refused: int = 0, **more: Any) -> None:
    """Send a delta with the counters of that second."""
    values = {f"{COPY}.upstream_rq_total": copies, f"{BRANCH}.upstream_rq_pending_overflow": refused}
    node = v1.NodeCounters(node_id="tee~prod", epoch="1", at_ms=sequence * 1000, counters=values, memory_bytes=5)
    await stage.client.call(
        methods.SUBMIT_DELTA,
        v1.Delta(worker_id="w", sequence=sequence, at_ms=sequence * 1000, counters=[node], **more),
    )


async def test_a_full_disk_does_not_keep_a_share_up(shadowed: Any, store: MemoryStore) -> None:
    """It is in force at once, and committed when there is room."""
    await counted(shadowed, 1, copies=0)
    store.failing = "the disk is full."
    before = shares(shadowed)
    with pytest.raises(MicrostaxError):
        await counted(shadowed, 2, copies=1000, refused=900)
    found = await shadow(shadowed)
    assert found.services[0].current_ppm == 100_000
    assert found.adjusted == [
        "catalog: 10% of the 100% that were asked for: the branch does not keep up, 900 of 1,000 copies found no room."
    ]
    await shadowed.plane.plane.publisher.settled("tee~prod")
    assert shares(shadowed) != before
    assert not shadowed.plane.plane.state.shadows["branch"].in_force
    store.failing = ""
    await counted(shadowed, 2, copies=1000, refused=900)
    assert shadowed.plane.plane.state.shadows["branch"].in_force == {"catalog": 100_000}
    assert (await shadow(shadowed)).services[0].current_ppm == 100_000


async def test_a_delta_that_is_sent_again_still_measures(shadowed: Any, store: MemoryStore) -> None:
    await counted(shadowed, 1, copies=0)
    store.failing = "the disk is full."
    measured = v1.NodeCounters(
        node_id="tee~prod", epoch="1", at_ms=9_000, counters={f"{COPY}.upstream_rq_total": 16_000}
    )
    with pytest.raises(MicrostaxError):
        await counted(shadowed, 2, copies=10, measured=[measured], lag_ms=3_000)
    assert (await shadow(shadowed)).services[0].current_ppm < 200_000


async def test_workers_say_which_envoys_they_cannot_look_at(shadowed: Any) -> None:
    lists = shadowed.client.stream(methods.WATCH_TARGETS, v1.WatchTargetsRequest(worker_id="w", pid=1))
    await anext(lists)
    await counted(shadowed, 1, copies=0, problems=["tee~prod cannot be looked at: another client polls its tap."])
    found = await status(shadowed)
    assert "tee~prod cannot be looked at: another client polls its tap." in found.problems
    await counted(shadowed, 2, copies=0, memory_bytes=77)
    found = await status(shadowed)
    assert not any("cannot be looked at" in one for one in found.problems)
    assert found.workers[0].memory_bytes == 77
    await lists.aclose()


@pytest.fixture
def store(stage: Any) -> MemoryStore:
    """Return the store of the stage."""
    found = stage.store
    assert isinstance(found, MemoryStore)
    return found


async def test_one_look_that_fails_does_not_end_the_guard(shadowed: Any) -> None:
    """A mistake in reading one Envoy's memory, say, leaves the next look in place."""
    honest, failed = shadowed.runtime.memory, asyncio.Event()

    def fail_once(key: Any) -> int | None:
        shadowed.runtime.memory = honest
        failed.set()
        raise ValueError("what nobody expected")

    shadowed.runtime.memory = fail_once
    await failed.wait()
    shadowed.runtime.resident[ENVOY] = 800 * MIB
    assert "800 MiB" in (await paused(shadowed)).paused
