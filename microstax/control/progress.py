"""How long work tells what it is doing: lines while it runs, an outcome at the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from microstax.control.tasks import spawn
from microstax.errors import MicrostaxError
from microstax.generated.management.microstax.management.v1 import Progress
from microstax.report.text import visible

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an operation ended: a line for people, what belongs on stdout, and the object that was made, as JSON."""

    message: str
    output: str = ""
    object_json: str = ""


class Teller:
    """Passed to an operation, which tells it what happens."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[Progress | None] = asyncio.Queue()

    def say(self, message: str) -> None:
        """Tell one line."""
        _log.info("%s", visible(message))
        self._lines.put_nowait(Progress(message=message))

    def warn(self, message: str) -> None:
        """Tell one line that the user should not miss."""
        _log.warning("%s", visible(message))
        self._lines.put_nowait(Progress(message=message, warning=True))

    def end(self) -> None:
        """Tell that nothing more comes."""
        self._lines.put_nowait(None)

    async def lines(self) -> AsyncIterator[Progress]:
        """Yield what is told until the end."""
        while (line := await self._lines.get()) is not None:
            yield line


Operation = Callable[[Teller], Awaitable[Outcome]]


async def run(operation: Operation) -> AsyncIterator[Progress]:
    """Run an operation and yield its progress; the last message has `done` set. Raises what the operation raises.

    The log has the same lines: it is what whoever runs `microstax up` in the foreground watches.
    A caller that goes away cancels the operation, and the operation cleans up before this ends.
    """
    teller = Teller()

    async def work() -> Outcome:
        try:
            return await operation(teller)
        finally:
            teller.end()

    task = spawn(work(), name="operation")
    try:
        async for line in teller.lines():
            yield line
        outcome = await task
    except MicrostaxError as error:
        _log.info("refused: %s", visible(error.message.partition("\n")[0]))
        raise
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
    _log.info("%s", visible(outcome.message))
    yield Progress(message=outcome.message, output=outcome.output, object_json=outcome.object_json, done=True)
