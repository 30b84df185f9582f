"""The users: `python -m matrix.load PORT`, a process of its own.

Open loop: a request is due at its time whether or not earlier ones were answered, and its latency counts from that
time, so a stall shows in every request that had to wait. Reads a JSON object a line on stdin, answers with one on
stdout, ends when stdin does:

- `{"mix": {KIND: per second}}` asks that from now on, until the next; `{"settle": true}` waits for what is under way;
- `{"stay": true}` opens an event stream and a websocket that stay until `{"leave": true}`;
- `{"take": true}` returns what happened since the last time: [kind, when it was due, milliseconds] of every success (on
  the clock of `time.monotonic`), and [kind, due, "failed" or "changed", what] of every other one.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Final

import grpc
import h2.exceptions
import h11

from matrix.h1_client import ChangedError
from matrix.kinds import KINDS, STEADY, Asker, Kind

_PATIENCE_S: Final = 60.0
"""After this long a request is called lost; far longer than any takes on a busy machine."""
_AT_ONCE: Final = 3
"""Of a kind that is not steady, so many are under way at most: a machine that is too slow for all is given fewer."""
_STEADY_AT_ONCE: Final = 64
"""The same of a steady kind. What is not asked then is `late`: a p99 beside such a number says nothing."""
_STAY: Final = 1_000_000
_FAILURES: Final = (
    OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, h11.ProtocolError,
    h2.exceptions.ProtocolError, grpc.RpcError, asyncio.InvalidStateError, ValueError,
)  # fmt: skip


class Users:
    """Everybody who uses the service at `port`."""

    def __init__(self, port: int) -> None:
        self.asker = Asker(port)
        self.done: list[tuple[str, float, float]] = []
        self.problems: list[tuple[str, float, str, str]] = []
        self.stayed = 0
        self.late = 0
        self._under_way: Counter[str] = Counter()
        self._schedulers: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._staying: list[asyncio.Task[None]] = []

    async def obey(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Do what a line says."""
        if "mix" in wish:
            await _cancelled(self._schedulers)
            loop = asyncio.get_running_loop()
            self._schedulers = [loop.create_task(self._ask(kind, rate)) for kind, rate in wish["mix"].items()]
        if wish.get("settle") and self._running:
            await asyncio.wait(self._running)
        if wish.get("stay"):
            self._stay()
        if wish.get("leave"):
            await _cancelled(self._staying)
            self._staying = []
        found: dict[str, Any] = {"now": time.monotonic(), "under_way": len(self._running), "stayed": self.stayed}
        if wish.get("take"):
            found |= {"done": self.done, "problems": self.problems, "late": self.late}
            self.done, self.problems, self.late = [], [], 0
        return found

    async def _ask(self, kind: str, rate: float) -> None:
        """Start a request whenever one is due, the first after half an interval."""
        loop = asyncio.get_running_loop()
        due = time.monotonic() + 0.5 / rate
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += 1 / rate
            if self._under_way[kind] >= (_STEADY_AT_ONCE if kind in STEADY else _AT_ONCE):
                self.late += kind in STEADY
                continue
            self._under_way[kind] += 1
            task = loop.create_task(self._one(kind, KINDS[kind], due - 1 / rate))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _one(self, kind: str, ask: Kind, due: float) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await ask(self.asker)
        except ChangedError as error:
            self.problems.append((kind, due, "changed", str(error)))
        except _FAILURES as error:
            self.problems.append((kind, due, "failed", repr(error)[:300]))
        else:
            self.done.append((kind, due, (time.monotonic() - due) * 1000))
        finally:
            self._under_way[kind] -= 1

    def _stay(self) -> None:
        def seen() -> None:
            self.stayed += 1

        asker = self.asker
        sessions = {
            "staying events": asker.follow_events(count=_STAY, pause_ms=1000, seen=seen),
            "staying silent events": asker.follow_events(count=_STAY, pause_ms=60_000, seen=seen),
            "staying socket": asker.follow_socket(count=_STAY, pause_s=1.0, seen=seen),
        }
        loop = asyncio.get_running_loop()
        self._staying = [loop.create_task(self._session(name, session)) for name, session in sessions.items()]

    async def _session(self, name: str, session: Any) -> None:
        try:
            await session
            what = "it ended"
        except ChangedError as error:
            what = str(error)
        except _FAILURES as error:
            what = repr(error)
        self.problems.append((name, time.monotonic(), "failed", what))


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def main(port: int) -> None:
    """Obey until stdin ends."""
    users = Users(port)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await users.obey(json.loads(line))), flush=True)
    await users.obey({"mix": {}, "leave": True})
    with suppress(Exception):
        await users.asker.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
