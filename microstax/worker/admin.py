"""Read from an Envoy's admin interface."""

from pathlib import Path
from typing import Final

import aiohttp

from microstax.envoy.stats import STATS_PATH, Counters, read_counters
from microstax.envoy.stats_text import parse_stats
from microstax.errors import FaultError

TIMEOUT_S: Final = 2.0
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Of statistics with thousands of services there are some hundred KiB."""
_UNIX: Final = "unix:"
_OK: Final = 200


class AdminError(FaultError):
    """An Envoy's admin interface does not answer, or not with what was asked for."""


async def get(address: str, path: str) -> bytes:
    """Return the body of a GET at `address` (`unix:PATH` or `host:port`); raises AdminError."""
    unix = address.startswith(_UNIX)
    connector = aiohttp.UnixConnector(address.removeprefix(_UNIX)) if unix else aiohttp.TCPConnector()
    host = "envoy" if unix else address
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"http://{host}{path}") as response,
        ):
            body = bytearray()
            while len(body) <= MAX_ANSWER_BYTES and (more := await response.content.readany()):
                body += more
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        raise AdminError(f"The admin interface at {address} does not answer: {error}") from error
    if len(body) > MAX_ANSWER_BYTES:
        raise AdminError(f"The admin interface at {address} answers more than {MAX_ANSWER_BYTES >> 20} MiB.")
    if response.status != _OK:
        raise AdminError(f"The admin interface at {address} answered {path.partition('?')[0]} with {response.status}.")
    return bytes(body)


async def statistics(address: str) -> dict[str, int]:
    """Return an Envoy's statistics by name, as far as anybody reads them (`microstax.envoy.stats`).

    Raises AdminError, also where the answer has none.
    """
    answer = await get(address, STATS_PATH)
    try:
        return parse_stats(answer)
    except ValueError as error:
        raise AdminError(f"The admin interface at {address} answered with no statistics: {error}") from error


async def counters(address: str) -> Counters:
    """Return what an Envoy counted. Raises AdminError as `statistics` does."""
    return read_counters(await statistics(address))


def epoch_of(address: str) -> str:
    """Return what changes when the Envoy at `address` is started anew, and is the same for every worker that asks.

    An Envoy makes its admin socket when it starts, so that is the socket file's identity. For a TCP address nothing of
    that kind can be asked for; there a counter that falls tells the restart. Raises AdminError.
    """
    if not address.startswith(_UNIX):
        return ""
    try:
        found = Path(address.removeprefix(_UNIX)).stat()
    except OSError as error:
        raise AdminError(f"There is no admin socket at {address}: {error.strerror}") from error
    return f"{found.st_ino}-{found.st_mtime_ns}"
