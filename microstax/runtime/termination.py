"""Ending a process with everything it started, and nothing else.

Its own are those in its session, and those that carry its markers (a child that made a session of its own has them
still). A signal goes through a pidfd after the process was checked again, so a pid that was reused is never hit.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from microstax.runtime.marker import marked_processes
from microstax.runtime.port import ProcessKey
from microstax.runtime.procfs import ProcessIdentity, ProcessInfo, is_alive, process_ids, process_info

_POLL_S: Final = 0.02
_KILL_ROUNDS: Final = 50
"""So often survivors are looked for after SIGKILL: a process may start others until it is hit itself."""

Members = Callable[[], list[ProcessIdentity]]


def members_of(key: ProcessKey, leader: ProcessIdentity | None, *, state: Path) -> list[ProcessIdentity]:
    """Return the living processes that belong to `key`: its leader, the leader's session, all with its markers."""
    found = {one.info.identity for one in marked_processes(state) if one.key == key}
    if leader is not None:
        found.update(info.identity for info in _session(leader))
    return sorted(found, key=lambda identity: (identity.start_ticks, identity.pid))


def all_members(state: Path) -> list[ProcessIdentity]:
    """Return all living processes that carry the markers of a state folder."""
    return [one.info.identity for one in marked_processes(state)]


def _session(leader: ProcessIdentity) -> list[ProcessInfo]:
    now = process_info(leader.pid)
    if now is not None and now.identity != leader:
        return []  # the pid names somebody else by now, and so may the session
    infos = (process_info(pid) for pid in process_ids())
    return [info for info in infos if info and info.alive and leader.pid in (info.session, info.identity.pid)]


async def terminate(members: Members, *, timeout_s: float) -> list[ProcessIdentity]:
    """End all that `members` finds: SIGTERM, after `timeout_s` SIGKILL. Return those that did not even then end."""
    signalled = await asyncio.to_thread(members)
    _signal_all(signalled, signal.SIGTERM)
    await _wait_for(signalled, timeout_s=timeout_s)
    for _ in range(_KILL_ROUNDS):
        survivors = await asyncio.to_thread(members)
        if not survivors:
            return []
        _signal_all(survivors, signal.SIGKILL)
        await asyncio.sleep(_POLL_S)
    return survivors


async def _wait_for(processes: list[ProcessIdentity], *, timeout_s: float) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout_s
    left = processes
    while left and clock() < deadline:
        await asyncio.sleep(_POLL_S)
        left = [one for one in left if is_alive(one)]


def _signal_all(processes: list[ProcessIdentity], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            _signal(process, number)


def _signal(process: ProcessIdentity, number: signal.Signals) -> None:
    descriptor = os.pidfd_open(process.pid)
    try:
        if is_alive(process):
            signal.pidfd_send_signal(descriptor, number)
            if number is signal.SIGTERM:
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)  # a stopped process cannot end itself
    finally:
        os.close(descriptor)
