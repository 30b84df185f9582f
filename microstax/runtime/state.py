"""One control plane a state folder: a lock that the kernel lets go of when its holder dies, however it dies."""

import fcntl
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from microstax.errors import FaultError, RefusedError

LOCK_FILE: Final = "lock"


class StateLock:
    """The lock of a state folder; held from `acquire` until `release` or the end of the process."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises RefusedError with the holder's pid, FaultError if the folder cannot be written."""
        path = self._state / LOCK_FILE
        try:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FaultError(
                f"The state folder {self._state} cannot be used: {error.strerror}. Name another one with --state."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "of unknown id"
            os.close(descriptor)
            raise RefusedError(
                f"A control plane (process {holder}) already runs with the state folder {self._state}: 'microstax "
                "status' shows it, 'microstax down' ends it."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the lock go. Idempotent. The file stays: removing it would let two holders lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def was_used(state: Path) -> bool:
    """Tell whether a control plane ever ran with a state folder that we may look into."""
    try:
        return (state / LOCK_FILE).is_file()
    except OSError:
        return False


@contextmanager
def watch_holder(state: Path) -> Iterator[Callable[[float], bool]]:
    """Hold on to the control plane that has the lock now; what is yielded waits so many seconds for its end.

    The end of the process, not of its lock: a process that lets the lock go has work left and is still seen.
    """
    holder = lock_holder(state)
    try:
        descriptor = None if holder is None else os.pidfd_open(holder)
    except OSError:  # it ended just now, or it is out of our sight
        descriptor = None
    try:
        yield lambda seconds: descriptor is None or bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        if descriptor is not None:
            os.close(descriptor)


def lock_holder(state: Path) -> int | None:
    """Return the pid of the control plane that holds a state folder, or None if none does."""
    try:
        descriptor = os.open(state / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else None
    finally:
        os.close(descriptor)
    return None
