"""Who gives way where processors are short: what compares, to what answers production's requests.

A niceness counts among the processes of one session alone where the kernel groups them by session (sched(7), "The
autogroup feature"), and every process of ours leads a session: so the group's own niceness is set as well.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from microstax.runtime.procfs import PROC

NICENESS: Final = 10
"""A tenth of the weight of others (kernel/sched/core.c, sched_prio_to_weight): a worker lags, and is not starved."""


def give_way(pid: int) -> None:
    """Let a child that has just begun, and the threads that it will start, wait where processors are short."""
    with suppress(OSError):  # it has ended already
        niceness = max(NICENESS, os.getpriority(os.PRIO_PROCESS, pid))  # `microstax up` may be nicer itself
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
        # A batch process does not interrupt what runs when it wakes up.
        os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
        _autogroup(pid).write_text(f"{niceness}")  # absent where the kernel has no such groups


def _autogroup(pid: int) -> Path:
    return PROC / str(pid) / "autogroup"
