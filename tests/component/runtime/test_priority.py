"""What compares gives way where processors are short, and nothing that users or verdicts depend on does."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from microstax.runtime import priority
from microstax.runtime.local import LocalRuntime
from microstax.runtime.port import ProcessKey, ProcessRole

SLEEP = "import time; time.sleep(600)"


async def started(runtime: LocalRuntime, python_spec: Any, role: ProcessRole) -> int:
    """Start a process of this role; return its pid."""
    spec = replace(python_spec(SLEEP), key=ProcessKey("production", "catalog", role))
    await runtime.start(spec)
    status = runtime.status(spec.key)
    assert status is not None
    assert status.pid is not None
    return status.pid


def of_session(pid: int | str) -> str:
    """Return the niceness of a process's session, empty where this kernel does not group by session."""
    path = Path(f"/proc/{pid}/autogroup")
    return path.read_text().split()[-1] if path.exists() else ""


async def test_a_worker_gives_way(runtime: LocalRuntime, python_spec: Any) -> None:
    pid = await started(runtime, python_spec, ProcessRole.WORKER)
    assert os.getpriority(os.PRIO_PROCESS, pid) == max(priority.NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH
    assert of_session(pid) in {"", str(os.getpriority(os.PRIO_PROCESS, pid))}


@pytest.mark.parametrize("role", [ProcessRole.ENVOY, ProcessRole.SERVICE, ProcessRole.CONTROL])
async def test_nobody_else_does(runtime: LocalRuntime, python_spec: Any, role: ProcessRole) -> None:
    pid = await started(runtime, python_spec, role)
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert os.sched_getscheduler(pid) == os.sched_getscheduler(0)


def test_a_child_that_has_ended_is_no_error() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    priority.give_way(pid)
