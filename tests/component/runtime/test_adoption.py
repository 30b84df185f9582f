"""The control plane is killed with SIGKILL: its processes serve on, and the next control plane finds and keeps them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from microstax.model.environment import LOOPBACK, Address, HealthCheck, ServicePhase
from microstax.runtime.local import LocalRuntime
from microstax.runtime.marker import marked_processes, spec_digest
from microstax.runtime.port import ProcessKey, ProcessSpec
from microstax.runtime.procfs import is_alive, process_info
from microstax.runtime.records import Leader, Records
from microstax.runtime.state import StateLock, lock_holder
from microstax.runtime.termination import all_members, terminate

KEY = ProcessKey("production", "catalog")
OTHER = ProcessKey("production", "pricing")
SERVICE = """
import http.server, os, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
CONTROL_PLANE = """
import asyncio, sys
from pathlib import Path
from microstax.model.environment import Address, HealthCheck
from microstax.runtime.local import LocalRuntime
from microstax.runtime.port import ProcessKey, ProcessSpec
from microstax.runtime.state import StateLock

async def main(state, program, *ports):
    StateLock(Path(state)).acquire()
    runtime = LocalRuntime(Path(state))
    await runtime.open()
    for name, port in zip(("catalog", "pricing"), ports):
        key = ProcessKey("production", name)
        await runtime.start(ProcessSpec(key=key, command=(sys.executable, "-c", program),
                                        address=Address("127.0.0.1", int(port)), health=HealthCheck(interval_s=0.05)))
        await runtime.wait_ready(key, timeout_s=30)
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Orphans:
    """What a control plane left that was killed."""

    state: Path
    ports: tuple[int, int]

    def spec(self, key: ProcessKey = KEY) -> ProcessSpec:
        """Return the spec that the killed control plane had for `key`."""
        return ProcessSpec(
            key=key,
            command=(sys.executable, "-c", SERVICE),
            address=Address(LOOPBACK, self.ports[key == OTHER]),
            health=HealthCheck(interval_s=0.05),
        )

    def leader(self, key: ProcessKey = KEY) -> int:
        """Return the pid that leads `key`."""
        leader = Records(self.state / "processes").read()[key]
        assert leader is not None
        return leader.identity.pid


@pytest.fixture
async def orphans(tmp_path: Path) -> AsyncIterator[Orphans]:
    """Start two services under a control plane, and kill it with SIGKILL."""
    state = tmp_path / "state"
    chooser = LocalRuntime(state)
    ports = (chooser.free_port(), chooser.free_port())
    arguments = ("-c", CONTROL_PLANE, str(state), SERVICE, *map(str, ports))
    control = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert control.stdout is not None
    assert await control.stdout.readline() == b"up\n"
    assert lock_holder(state) == control.pid
    control.kill()
    await control.wait()
    yield Orphans(state, ports)
    await terminate(lambda: all_members(state), timeout_s=2)


async def test_orphans_are_found_and_adopted(orphans: Orphans) -> None:
    """The same process serves on; nothing is restarted, and the lock of the dead control plane is free."""
    lock = StateLock(orphans.state)
    lock.acquire()
    pid = orphans.leader()
    runtime = LocalRuntime(orphans.state)
    assert await runtime.open() == (KEY, OTHER)
    await runtime.start(orphans.spec())
    status = await runtime.wait_ready(KEY, timeout_s=20)
    assert (status.pid, status.restarts) == (pid, 0)
    await runtime.detach()
    lock.release()


async def test_an_adopted_process_is_watched_like_a_child(orphans: Orphans) -> None:
    """It is no child of ours, and yet its end is seen, its leftovers go, and it starts again."""
    runtime = LocalRuntime(orphans.state)
    await runtime.open()
    await runtime.start(orphans.spec())
    pid = (await runtime.wait_ready(KEY, timeout_s=20)).pid
    assert pid is not None
    before = {one.info.identity for one in marked_processes(orphans.state) if one.key == KEY}
    assert len(before) == 2
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while (status := runtime.status(KEY)) is None or status.restarts == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    again = await runtime.wait_ready(KEY, timeout_s=20)
    assert again.pid != pid
    assert not [one for one in before if is_alive(one)]
    await runtime.stop_all()
    await runtime.detach()


async def test_another_spec_replaces_an_orphan(orphans: Orphans) -> None:
    pid = orphans.leader()
    runtime = LocalRuntime(orphans.state)
    await runtime.open()
    spec = orphans.spec()
    await runtime.start(
        ProcessSpec(key=KEY, command=spec.command, address=spec.address, health=spec.health, environ={"A": "1"})
    )
    assert (await runtime.wait_ready(KEY, timeout_s=20)).pid != pid
    await runtime.stop_all()
    await runtime.detach()


async def test_an_unwanted_orphan_is_stopped_with_all_it_started(orphans: Orphans) -> None:
    """One is stopped, the other one stays; its child in another session goes with it."""
    runtime = LocalRuntime(orphans.state)
    await runtime.open()
    await runtime.stop(KEY)
    assert {one.key for one in marked_processes(orphans.state)} == {OTHER}
    await runtime.stop_all()
    assert not marked_processes(orphans.state)
    await runtime.detach()


async def test_a_leader_that_died_meanwhile_leaves_a_stray_that_is_no_leader(orphans: Orphans) -> None:
    """The dead service's child is not taken for the service: it goes, and a new one starts."""
    pid = orphans.leader()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while (info := process_info(pid)) is not None and info.alive:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    strays = {one.info.identity for one in marked_processes(orphans.state) if one.key == KEY}
    runtime = LocalRuntime(orphans.state)
    assert KEY in await runtime.open()
    await runtime.start(orphans.spec())
    status = await runtime.wait_ready(KEY, timeout_s=20)
    assert status.phase is ServicePhase.READY
    assert not [one for one in strays if is_alive(one)]
    await runtime.stop_all()
    await runtime.detach()


async def test_without_its_record_a_process_is_found_by_its_markers(orphans: Orphans) -> None:
    """The control plane was killed between starting a process and writing its record."""
    pid = orphans.leader()
    for record in (orphans.state / "processes").iterdir():
        record.unlink()
    runtime = LocalRuntime(orphans.state)
    assert await runtime.open() == (KEY, OTHER)
    await runtime.start(orphans.spec())
    assert (await runtime.wait_ready(KEY, timeout_s=20)).pid == pid
    await runtime.stop_all()
    await runtime.detach()


async def test_another_state_folder_sees_nothing_of_it(orphans: Orphans, tmp_path: Path) -> None:
    """Stopping everything of one state folder leaves the processes of another one alone."""
    other = LocalRuntime(tmp_path / "other")
    assert await other.open() == ()
    await other.stop_all()
    await other.detach()
    assert process_info(orphans.leader()) is not None


async def test_detaching_leaves_everything_running(tmp_path: Path, python_spec: Callable[..., ProcessSpec]) -> None:
    runtime = LocalRuntime(tmp_path / "state")
    await runtime.open()
    await runtime.start(python_spec("import time; time.sleep(600)"))
    status = runtime.status(KEY)
    assert status is not None
    await runtime.detach()
    following = LocalRuntime(tmp_path / "state")
    assert await following.open() == (KEY,)
    await following.start(python_spec("import time; time.sleep(600)"))
    kept = following.status(KEY)
    assert kept is not None
    assert kept.pid == status.pid
    await following.stop_all()
    await following.detach()


async def test_a_process_that_wrote_over_its_environment_is_found_by_its_record(tmp_path: Path) -> None:
    """Servers that write a title over their environment carry no markers any more."""
    state = tmp_path / "state"
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    spec = ProcessSpec(key=KEY, command=command)
    process = await asyncio.create_subprocess_exec(*command, start_new_session=True)
    info = process_info(process.pid)
    assert info is not None
    Records(state / "processes").write(KEY, Leader(info.identity, spec_digest(spec)))
    assert not marked_processes(state)
    runtime = LocalRuntime(state)
    assert await runtime.open() == (KEY,)
    await runtime.start(spec)
    assert (await runtime.wait_ready(KEY, timeout_s=5)).pid == process.pid
    await runtime.stop(KEY)
    assert await process.wait() == -signal.SIGTERM
    await runtime.detach()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "production/catalog", "pid": "x"}', '{"key": 5}'])
async def test_half_a_record_is_no_record(tmp_path: Path, text: str) -> None:
    """A power cut left it behind: it is passed over, and written again by the next start."""
    folder = tmp_path / "state" / "processes"
    folder.mkdir(parents=True)
    (folder / "production~catalog~service.json").write_text(text)
    assert Records(folder).read() == {}
