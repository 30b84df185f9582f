"""Health checks: an HTTP path that answers below 500, an accepted TCP connection, an Envoy that says it is live."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Final

import aiohttp

from microstax.model.environment import Address, HealthCheck
from microstax.runtime.port import ProcessSpec

_ENVOY_READY: Final = "http://envoy/ready"
_SERVER_ERROR: Final = 500
REFUSED: Final = os.strerror(errno.ECONNREFUSED).lower()
"""What the clause ends with when nobody listens."""


async def probe(spec: ProcessSpec) -> str | None:
    """Check a process once; return None if it is healthy, else a clause that says what is wrong."""
    check = spec.health or HealthCheck()
    try:
        async with asyncio.timeout(check.timeout_s):
            if spec.health_socket is not None:
                return await _envoy(spec.health_socket)
            if spec.address is None:
                return None
            return await (_accepts(spec.address) if check.path is None else _answers(spec.address, check.path))
    except TimeoutError:
        return f"{describe_check(spec)} did not answer within {check.timeout_s:g} s"
    except (OSError, aiohttp.ClientError) as error:
        return f"{describe_check(spec)} failed: {_reason(error)}"


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)  # asyncio and aiohttp put sentences of their own into strerror
    if isinstance(number, int):
        # Below zero are the codes of getaddrinfo(3).
        return os.strerror(number).lower() if number > 0 else "the host's name cannot be resolved"
    return str(error) or type(error).__name__


def describe_check(spec: ProcessSpec) -> str:
    """Return what a health check does, for a message."""
    if spec.health_socket is not None:
        return f"GET /ready on {spec.health_socket}"
    if spec.health is not None and spec.health.path is not None:
        return f"GET {spec.health.path} on {spec.address}"
    return f"a connection to {spec.address}"


async def _accepts(address: Address) -> None:
    _, writer = await asyncio.open_connection(address.host, address.port)
    writer.close()
    await writer.wait_closed()


async def _answers(address: Address, path: str) -> str | None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    connector = aiohttp.TCPConnector(force_close=True)
    status = await _status(connector, f"http://{host}:{address.port}{path}")
    return None if status < _SERVER_ERROR else f"GET {path} on {address} answered {status}"


async def _envoy(socket: Path) -> str | None:
    status = await _status(aiohttp.UnixConnector(path=str(socket), force_close=True), _ENVOY_READY)
    return None if status == 200 else f"Envoy is not ready yet (GET /ready answered {status})"  # noqa: PLR2004


async def _status(connector: aiohttp.BaseConnector, url: str) -> int:
    async with (
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        return response.status
