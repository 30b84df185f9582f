"""Raw pieces of tap answers on their way from the poller to the decoder: bounded in bytes, for one event loop.

The poller must never wait, so what does not fit is dropped. A stream with a hole in it cannot be read, so the rest of
that poll's answer is dropped too.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

DEFAULT_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the answer to poll number `poll`; `at_us` is when it came, in Unix microseconds."""

    poll: int
    data: bytes
    at_us: int


@dataclass(slots=True)
class Inbox:
    """A queue of chunks. `dropped_bytes` counts what did not fit."""

    limit: int = DEFAULT_BYTES
    bytes: int = 0
    dropped_bytes: int = 0
    _chunks: deque[Chunk] = field(default_factory=deque)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _spoilt: int | None = None

    def put(self, chunk: Chunk) -> bool:
        """Queue `chunk`; return False if it was dropped."""
        if chunk.poll == self._spoilt or self.bytes + len(chunk.data) > self.limit:
            self._spoilt = chunk.poll
            self.dropped_bytes += len(chunk.data)
            return False
        self._chunks.append(chunk)
        self.bytes += len(chunk.data)
        self._filled.set()
        return True

    async def get(self) -> Chunk:
        """Return the oldest chunk; wait for one if there is none."""
        while not self._chunks:
            self._filled.clear()
            await self._filled.wait()
        return self._next()

    def take(self) -> Chunk | None:
        """Return the oldest chunk, None if there is none."""
        return self._next() if self._chunks else None

    def oldest_us(self) -> int | None:
        """Return when the oldest chunk came, None if there is none."""
        return self._chunks[0].at_us if self._chunks else None

    def _next(self) -> Chunk:
        chunk = self._chunks.popleft()
        self.bytes -= len(chunk.data)
        return chunk
