"""What can go wrong, each as a context: it goes wrong when one enters, and is well again after one leaves."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from resource import RLIMIT_FSIZE, prlimit
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from matrix import mad_plane, modes
from matrix.child import Child
from matrix.stage import BRANCH, PASSER, PRICING, Stage, eventually, run
from microstax.api import methods
from microstax.api.address import management_address
from microstax.control import layout
from microstax.envoy import tap_request
from microstax.errors import MicrostaxError

Context = AbstractAsyncContextManager[None]
Begin = Callable[[Stage], Context]

_AGAIN_S: Final = 6.0
"""How often a process is killed: what ends more often is started again after longer and longer pauses."""
_SLOW_PERIOD_S: Final = 0.2
_SLOW_SHARE: Final = 0.1
_TOGGLE_S: Final = 0.6
"""On, or off: 50 times a minute each."""


def branch(mode: str) -> Begin:
    """Let the branch behave as `mode` says."""

    @asynccontextmanager
    async def context(stage: Stage) -> AsyncIterator[None]:
        await stage.branch.say(mode=mode)
        try:
            yield
        finally:
            await stage.branch.say(mode=modes.HEALTHY)

    return context


@asynccontextmanager
async def branch_killed(stage: Stage) -> AsyncIterator[None]:
    """Kill the branch: nobody listens there."""
    await stage.branch.kill()
    try:
        yield
    finally:
        await stage.branch.start()
        await stage.branch.heard()


async def worker_pid(stage: Stage) -> int:
    """Return the worker's process; wait until there is one."""

    async def found() -> int:
        workers = (await stage.status()).workers
        return next((one.pid for one in workers if one.worker_id.startswith(layout.WORKER_NAME)), 0)

    return int(await eventually(found, "no worker"))


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to one process, if it is still there; never to a group."""
    assert pid > 1, pid
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@asynccontextmanager
async def worker_killed(stage: Stage) -> AsyncIterator[None]:
    """Kill the worker, again and again."""
    async with repeated(lambda: _kill_worker(stage, signal.SIGKILL), every_s=_AGAIN_S):
        yield


@asynccontextmanager
async def worker_restarted(stage: Stage) -> AsyncIterator[None]:
    """Ask the worker to end, again and again: it starts anew each time."""
    async with repeated(lambda: _kill_worker(stage, signal.SIGTERM), every_s=_AGAIN_S):
        yield


async def _kill_worker(stage: Stage, number: signal.Signals) -> None:
    with suppress(TimeoutError, MicrostaxError):
        send(await worker_pid(stage), number)


@asynccontextmanager
async def worker_stopped(stage: Stage) -> AsyncIterator[None]:
    """Stop the worker: it is there and does nothing."""
    pid = await worker_pid(stage)
    send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pid, signal.SIGCONT)


@asynccontextmanager
async def worker_slow(stage: Stage) -> AsyncIterator[None]:
    """Let the worker run a tenth of the time."""
    pid = await worker_pid(stage)

    async def turn() -> None:
        send(pid, signal.SIGSTOP)
        await asyncio.sleep(_SLOW_PERIOD_S * (1 - _SLOW_SHARE))
        send(pid, signal.SIGCONT)

    try:
        async with repeated(turn, every_s=_SLOW_PERIOD_S * _SLOW_SHARE):
            yield
    finally:
        send(pid, signal.SIGCONT)


@asynccontextmanager
async def two_workers(stage: Stage) -> AsyncIterator[None]:
    """Let a second worker report for work, and somebody who is no worker poll the tap as well."""
    address = management_address(stage.state)
    words = ("-m", "microstax.worker", "--control", address, "--id", "second")
    log = (stage.home / "second-worker.log").open("ab")
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stderr=log)

    async def poll() -> None:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with stage.admin("POST", "/tap", data=tap_request(100, 300, 1000)) as response:
                await response.read()

    try:
        async with repeated(poll, every_s=0.05):
            yield
    finally:
        process.terminate()
        await process.wait()
        log.close()


@asynccontextmanager
async def control_killed(stage: Stage) -> AsyncIterator[None]:
    """Kill the control plane; it comes back at the end."""
    await stage.kill_control()
    try:
        yield
    finally:
        await stage.up()


@asynccontextmanager
async def control_stopped(stage: Stage) -> AsyncIterator[None]:
    """Stop the control plane: it is there and says nothing."""
    pid = (await stage.status()).pid
    send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pid, signal.SIGCONT)


def control_restarted(*, empty: bool) -> Begin:
    """Restart the control plane with the state of before the overlays, or with none at all."""

    @asynccontextmanager
    async def context(stage: Stage) -> AsyncIterator[None]:
        newest = stage.home / "newest"
        await stage.kill_control()
        await stage.copy_database(stage.state, newest)
        stage.remove_database()
        if not empty:
            await stage.copy_database(stage.home / "older", stage.state)
        try:
            await stage.up()
            yield
        finally:
            await stage.kill_control()
            stage.remove_database()
            await stage.copy_database(newest, stage.state)
            await stage.up()

    return context


def control_mad(madness: str) -> Begin:
    """Put another control plane in the place of ours, that sends what it should not."""

    @asynccontextmanager
    async def context(stage: Stage) -> AsyncIterator[None]:
        await stage.kill_control()
        try:
            async with Child("matrix.mad_plane", stage.state, madness) as mad:
                await mad.heard()
                if madness in {mad_plane.CLUSTERS, mad_plane.ROUTES}:

                    async def refused() -> bool:
                        return bool((await mad.say())["refused"])

                    await eventually(refused, "Envoy refuses nothing")
                else:
                    await asyncio.sleep(2)
                yield
        finally:
            await stage.up()

    return context


@asynccontextmanager
async def disk_full(stage: Stage) -> AsyncIterator[None]:
    """Let the control plane make no file longer: what a full disk, or a quota, does to it."""
    pid = (await stage.status()).pid
    before = prlimit(pid, RLIMIT_FSIZE)
    prlimit(pid, RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        prlimit(pid, RLIMIT_FSIZE, before)


@asynccontextmanager
async def store_locked(stage: Stage) -> AsyncIterator[None]:
    """Hold the database, as another program may."""
    database = sqlite3.connect(stage.database, isolation_level=None, timeout=20)
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.execute("ROLLBACK")
        database.close()


@asynccontextmanager
async def store_read_only(stage: Stage) -> AsyncIterator[None]:
    """Let the control plane come back to a database that it may only read (also as root: a byte of it says so)."""
    await stage.kill_control()
    database = sqlite3.connect(stage.database)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    before = _write_version(stage.database, 3)
    try:
        code, said = await run(stage.state, "up", "--detach")
        if code == 0:
            await stage.status()
        elif "Traceback" in said or code != 4:
            raise AssertionError(f"up with a read-only database ended with {code}: {said}")
        yield
    finally:
        with suppress(MicrostaxError):
            await stage.kill_control()
        _write_version(stage.database, before)
        await stage.up()


def _write_version(database: Path, version: int) -> int:
    """Set the file format's write version (https://www.sqlite.org/fileformat.html, offset 18); above 2 is read-only."""
    with database.open("r+b") as file:
        file.seek(18)
        (before,) = file.read(1)
        file.seek(18)
        file.write(bytes([version]))
    return int(before)


@asynccontextmanager
async def bridge_killed(stage: Stage) -> AsyncIterator[None]:
    """Let the branch call another service through its bridge, and kill that again and again."""
    overlay = await stage.call(methods.GET_OVERLAY, name=BRANCH)
    url = next(one.url for one in overlay.services if one.name == PRICING)
    await stage.branch.say(mode=modes.CALLS, call=urlsplit(url).port)
    node = layout.bridge_node(BRANCH)

    async def kill() -> None:
        with suppress(MicrostaxError):
            if pid := next((one.pid for one in (await stage.status()).envoys if one.node_id == node), 0):
                send(pid, signal.SIGKILL)

    try:
        async with repeated(kill, every_s=_AGAIN_S):
            yield
    finally:
        await stage.branch.say(mode=modes.HEALTHY)


@asynccontextmanager
async def toggled(stage: Stage) -> AsyncIterator[None]:
    """Switch the shadow off and on 50 times a minute."""

    async def toggle() -> None:
        with suppress(MicrostaxError):
            await stage.shadow(BRANCH, enable=False)
            await asyncio.sleep(_TOGGLE_S / 2)
            await stage.shadow(BRANCH)

    try:
        async with repeated(toggle, every_s=_TOGGLE_S / 2):
            yield
    finally:
        await stage.shadow(BRANCH)


@asynccontextmanager
async def overlays_come_and_go(stage: Stage) -> AsyncIterator[None]:
    """Make, shadow and delete another overlay, again and again."""
    url = f"http://127.0.0.1:{stage.ports.branch}"

    async def once() -> None:
        await stage.overlay(PASSER, url)
        try:
            await stage.shadow(PASSER)
            await asyncio.sleep(0.3)
        finally:
            await stage.stream(methods.DELETE_OVERLAY, name=PASSER)

    async with repeated(once, every_s=0.1):
        yield


def tee_ended(number: signal.Signals) -> Begin:
    """End the tee itself, once: the one fault that users notice."""

    @asynccontextmanager
    async def context(stage: Stage) -> AsyncIterator[None]:
        pid = await stage.tee_pid()
        send(pid, number)

        async def back() -> bool:
            with suppress(MicrostaxError):
                return await stage.tee_pid() not in {0, pid}
            return False

        await eventually(back, "the tee does not come back")
        yield

    return context


@asynccontextmanager
async def repeated(act: Callable[[], Awaitable[None]], *, every_s: float) -> AsyncIterator[None]:
    """Do something again and again while the context is open; what is begun is finished."""
    over = asyncio.Event()

    async def loop() -> None:
        while not over.is_set():
            await act()
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await over.wait()

    task = asyncio.get_running_loop().create_task(loop())
    try:
        yield
    finally:
        over.set()
        await task
