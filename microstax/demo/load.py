"""The users of the shop: a few keep-alive HTTP/1.1 clients at a fixed rate, which check every answer.

`python -m microstax.demo.load --at storefront=http://127.0.0.1:18080 --at catalog=http://127.0.0.1:18081` runs until
SIGTERM or Ctrl-C. It prints one JSON line every half second and one more at the end: how many requests were sent,
how many failed, and the first failures as sentences.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final, TextIO

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from microstax.demo.traffic import KINDS, NOTHING_MORE, Call, calls
from microstax.errors import EXIT_DIFFERENT, EXIT_DONE

DEFAULT_RATE: Final = 160.0
DEFAULT_CLIENTS: Final = 8
DEFAULT_SEED: Final = 20_240_601
REQUEST_TIMEOUT_S: Final = 10.0
TELL_EVERY_S: Final = 0.5
KEPT_FAILURES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one request. `problem` is None if the answer was right; `took_ms` runs to the last byte."""

    method: str
    service: str
    path: str
    status: int | None
    took_ms: float
    problem: str | None

    def line(self) -> str:
        """Return the result as one JSON line."""
        fields = ("method", "service", "path", "status", "took_ms", "problem")
        return json.dumps({name: getattr(self, name) for name in fields}, ensure_ascii=False)


@dataclass(slots=True)
class Tally:
    """How it went so far."""

    sent: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count one result; the first failures are kept word for word."""
        self.sent += 1
        if result.problem is not None:
            self.failed += 1
            if len(self.failures) < KEPT_FAILURES:
                self.failures.append(f"{result.method} {result.service} {result.path}: {result.problem}")

    def line(self) -> str:
        """Return the tally as one JSON line."""
        return json.dumps({"sent": self.sent, "failed": self.failed, "failures": self.failures}, ensure_ascii=False)


def judge(call: Call, status: int, body: bytes) -> str | None:
    """Return what is wrong with an answer, or None."""
    if status != call.status:
        return f"status {status}, expected {call.status}"
    try:
        right = call.right(json.loads(body))
    except (ValueError, LookupError, TypeError) as error:
        return f"not the baseline's answer ({error!r}): {body[:200]!r}"
    return None if right else f"not the baseline's answer: {body[:200]!r}"


class Load:
    """Clients that send at `rate` requests a second, all together, until they are stopped or have sent `requests`."""

    def __init__(
        self,
        targets: Mapping[str, str],
        *,
        rate: float,
        clients: int,
        seed: int,
        requests: int | None = None,
        record: TextIO | None = None,
        more: Mapping[str, int] = NOTHING_MORE,
    ) -> None:
        self.tally = Tally()
        self._targets = dict(targets)
        self._interval_s = clients / rate
        self._clients = clients
        self._seed = seed
        self._requests = requests
        self._record = record
        self._more = more
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let every client finish the request it is at, and no other."""
        self._stopping.set()

    async def run(self) -> Tally:
        """Send until that; return the tally."""
        connector = TCPConnector(limit=0)
        timeout = ClientTimeout(total=REQUEST_TIMEOUT_S)
        async with ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            for nth in range(self._clients):
                group.create_task(self._client(session, nth), name=f"client {nth}")
        return self.tally

    async def _client(self, session: ClientSession, nth: int) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + nth * self._interval_s / self._clients
        for call in calls(self._seed + nth, more=self._more):
            if await self._stopped_before(due):
                return
            result = await self._send(session, call)
            self.tally.add(result)
            if self._record is not None:
                self._record.write(result.line() + "\n")
            if self._requests is not None and self.tally.sent >= self._requests:
                self.stop()
            due = max(due + self._interval_s, loop.time())

    async def _stopped_before(self, due: float) -> bool:
        wait_s = due - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(wait_s, 0.0)):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, session: ClientSession, call: Call) -> Result:
        loop = asyncio.get_running_loop()
        started, status, problem = loop.time(), None, None
        headers = {"content-type": "application/json"} if call.body is not None else {}
        url = self._targets[call.service] + call.path
        try:
            async with session.request(call.method, url, data=call.body, headers=headers) as response:
                status, problem = response.status, judge(call, response.status, await response.read())
        except (ClientError, OSError, TimeoutError) as error:
            problem = f"no answer: {error!r}"
        return Result(
            method=call.method,
            service=call.service,
            path=call.path,
            status=status,
            took_ms=(loop.time() - started) * 1000,
            problem=problem,
        )


async def _run(load: Load) -> Tally:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, load.stop)
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(_tell(load), name="tell")
        try:
            return await load.run()
        finally:
            telling.cancel()


async def _tell(load: Load) -> None:
    for _ in count():
        await asyncio.sleep(TELL_EVERY_S)
        _print(load.tally.line())


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # stdout is what this program is read by


def _targets(pairs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        service, equals, url = pair.partition("=")
        if not equals or not url.startswith("http://"):
            raise argparse.ArgumentTypeError(f"{pair!r} is not of the form catalog=http://127.0.0.1:18081")
        yield service, url.rstrip("/")


def _more(text: str) -> tuple[str, int]:
    kind, _, weight = text.partition("=")
    if kind not in KINDS or not weight.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form feed=40, with one of {', '.join(KINDS)}")
    return kind, int(weight)


def main(arguments: Sequence[str]) -> int:
    """Run until a signal; return 1 if a request failed."""
    parser = argparse.ArgumentParser(prog="python -m microstax.demo.load", description="Be the users of the shop.")
    parser.add_argument("--at", action="append", required=True, metavar="SERVICE=URL", help="where a service is")
    parser.add_argument("--rate", type=float, default=DEFAULT_RATE, help="requests a second (default %(default)s)")
    parser.add_argument("--clients", type=int, default=DEFAULT_CLIENTS, help="connections (default %(default)s)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="what is asked for (default %(default)s)")
    parser.add_argument("--requests", type=int, metavar="N", help="end after N requests (default: at a signal)")
    parser.add_argument("--more", action="append", default=[], type=_more, metavar="KIND=N", help="ask more for this")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write every result, as JSON lines")
    chosen = parser.parse_args(arguments)
    try:
        targets = dict(_targets(chosen.at))
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    for needed in ("storefront", "catalog"):
        if needed not in targets:
            parser.error(f"say where {needed} is: --at {needed}=http://127.0.0.1:PORT")
    with ExitStack() as stack:
        # Line by line, so that the record is whole also after kill -9.
        opened = chosen.record and stack.enter_context(chosen.record.open("w", buffering=1, encoding="utf-8"))
        tally = asyncio.run(_start(targets, chosen, opened))
    _print(tally.line())
    return EXIT_DIFFERENT if tally.failed else EXIT_DONE


async def _start(targets: Mapping[str, str], chosen: argparse.Namespace, record: TextIO | None) -> Tally:
    load = Load(
        targets,
        rate=chosen.rate,
        clients=chosen.clients,
        seed=chosen.seed,
        requests=chosen.requests,
        record=record,
        more=dict(chosen.more),
    )
    return await _run(load)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
