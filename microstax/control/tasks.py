"""The one place where tasks are made outside a TaskGroup: none is lost, and none fails in silence."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

T = TypeVar("T")
_log: Final = logging.getLogger(__name__)
_running: Final[set[asyncio.Task[Any]]] = set()
"""The event loop holds tasks weakly; this holds them until they end."""


def spawn(coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start a task whose outcome the caller takes."""
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


def in_background(coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    """Start a task that nobody awaits until it is cancelled; should it fail, the log says so with its traceback."""
    task = spawn(coroutine, name=name)
    task.add_done_callback(_log_failure)
    return task


async def finish(coroutine: Coroutine[Any, Any, T], *, name: str) -> T:
    """Run to the end even if the caller is cancelled meanwhile; the cancellation goes on after that."""
    task = spawn(coroutine, name=name)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def all_of(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run side by side and return the results in order; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as failures:
        # Siblings that fail while they are cancelled tell nothing new.
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("%s failed", task.get_name(), exc_info=task.exception())
