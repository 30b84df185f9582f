"""A worker process between a control plane and a scripted Envoy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from worker_harness import ControlPlane, StartWorker, WorkerProcess, start_worker

from microstax.generated.management.microstax.management.v1 import Target, TargetShadow
from microstax.testing import ScriptedTap


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    plane = ControlPlane(tmp_path / "api.sock")
    await plane.start()
    yield plane
    await plane.stop()


@pytest.fixture
async def tap(tmp_path: Path) -> AsyncIterator[ScriptedTap]:
    async with ScriptedTap(tmp_path / "admin.sock") as scripted:
        yield scripted


@pytest.fixture
def target(tap: ScriptedTap) -> Target:
    shadow = TargetShadow(
        overlay="shadow-test", service="catalog", control="none", max_body_bytes=65_536, timeout_ms=15_000
    )
    return Target(node_id="tee-shop", role="tee", admin_address=tap.address, shadows=[shadow])


@pytest.fixture(name="start_worker")
async def start_worker_fixture(control: ControlPlane) -> AsyncIterator[StartWorker]:
    """Start workers that are killed at the end of the test, if they still run."""
    started: list[WorkerProcess] = []

    async def start() -> WorkerProcess:
        started.append(await start_worker(control.address))
        return started[-1]

    yield start
    for one in started:
        await one.kill()


@pytest.fixture
async def worker(start_worker: StartWorker) -> WorkerProcess:
    return await start_worker()
