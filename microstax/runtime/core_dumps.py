"""No core dumps of what holds production's bodies and credentials: the control plane, its workers, its Envoys.

Users' own services keep the limit that `microstax up` was started with. MICROSTAX_CORE_DUMPS=1 leaves all as it is, to
look for a mistake in microstax.
"""

import os
import resource
from contextlib import suppress
from typing import Final

VARIABLE: Final = "MICROSTAX_CORE_DUMPS"
WITHHELD: Final = 1
"""Too few bytes for a file, like 0. But at 0 Linux still pipes a dump to a program such as systemd-coredump (core(5)),
and at 1 it does not (fs/coredump.c)."""

_found: list[tuple[int, int]] = []


def withhold_own() -> None:
    """Let this process leave no core dump, and what it starts from now on neither."""
    found = resource.getrlimit(resource.RLIMIT_CORE)
    if _are_withheld() and not _found:
        _found.append(found)
        resource.setrlimit(resource.RLIMIT_CORE, (_within(found[1]), found[1]))


def withhold(pid: int) -> None:
    """Let a child leave no core dump."""
    if _are_withheld():
        with suppress(OSError):  # it has ended already, or this kernel has no prlimit
            _, hard = resource.prlimit(pid, resource.RLIMIT_CORE)
            resource.prlimit(pid, resource.RLIMIT_CORE, (_within(hard), hard))


def allow(pid: int) -> None:
    """Give a child back the limit that this process had before `withhold_own`."""
    if _found:
        with suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_CORE, _found[0])


def _are_withheld() -> bool:
    return os.environ.get(VARIABLE, "") in {"", "0"}


def _within(hard: int) -> int:
    """Return the limit to set: the hard one may be lower, and cannot be exceeded."""
    return WITHHELD if hard == resource.RLIM_INFINITY else min(WITHHELD, hard)
