"""What /proc says of processes (proc_pid_stat(5)). A pid names nothing for long; a pid with its start time does."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STATE, _SESSION, _START = 0, 3, 19
"""Fields of /proc/PID/stat, counted from the one after the command's name."""
_DEAD: Final = ("Z", "X", "x")
PROC: Final = Path("/proc")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_RESIDENT: Final = 1
"""The field of /proc/PID/statm that has the pages in memory."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process and no other: its pid, and when it started in clock ticks since boot."""

    pid: int
    start_ticks: int


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process as /proc shows it; `alive` is False for a zombie."""

    identity: ProcessIdentity
    session: int
    alive: bool


def process_info(pid: int) -> ProcessInfo | None:
    """Return what /proc says of a pid, or None if there is no such process."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].decode("ascii", "replace").split()
    return ProcessInfo(
        identity=ProcessIdentity(pid, int(fields[_START])),
        session=int(fields[_SESSION]),
        alive=fields[_STATE] not in _DEAD,
    )


def is_alive(identity: ProcessIdentity) -> bool:
    """Tell whether this very process still runs (a zombie does not)."""
    info = process_info(identity.pid)
    return info is not None and info.identity == identity and info.alive


def resident_bytes(pid: int) -> int | None:
    """Return how much memory a process holds, in bytes, or None if there is no such process. A microsecond's work."""
    try:
        pages = (PROC / str(pid) / "statm").read_bytes().split()[_RESIDENT]
    except (OSError, IndexError):
        return None
    return int(pages) * _PAGE_BYTES


def process_ids() -> Iterator[int]:
    """Return all pids but our own."""
    own = os.getpid()
    for name in os.listdir(PROC):
        if name.isdecimal() and int(name) != own:
            yield int(name)


def owned_environ(pid: int) -> dict[bytes, bytes] | None:
    """Return the environment that a process of our user was started with, or None if it is not ours to see."""
    folder = PROC / str(pid)
    try:
        if folder.stat().st_uid != os.geteuid():
            return None
        text = (folder / "environ").read_bytes()
    except OSError:
        return None
    pairs = (entry.partition(b"=") for entry in text.split(b"\0"))
    return {name: value for name, _, value in pairs if name}


def boot_id() -> str:
    """Return the id of this boot: start times mean nothing across boots."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def command_line(pid: int) -> str:
    """Return the command line of a process for people, or an empty string."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""
