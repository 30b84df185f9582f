"""Lets the copies that are under way come to their end before their clusters go: those that go with them are resets."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from microstax.control.envoys import admin_path
from microstax.worker.admin import AdminError, counters

MOST_S: Final = 1.0
"""How long to wait: a branch that hangs must not hold up who switches it off."""
_PAUSE_S: Final = 0.03
_CALM: Final = 2
"""How often in a row nothing must be under way: a thread of Envoy may still route by the shares before."""

Drain = Callable[[str, str], Awaitable[None]]
"""Waits until no copies of a node's Envoy for an overlay are under way, or not any longer."""


def drain_of(folder: Path) -> Drain:
    """Return what asks the Envoys of a state folder. One that does not answer as it should is not waited for."""

    async def drain(node_id: str, overlay: str) -> None:
        end, calm = asyncio.get_running_loop().time() + MOST_S, 0
        while calm < _CALM and asyncio.get_running_loop().time() < end:
            try:
                active = await _active(f"unix:{admin_path(folder, node_id)}", overlay)
            except AdminError:
                return
            calm = calm + 1 if active == 0 else 0
            await asyncio.sleep(_PAUSE_S)

    return drain


async def _active(address: str, overlay: str) -> int:
    return sum(one.active for key, one in (await counters(address)).mirrors.items() if key.overlay == overlay)
