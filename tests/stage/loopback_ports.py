"""Loopback ports for servers that a test starts a little later; nobody else takes them in between.

A port that the kernel gave out (bind to 0) and that was closed again may go to anybody, also as the near end of a
connection. These lie below the range of the kernel and that of the runtime (`microstax.runtime.ports`), and each is
claimed for as long as this process lives, by an abstract unix socket of its name: no other worker of pytest and no
other run of the tests on this machine gets the same one.
"""

import secrets
import socket

from microstax.model.environment import LOOPBACK, Address
from microstax.runtime.ports import is_free

FIRST_PORT, LAST_PORT = 10_000, 20_000
ATTEMPTS = 1_000


def free_port() -> int:
    """Return a port that nobody listens on and that is this process's alone. Raises AssertionError if none is left."""
    for _ in range(ATTEMPTS):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        if is_free(Address(LOOPBACK, port)) and _claim(port):
            return port
    raise AssertionError(f"no free port between {FIRST_PORT} and {LAST_PORT} in {ATTEMPTS} attempts")


def _claim(port: int) -> bool:
    """Claim a port until this process ends; tell whether nobody else has."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0microstax-test-port-{port}")
    except OSError:
        claim.close()
        return False
    claim.detach()  # open, and nobody's to close
    return True
