"""Loopback ports: free ones, and who holds one that is taken."""

import errno
import os
import secrets
import socket
from pathlib import Path
from typing import Final

from microstax.errors import PortInUseError
from microstax.model.environment import LOOPBACK, Address
from microstax.runtime.procfs import command_line, process_ids

FIRST_PORT: Final = 20_000
LAST_PORT: Final = 32_000
"""Below the range from which Linux takes the ports of outgoing connections (ip_local_port_range)."""

_ATTEMPTS: Final = 500
_LISTENING: Final = "0A"
_LONGEST_COMMAND: Final = 80


def bind_error(address: Address) -> OSError | None:
    """Return why a listener cannot be bound to `address` now, None where it can."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections that were closed a minute ago do not keep a port from being used.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return error
    return None


def is_free(address: Address) -> bool:
    """Tell whether nobody listens on `address` now."""
    error = bind_error(address)
    return error is None or error.errno != errno.EADDRINUSE


def check_free(address: Address, *, wanted_by: str) -> None:
    """Raise PortInUseError, naming the process that holds it, if nobody else could listen on `address`."""
    if is_free(address):
        return
    holder = port_holder(address.port)
    by = f"process {holder[0]} ({holder[1]})" if holder else "another process"
    raise PortInUseError(
        f"Port {address.port} on {address.host}, which {wanted_by} needs, is in use by {by}: stop that, or give "
        f"{wanted_by} another port."
    )


def free_port(taken: set[int]) -> int:
    """Return a loopback port that nobody listens on and that is not in `taken`."""
    for _ in range(_ATTEMPTS):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        if port not in taken and is_free(Address(LOOPBACK, port)):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    return int(port)


def port_holder(port: int) -> tuple[int, str] | None:
    """Return pid and command line of the process that listens on a TCP port, if we may see it."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for pid in (*process_ids(), os.getpid()) if wanted else ():
        if wanted & _descriptors(pid):
            command = command_line(pid)
            shown = command if len(command) <= _LONGEST_COMMAND else f"{command[:_LONGEST_COMMAND]}..."
            return pid, shown or "its command is hidden"
    return None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _descriptors(pid: int) -> set[str]:
    folder = f"/proc/{pid}/fd"
    found = set()
    try:
        for name in os.listdir(folder):
            found.add(os.readlink(f"{folder}/{name}"))  # noqa: PTH115
    except OSError:
        return found
    return found
