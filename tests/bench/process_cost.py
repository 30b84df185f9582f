"""What processes cost, from /proc: CPU of all their threads, resident memory and its peak."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_RESET_PEAK: Final = "5"  # proc_pid_clear_refs(5)


def cpu_s(pids: Iterable[int]) -> float:
    """Return the seconds of CPU that the processes and their dead children took so far; 0 for one that is gone."""
    return sum(_cpu_s(pid) for pid in pids)


def _cpu_s(pid: int) -> float:
    """Return a process's seconds of CPU, as finely as the kernel says it.

    /proc/PID/stat counts ticks of 10 ms for dead threads too; schedstat counts nanoseconds, a thread at a time.
    """
    try:
        fine = sum(int(one.read_text().split()[0]) for one in PROC.glob(f"{pid}/task/*/schedstat")) / 1e9
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return fine or (int(fields[11]) + int(fields[12])) / _TICKS


def rss_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of the processes now."""
    return sum(_status(pid, "VmRSS") for pid in pids)


def peak_bytes(pids: Iterable[int]) -> int:
    """Return the sum of each process's largest resident memory since it began, or since `forget_peak`."""
    return sum(_status(pid, "VmHWM") for pid in pids)


def forget_peak(pids: Iterable[int]) -> None:
    """Let the peak begin anew where the kernel allows it."""
    for pid in pids:
        try:
            (PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK)
        except OSError:  # a process that is gone, or a kernel without it: the peak is the one since the start
            continue


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    try:
        return [int(word) for word in (PROC / f"{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _status(pid: int, name: str) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
