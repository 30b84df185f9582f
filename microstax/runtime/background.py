"""The one place where the runtime starts a task that outlives the call: it has a name, an owner, and an end."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

_log: Final = logging.getLogger(__name__)


class Background:
    """At most one running task. A failure is logged with its traceback and told to `failed`, never lost."""

    def __init__(self, name: str, *, failed: Callable[[], None] = lambda: None) -> None:
        self._name, self._failed = name, failed
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the background of the running loop."""
        self._task = asyncio.get_running_loop().create_task(work, name=self._name)
        self._task.add_done_callback(self._ended)

    async def cancel(self) -> None:
        """End the task and wait until it has ended. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.error("%s failed", self._name, exc_info=task.exception())
            self._failed()
