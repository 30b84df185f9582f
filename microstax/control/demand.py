"""How busy services are before anything of them is mirrored, so that a shadow begins within its budget."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from microstax.control.envoys import admin_path
from microstax.worker.admin import AdminError, counters

WINDOW_S: Final = 0.3
"""Long enough to tell hundreds of requests a second from thousands, and short enough to wait for."""
_MOST_S: Final = 1.0
"""How long an Envoy may take to answer: who enables a shadow waits for it."""

Demand = Callable[[str], Awaitable[Mapping[str, float]]]
"""Returns how many requests a second a node's services take, by service. Who is not in it is not known."""


def demand_of(folder: Path) -> Demand:
    """Return what asks the Envoys of a state folder. Nothing is known of one that does not answer as it should."""

    async def demand(node_id: str) -> Mapping[str, float]:
        address, now = f"unix:{admin_path(folder, node_id)}", asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(WINDOW_S + _MOST_S):
                before, begun = await _entered(address), now()
                await asyncio.sleep(WINDOW_S)
                after, seconds = await _entered(address), now() - begun
        except (AdminError, TimeoutError):
            return {}
        return {service: (after[service] - count) / seconds for service, count in before.items() if service in after}

    return demand


async def _entered(address: str) -> dict[str, int]:
    return {service: one.entered for service, one in (await counters(address)).tees.items()}
