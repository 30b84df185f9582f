"""Start a program that cannot connect to some TCP ports: `python fenced.py PORT,PORT... PROGRAM ARGUMENT0 ...`.

The kernel's Landlock lets a process, without any right, give up for itself and for all that it will start to connect to
any TCP port but those of a list. So the list has all ports but the denied ones. It knows ports and no addresses: a
denied port is out of reach on other hosts, too. UDP and unix sockets are not covered.

This runs as a script, with the standard library alone, between a runtime and what it starts; the constants are those
of linux/landlock.h.
"""

import ctypes
import os
import signal
import struct
import sys
from typing import Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
"""Numbers of system calls, the same on every architecture."""
_VERSION: Final = 1
_CONNECT_TCP: Final = 2
_NET_PORT: Final = 2
_NO_NEW_PRIVS: Final = 38
_FIRST_WITH_PORTS: Final = 4
_PORTS: Final = range(65536)
CANNOT: Final = 126
"""The exit code where the program cannot be started, as a shell has it."""


def can_deny_ports() -> bool:
    """Tell whether this kernel can keep a process from connecting to ports: Linux 6.7 and Landlock switched on."""
    try:
        return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION)) >= _FIRST_WITH_PORTS
    except (OSError, AttributeError):
        return False


def deny_ports(denied: frozenset[int]) -> None:
    """Give up connecting to these TCP ports, for good. Raises OSError where the kernel does not take it."""
    libc = ctypes.CDLL(None, use_errno=True)
    call = libc.syscall
    handled = struct.pack("=QQ", 0, _CONNECT_TCP)  # struct landlock_ruleset_attr: files, net
    ruleset = _checked(call(_CREATE_RULESET, handled, len(handled), 0))
    rule = ctypes.create_string_buffer(16)  # struct landlock_net_port_attr: access, port
    for port in _PORTS:
        if port not in denied:
            struct.pack_into("=QQ", rule, 0, _CONNECT_TCP, port)
            _checked(call(_ADD_RULE, ruleset, _NET_PORT, rule, 0))
    one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
    _checked(libc.prctl(_NO_NEW_PRIVS, one, zero, zero, zero))
    _checked(call(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _environ() -> dict[bytes, bytes]:
    """Return the environment as it was given to us: Python itself may have set a locale."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123  # pathlib takes a third of our start-up time
        entries = (entry.partition(b"=") for entry in file.read().split(b"\0") if entry)
        return {name: value for name, _, value in entries}


def main(arguments: list[str]) -> int:
    """Become the program; return an exit code only where that is not possible."""
    ports, program, *words = arguments
    try:
        deny_ports(frozenset(int(port) for port in ports.split(",") if port))
    except OSError as error:
        print(f"microstax: the kernel does not fence off ports here: {error.strerror}", file=sys.stderr)  # noqa: T201
        return CANNOT
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what is ignored is inherited
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(program, words, _environ())  # noqa: S606
    except OSError as error:
        hint = " (a script begins with '#!' and its interpreter)" if error.errno == 8 else ""  # noqa: PLR2004  # ENOEXEC
        print(f"microstax: cannot be started: {error.strerror}: {program}{hint}", file=sys.stderr)  # noqa: T201
    return CANNOT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
