"""What holds production's bodies leaves no core dump; users' own services keep the limit they would have had."""

import asyncio
import resource
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from microstax.runtime import core_dumps
from microstax.runtime.local import LocalRuntime
from microstax.runtime.port import ProcessKey, ProcessRole

SLEEP = "import time; time.sleep(600)"
FOUND = 4096 * 1024


@pytest.fixture(autouse=True)
def own_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with a limit of FOUND, and give this process its own back."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] not in {resource.RLIM_INFINITY} and before[1] < FOUND:
        pytest.skip("this machine allows no core dumps at all")
    monkeypatch.setattr(core_dumps, "_found", [])
    monkeypatch.delenv(core_dumps.VARIABLE, raising=False)
    resource.setrlimit(resource.RLIMIT_CORE, (FOUND, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def limit_of(pid: int) -> int:
    return resource.prlimit(pid, resource.RLIMIT_CORE)[0]


async def started(runtime: LocalRuntime, python_spec: Any, role: ProcessRole) -> int:
    """Start a process of this role; return its limit."""
    spec = replace(python_spec(SLEEP), key=ProcessKey("production", "catalog", role))
    await runtime.start(spec)
    status = runtime.status(spec.key)
    assert status is not None
    assert status.pid is not None
    return limit_of(status.pid)


@pytest.mark.parametrize(
    ("role", "limit"),
    [
        (ProcessRole.ENVOY, core_dumps.WITHHELD),
        (ProcessRole.WORKER, core_dumps.WITHHELD),
        (ProcessRole.SERVICE, FOUND),
        (ProcessRole.CONTROL, FOUND),
    ],
)
async def test_our_own_processes_leave_none_and_services_are_left_alone(
    runtime: LocalRuntime, python_spec: Any, role: ProcessRole, limit: int
) -> None:
    core_dumps.withhold_own()
    assert limit_of(0) == core_dumps.WITHHELD
    assert await started(runtime, python_spec, role) == limit


async def test_a_variable_leaves_all_limits_alone(
    runtime: LocalRuntime, python_spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(core_dumps.VARIABLE, "1")
    core_dumps.withhold_own()
    assert limit_of(0) == FOUND
    assert await started(runtime, python_spec, ProcessRole.ENVOY) == FOUND


async def test_a_process_that_aborts_leaves_no_file(tmp_path: Path) -> None:
    core_dumps.withhold_own()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import os; os.abort()"), cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() < 0
    assert list(tmp_path.iterdir()) == []
