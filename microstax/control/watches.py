"""Which Envoys' taps are attached, and for which shadows: what the workers said last."""

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from microstax.generated.management.microstax.management.v1 import Watched

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class Watches:
    """Answers whether somebody looks at an Envoy."""

    def __init__(self) -> None:
        self._of_worker: dict[str, dict[str, Mapping[str, int]]] = {}
        self._news = asyncio.Event()

    def note(self, worker_id: str, watched: Iterable[Watched]) -> None:
        """Take in all that a worker watches now."""
        self._of_worker[worker_id] = {one.node_id: one.generations for one in watched}
        news, self._news = self._news, asyncio.Event()
        news.set()

    def forget(self, worker_id: str) -> None:
        """Take in that a worker is gone."""
        self._of_worker.pop(worker_id, None)

    def covers(self, node_id: str, overlay: str, generation: int) -> bool:
        """Tell whether a worker has a node's tap and expects a generation of a shadow there."""
        return any(nodes.get(node_id, _NOTHING).get(overlay) == generation for nodes in self._of_worker.values())

    async def wait(self, node_id: str, overlay: str, generation: int, *, timeout_s: float) -> bool:
        """Wait until `covers`; False where it has not come to that in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.covers(node_id, overlay, generation):
                    await self._news.wait()
        except TimeoutError:
            return False
        return True
