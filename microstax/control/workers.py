"""The API of the workers: their targets, and their deltas."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from microstax.api import methods
from microstax.api.methods import Method
from microstax.control import coverage
from microstax.control.intake import Intake
from microstax.control.plane import Plane
from microstax.control.targets import Targets
from microstax.errors import UsageError
from microstax.generated.management.microstax.management.v1 import TargetList, WatchTargetsRequest

Learn = Callable[[bytes], bytes]
"""From a stored aggregate to what a worker should know of it."""


class Workers:
    """Answers the workers' calls."""

    def __init__(self, plane: Plane, intake: Intake, targets: Targets, *, learn: Learn) -> None:
        self._plane: Final = plane
        self._intake: Final = intake
        self._targets: Final = targets
        self._learn: Final = learn

    def methods(self) -> dict[Method[Any, Any], Callable[[Any], Any]]:
        """Return what answers each method."""
        return {methods.WATCH_TARGETS: self.watch, methods.SUBMIT_DELTA: self._intake.submit}

    async def watch(self, request: WatchTargetsRequest) -> AsyncIterator[TargetList]:
        """Yield the worker's targets whenever they change."""
        if not request.worker_id:
            raise UsageError("The request has no worker_id.")
        self._intake.hello(request.worker_id, request.pid)
        try:
            async for targets in self._targets.watch(request.worker_id):
                await self._teach(targets)
                yield targets
        finally:
            self._intake.farewell(request.worker_id)

    async def _teach(self, targets: TargetList) -> None:
        """Tell a worker what others learned of endpoints and arrays, so that it does not begin with other names."""
        for target in targets.targets:
            for shadow in target.shadows:
                known = self._plane.state.shadows.get(shadow.overlay)
                if known is None:
                    continue
                results = await self._plane.journal.store.results(shadow.overlay, known.generation)
                if shadow.generation == known.generation:
                    # A worker that begins must not send as many pairs once more.
                    shadow.keep_pairs = coverage.still_to_keep(results.counts, shadow.service, keep=shadow.keep_pairs)
                aggregate = results.aggregates.get(shadow.service)
                # In a thread: a large one takes a while, and the event loop has Envoys to serve.
                shadow.learned = await asyncio.to_thread(self._learn, aggregate) if aggregate else b""
