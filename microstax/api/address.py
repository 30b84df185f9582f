"""Where things of one control plane are: its state folder, its sockets, its management address.

The command line and the control plane work this out apart and must agree, so the answer depends on the folder and
the user alone. Imports nothing heavy: the command line needs it before anything else.
"""

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from microstax.errors import FaultError, UsageError

STATE_VARIABLE: Final = "MICROSTAX_STATE"
MANAGEMENT_SOCKET: Final = "management.sock"
LOCK_FILE: Final = "lock"
"""Held while a control plane runs (`microstax.runtime.state`); where it is, one ran before."""
MAX_SOCKET_PATH: Final = 107
"""Bytes of a unix socket's path on Linux, without the final NUL (unix(7), `sun_path`)."""

_MAX_SOCKET_NAME: Final = 60
_PLAIN: Final = re.compile(r"[A-Za-z0-9/._~-]+")
"""Paths that mean the same to a shell, to gRPC (which reads `unix:` addresses as URIs) and to Envoy."""


def state_folder(explicit: str | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Return the absolute state folder: `explicit`, else $MICROSTAX_STATE, else the user's XDG state folder."""
    variables = os.environ if environ is None else environ
    chosen = explicit or variables.get(STATE_VARIABLE)
    if not chosen:
        home = variables.get("XDG_STATE_HOME") or "~/.local/state"
        chosen = str(Path(home) / "microstax")
    if "\0" in chosen:
        raise UsageError("The state folder's path has a NUL byte in it: name another one with --state.")
    return Path(os.path.realpath(os.path.expanduser(chosen)))  # noqa: PTH111  # Path's raises for an unknown user


def socket_path(state: Path, name: str) -> Path:
    """Return the path of the unix socket `name` that belongs to a state folder.

    It is in the folder, unless that path is too long for a socket or has characters that an address cannot carry;
    then it is in a private folder under /tmp whose name is a hash of the state folder.
    """
    if len(name.encode()) > _MAX_SOCKET_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        name = f"{name[:40]}-{digest}.sock"
    path = state / name
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH and _PLAIN.fullmatch(str(path)):
        return path
    return _short_folder(state) / name


def management_address(state: Path) -> str:
    """Return the gRPC address of the management API of a state folder; raises FaultError if another user owns it."""
    path = socket_path(state, MANAGEMENT_SOCKET)
    if path.parent != state and path.parent.exists():
        _check_private(path.parent)
    return f"unix:{path}"


def prepare_folders(state: Path) -> None:
    """Make the state folder, and the one for its sockets, with mode 0700. Raises FaultError if that cannot be.

    A folder of yours that is empty or was used before is closed to others; one with other things in it stays as it
    is, unless others could put something there.
    """
    short = _short_folder(state)
    needed = [state, short] if socket_path(state, "x" * _MAX_SOCKET_NAME).parent == short else [state]
    try:
        for folder in needed:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(state)
    except OSError as error:
        raise FaultError(
            f"The state folder cannot be made: {error.strerror}: {error.filename}. Name another one with --state."
        ) from error
    if short in needed:
        _check_private(short)


def _close_to_others(state: Path) -> None:
    mode = stat.S_IMODE(state.stat().st_mode)
    if not mode & 0o077 or state.stat().st_uid != os.getuid():
        return
    if (state / LOCK_FILE).exists() or not any(state.iterdir()):
        state.chmod(0o700)
    elif mode & 0o022:
        raise FaultError(
            f"{state} cannot be the state folder: others can write to it, and it holds other things than microstax's. "
            "Name a folder of its own with --state."
        )


def tidy_folders(state: Path) -> None:
    """Remove the folder for sockets under /tmp if it is empty: a control plane's last act. Idempotent."""
    with contextlib.suppress(OSError):
        _short_folder(state).rmdir()


def remove_sockets(state: Path) -> None:
    """Remove the sockets of a state folder whose control plane and Envoys are gone. Idempotent."""
    for folder in (state, _short_folder(state)):
        for path in folder.glob("*.sock"):
            if path.is_socket():
                path.unlink(missing_ok=True)
    tidy_folders(state)


def _short_folder(state: Path) -> Path:
    # Not $XDG_RUNTIME_DIR: a shell may have it where a service started at boot has not, and both must agree.
    digest = hashlib.sha256(os.fsencode(os.path.realpath(state))).hexdigest()[:16]
    return Path(f"/tmp/microstax-{os.getuid()}-{digest}")  # noqa: S108  # checked to be ours before it is used


def _check_private(folder: Path) -> None:
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    if not private:
        raise FaultError(
            f"{folder} must be a folder that only you can enter, and is not: somebody else may have made it. "
            "Remove it, or name a state folder with a shorter path with --state."
        )
