"""Poll one Envoy's admin tap for ever. Moves bytes and reads none of them.

Envoy keeps nothing between two polls, so the next request is already with Envoy when an answer ends: it is sent as
soon as the answer to the one before has begun (which Envoy does at once when it accepts a poll). Envoy starts it
the moment the one before is over, however late we read. Only one request is ever ahead, and none while polls are
refused: a request that is left behind on a dead connection would hold the tap for one poll.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from microstax.capture.inbox import Chunk
from microstax.capture.pipelined import BrokenAnswerError, Ended, Opened, PipelinedClient, Received

POLL_MS: Final = 500
GRACE_S: Final = 2.0
"""How long after its own timeout a poll may end. A tap that a listener update detached never does."""

LONGEST_S: Final = 30.0
"""While an answer is on its way nothing is read from it (see `between`), so one that trickles for ever is given up."""

_READ_BYTES: Final = 64 * 1024
_BUFFER_BYTES: Final = 4 * 1024 * 1024
_FIRST_PAUSE_S: Final = 0.05
_LAST_PAUSE_S: Final = 1.0
_OK: Final = 200
_REFUSAL_BYTES: Final = 4096
"""Of an answer that only says why there are no traces."""


class PollProblem(StrEnum):
    """Why an Envoy cannot be polled now."""

    UNREACHABLE = "unreachable"
    NO_TAP = "no tap"
    CONFLICT = "conflict"
    DETACHED = "detached"
    BROKEN = "broken"


_SENTENCES: Final = {
    PollProblem.UNREACHABLE: "its admin address does not answer",
    PollProblem.NO_TAP: "it has no tap yet",
    PollProblem.CONFLICT: "another client polls its tap, and only one can: is a second worker running",
    PollProblem.DETACHED: "the tap went silent, and is opened again",
    PollProblem.BROKEN: "its admin interface gave an answer that cannot be read",
}


@dataclass(frozen=True, slots=True)
class PollFailed:
    """A poll that failed; `detail` is the other side's own word."""

    problem: PollProblem
    detail: str

    def __str__(self) -> str:
        return f"{_SENTENCES[self.problem]} ({self.detail})"


class _FailedError(Exception):
    def __init__(self, problem: PollProblem, detail: str) -> None:
        super().__init__(detail)
        self.failed = PollFailed(problem, detail)


@dataclass(slots=True)
class TapPoller:
    """Polls the admin tap at `address` (`unix:PATH` or `host:port`).

    request: makes the body of a `POST /tap` that is answered after at most `poll_ms`.
    on_chunk: takes what came; must not block.
    on_failure: is told each failed attempt.
    grace_s, longest_s: how long after its timeout a poll may be silent, and how long its answer may take, in seconds.
    between: set while no answer is on its way. Who reads chunks in the same loop should wait for it: Envoy opens the
        next poll only when its socket has room again, so an answer must be taken in at once.
    polls: how many were answered to the end; answers: how many were accepted, the number that chunks carry.
    """

    address: str
    request: Callable[[], bytes]
    on_chunk: Callable[[Chunk], object]
    on_failure: Callable[[PollFailed], object]
    poll_ms: int = POLL_MS
    grace_s: float = GRACE_S
    longest_s: float = LONGEST_S
    polls: int = 0
    answers: int = 0
    between: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Ask for no more; `run` ends when the poll under way has been answered, and one sent ahead is given up."""
        self._stopping.set()

    async def run(self) -> None:
        """Poll until `stop`, whatever becomes of the Envoy."""
        pause = _FIRST_PAUSE_S
        self.between.set()
        while not self._stopping.is_set():
            polls = self.polls
            try:
                await self._converse()
            except _FailedError as error:
                self.on_failure(error.failed)
                pause = _FIRST_PAUSE_S if self.polls > polls else min(pause * 2, _LAST_PAUSE_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)

    async def _converse(self) -> None:
        """Poll over one connection until it fails or `stop`."""
        try:
            reader, writer = await _connect(self.address)
        except OSError as error:
            raise _FailedError(PollProblem.UNREACHABLE, error.strerror or str(error)) from error
        try:
            await self._poll(reader, writer)
        except OSError as error:
            raise _FailedError(PollProblem.UNREACHABLE, error.strerror or str(error)) from error
        except BrokenAnswerError as error:
            raise _FailedError(PollProblem.BROKEN, str(error)) from error
        finally:
            self.between.set()
            writer.close()

    async def _poll(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = PipelinedClient()
        writer.write(client.post("/tap", self.request()))
        status, refusal = _OK, b""
        over: float | None = None
        while client.waiting:
            for event in client.receive(await self._read(reader)):
                match event:
                    case Opened(status):
                        over = time.monotonic() + self.poll_ms / 1000 + self.longest_s
                        self.answers += status == _OK
                        if status == _OK and not self._stopping.is_set():
                            writer.write(client.post("/tap", self.request()))
                    case Received(data) if status == _OK:
                        self.between.clear()
                        self.on_chunk(Chunk(self.answers, data, time.time_ns() // 1000))
                    case Received(data) if len(refusal) < _REFUSAL_BYTES:
                        refusal += data
                    case Received():
                        raise _refused(status, refusal)
                    case Ended(closing):
                        if status != _OK:
                            raise _refused(status, refusal)
                        self.polls += 1
                        self.between.set()
                        if closing or self._stopping.is_set():
                            return
            if over is not None and time.monotonic() > over:
                raise _FailedError(PollProblem.DETACHED, "an answer that does not end")

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Return what comes next; fails where nothing comes although a poll should be over."""
        try:
            data = await asyncio.wait_for(reader.read(_READ_BYTES), self.poll_ms / 1000 + self.grace_s)
        except TimeoutError as error:
            raise _FailedError(PollProblem.DETACHED, "no answer in time") from error
        if not data:
            raise _FailedError(PollProblem.UNREACHABLE, "the connection was closed")
        return data


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("unix:"):
        return await asyncio.open_unix_connection(address.removeprefix("unix:"), limit=_BUFFER_BYTES)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port), limit=_BUFFER_BYTES)


def _refused(status: int, body: bytes) -> _FailedError:
    """Tell Envoy's refusals apart by their text; the status is 400 for each (404, 409 would say as much)."""
    text = body[:_REFUSAL_BYTES].decode(errors="replace").strip()
    problem = PollProblem.BROKEN
    if "already exists" in text or status == _CONFLICT:
        problem = PollProblem.CONFLICT
    elif "Unknown config id" in text or status == _NOT_FOUND:
        problem = PollProblem.NO_TAP
    return _FailedError(problem, f"HTTP {status}: {text}")


_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
