"""The fake keeps the port's promises, so that a test against it means something."""

import asyncio
from pathlib import Path

import pytest

from microstax.errors import NotFoundError, ServiceFailedError
from microstax.model.environment import ServicePhase
from microstax.runtime.fake import FakeRuntime
from microstax.runtime.local import LocalRuntime
from microstax.runtime.port import ProcessKey, ProcessSpec, Runtime

KEY = ProcessKey("production", "catalog")
SPEC = ProcessSpec(key=KEY, command=("run",))


def test_both_runtimes_are_runtimes(tmp_path: Path) -> None:
    """Holds for the type checker; here, that neither lacks a method of the port."""
    port = {name for name in vars(Runtime) if not name.startswith("_")}
    runtimes: list[Runtime] = [FakeRuntime(), LocalRuntime(tmp_path)]
    for runtime in runtimes:
        assert not [name for name in port if not callable(getattr(runtime, name, None))]


async def test_a_started_process_is_ready_and_listeners_hear_of_it() -> None:
    runtime = FakeRuntime()
    heard = []
    runtime.subscribe(lambda key, status: heard.append((key, status.phase)))
    await runtime.start(SPEC)
    await runtime.start(SPEC)
    assert (await runtime.wait_ready(KEY, timeout_s=1)).phase is ServicePhase.READY
    await runtime.stop(KEY)
    await runtime.stop(KEY)
    assert heard == [(KEY, ServicePhase.READY), (KEY, ServicePhase.STOPPED)]
    assert runtime.calls == [("start", "production/catalog"), ("stop", "production/catalog")]
    assert runtime.status(KEY) is None


async def test_failures_are_the_ones_that_a_test_asked_for() -> None:
    runtime = FakeRuntime()
    runtime.refused[KEY] = ServiceFailedError("no such command")
    with pytest.raises(ServiceFailedError, match="no such command"):
        await runtime.start(SPEC)
    runtime.refused.clear()
    runtime.unhealthy[KEY] = "connection refused"
    await runtime.start(SPEC)
    with pytest.raises(ServiceFailedError, match="connection refused"):
        await runtime.wait_ready(KEY, timeout_s=1)
    with pytest.raises(NotFoundError):
        await runtime.wait_ready(ProcessKey("production", "other"), timeout_s=1)


async def test_waiting_ends_when_the_phase_does() -> None:
    runtime = FakeRuntime()
    await runtime.start(SPEC)
    runtime.set_phase(KEY, ServicePhase.RESTARTING, "exit code 1")
    waiting = asyncio.ensure_future(runtime.wait_ready(KEY, timeout_s=10))
    await asyncio.sleep(0)
    runtime.set_phase(KEY, ServicePhase.READY)
    assert (await waiting).restarts == 1


async def test_groups_and_processes_of_an_earlier_control_plane() -> None:
    orphan = ProcessKey("branch", "catalog")
    runtime = FakeRuntime(found=(orphan,))
    assert await runtime.open() == (orphan,)
    await runtime.start(SPEC)
    await runtime.stop_group("branch")
    assert list(runtime.statuses("production")) == [KEY]
    await runtime.stop_all()
    assert runtime.statuses() == {}
    assert [call for call, _ in runtime.calls] == ["start", "stop", "stop"]
    assert len({runtime.free_port() for _ in range(5)}) == 5
