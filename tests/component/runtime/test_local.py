"""Real processes: started, watched, started again, stopped with all that they started, and nothing else touched."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from microstax.errors import NotFoundError, PortInUseError, ServiceFailedError
from microstax.model.environment import LOOPBACK, Address, HealthCheck, ServicePhase, ServiceStatus
from microstax.runtime.local import LocalRuntime
from microstax.runtime.port import ProcessKey, ProcessSpec
from microstax.runtime.procfs import process_info

Make = Callable[..., ProcessSpec]
KEY = ProcessKey("production", "catalog")
SLEEP = "import time; time.sleep(600)"


async def until(condition: Callable[[], object], *, timeout_s: float = 15.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.01)


def pid_in(path: Path) -> int | None:
    """Return the pid that a program wrote, once it is complete."""
    text = path.read_text() if path.exists() else ""
    return int(text) if text.endswith("\n") else None


def runs(pid: int | None) -> bool:
    """Tell whether a pid is a process that is no zombie."""
    info = process_info(pid) if pid else None
    return info is not None and info.alive


async def test_a_service_gets_ready_and_stops(runtime: LocalRuntime, server_spec: Make) -> None:
    """The port comes in PORT, the log is a file, and after a stop nothing is left."""
    spec = server_spec()
    await runtime.start(spec)
    status = await runtime.wait_ready(KEY, timeout_s=20)
    assert status.phase is ServicePhase.READY
    assert status.address == spec.address
    assert runs(status.pid)
    assert runtime.log_path(KEY).read_text() == "listening\n"
    assert runtime.statuses("production") == {KEY: status}
    await runtime.stop(KEY)
    assert runtime.status(KEY) is None
    assert not runs(status.pid)
    await runtime.stop(KEY)


async def test_every_kind_of_check(runtime: LocalRuntime, server_spec: Make) -> None:
    """A check without a path is an accepted connection; an answer of 500 or more is not healthy, 404 is."""
    await runtime.start(server_spec(path=None, ANSWER="500"))
    await runtime.wait_ready(KEY, timeout_s=20)
    other = ProcessKey("production", "pricing")
    await runtime.start(server_spec(key=other, ANSWER="503"))
    await until(lambda: (status := runtime.status(other)) and "answered" in status.message)
    with pytest.raises(ServiceFailedError, match=r"GET /healthz on 127\.0\.0\.1:\d+ answered 503"):
        await runtime.wait_ready(other, timeout_s=0.1)
    third = ProcessKey("production", "search")
    await runtime.start(server_spec(key=third, ANSWER="404"))
    await runtime.wait_ready(third, timeout_s=20)


async def test_an_equal_spec_keeps_the_process_and_another_one_replaces_it(
    runtime: LocalRuntime, server_spec: Make
) -> None:
    spec = server_spec()
    await runtime.start(spec)
    first = (await runtime.wait_ready(KEY, timeout_s=20)).pid
    await runtime.start(replace(spec, health=HealthCheck(path="/other")))
    assert (await runtime.wait_ready(KEY, timeout_s=20)).pid == first
    await runtime.start(replace(spec, environ={"COLOUR": "blue"}))
    second = await runtime.wait_ready(KEY, timeout_s=20)
    assert second.pid != first
    assert not runs(first)


async def test_a_crash_is_followed_by_a_restart(runtime: LocalRuntime, server_spec: Make) -> None:
    """Listeners see it restart, the count goes up, the log goes on in the same file."""
    seen: list[ServiceStatus] = []
    runtime.subscribe(lambda _key, status: seen.append(status))
    await runtime.start(server_spec())
    pid = (await runtime.wait_ready(KEY, timeout_s=20)).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: any(status.phase is ServicePhase.RESTARTING for status in seen))
    again = await runtime.wait_ready(KEY, timeout_s=20)
    assert again.restarts == 1
    assert again.pid != pid
    assert runtime.log_path(KEY).read_text() == "listening\n" * 2
    assert any("signal 9" in status.message for status in seen)


async def test_a_service_that_never_stays_up_fails_with_its_log(runtime: LocalRuntime, python_spec: Make) -> None:
    """Waiting ends long before the time limit, and the error shows what the service itself said."""
    address = Address(LOOPBACK, runtime.free_port())
    source = "import sys; print('no database configured'); sys.exit(7)"
    await runtime.start(python_spec(source, health=HealthCheck(interval_s=0.05), address=address))
    with pytest.raises(ServiceFailedError, match="exit code 7") as caught:
        await runtime.wait_ready(KEY, timeout_s=50)
    assert "    no database configured" in caught.value.message
    assert str(runtime.log_path(KEY)) in caught.value.message
    status = runtime.status(KEY)
    assert status is not None
    assert status.phase is ServicePhase.FAILED


async def test_a_service_that_never_listens_fails_with_its_log(runtime: LocalRuntime, python_spec: Make) -> None:
    address = Address(LOOPBACK, runtime.free_port())
    source = f"print('waiting for godot', flush=True); {SLEEP}"
    await runtime.start(python_spec(source, health=HealthCheck(interval_s=0.05), address=address))
    await until(lambda: runtime.log_path(KEY).read_text())
    with pytest.raises(ServiceFailedError, match="did not become healthy within 0.5 s") as caught:
        await runtime.wait_ready(KEY, timeout_s=0.5)
    assert "waiting for godot" in caught.value.message
    assert "refused (it has to listen on 127.0.0.1 at $PORT)" in caught.value.message


async def test_what_cannot_be_started_is_said_at_once(runtime: LocalRuntime, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\1\2")
    garbage.chmod(0o700)
    for command, workdir, problem in (
        (("no-such-command-at-all",), None, "'no-such-command-at-all' is not found in PATH"),
        (("./missing",), str(tmp_path), "there is no file"),
        (("./plain",), str(tmp_path), r"not executable \(chmod \+x\)"),
        (("./garbage",), str(tmp_path), r"Exec format error: .*garbage \(a script begins with '#!'"),
        ((str(tmp_path),), None, "is a folder, not a program"),
        (("true",), str(tmp_path / "nowhere"), "folder .*nowhere does not exist"),
    ):
        with pytest.raises(ServiceFailedError, match=problem):
            await runtime.start(ProcessSpec(key=KEY, command=command, workdir=workdir))
    assert runtime.status(KEY) is None
    with pytest.raises(NotFoundError):
        await runtime.wait_ready(KEY, timeout_s=1)


async def test_a_taken_port_names_its_holder(runtime: LocalRuntime, python_spec: Make) -> None:
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"Port {port} .* in use by process {os.getpid()} \("):
            await runtime.start(python_spec(SLEEP, address=Address(LOOPBACK, port)))


async def test_grandchildren_are_stopped_also_in_sessions_of_their_own(
    runtime: LocalRuntime, python_spec: Make, tmp_path: Path
) -> None:
    """A child, and a child that left the session and ignores SIGTERM, go with their service; a stranger stays."""
    source = f"""
import subprocess, sys
sleep = [sys.executable, "-c", {SLEEP!r}]
deaf = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True); " \
    "time.sleep(600)"
print(subprocess.Popen(sleep).pid, file=open({str(tmp_path / "near")!r}, "w"), flush=True)
subprocess.Popen([sys.executable, "-c", deaf], stdout=open({str(tmp_path / "far")!r}, "w"), start_new_session=True)
{SLEEP}
"""
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)  # noqa: ASYNC220
    try:
        await runtime.start(python_spec(source, stop_timeout_s=0.5))
        await until(lambda: pid_in(tmp_path / "near") and pid_in(tmp_path / "far"))
        near, far = pid_in(tmp_path / "near"), pid_in(tmp_path / "far")
        assert runs(near)
        assert runs(far)
        await runtime.stop(KEY)
        assert not runs(near)
        assert not runs(far)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_what_a_crashed_service_left_is_gone_before_it_starts_again(
    runtime: LocalRuntime, python_spec: Make, tmp_path: Path
) -> None:
    source = f"""
import subprocess, sys, os, pathlib
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
with open({str(tmp_path / "children")!r}, "a") as file:
    print(child.pid, file=file)
{SLEEP}
"""
    children = tmp_path / "children"
    await runtime.start(python_spec(source))
    await until(lambda: children.exists() and children.read_text().endswith("\n"))
    status = runtime.status(KEY)
    assert status is not None
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    await until(lambda: children.read_text().count("\n") == 2)
    first, second = map(int, children.read_text().split())
    assert not runs(first)
    assert runs(second)


async def test_no_zombie_is_left(runtime: LocalRuntime, python_spec: Make, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    await runtime.start(python_spec(f"import os; print(os.getpid(), file=open({str(pids)!r}, 'a'))"))
    await until(lambda: pids.exists() and pids.read_text().count("\n") >= 3)
    await runtime.stop(KEY)
    assert [pid for pid in map(int, pids.read_text().split()) if Path(f"/proc/{pid}").exists()] == []
