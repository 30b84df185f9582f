"""The account with a real Envoy: whatever is killed and however the branch fails, it adds up and Envoy agrees."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from books import Books
from capture_stage import Recorder, Stage, until

from microstax.control import coverage
from microstax.envoy.cluster import MAX_COPIES
from microstax.model.environment import Address

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
EACH = 20
TIMEOUT_MS = 1_000
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
REASONS = {
    "well": None,
    "hangs": "branch_timeout",
    "hangs-in-the-body": "branch_timeout",
    "closes": "branch_error",
    "speaks-no-http": "branch_error",
    "closes-in-the-body": "branch_error",
    "large": "truncated",
}


async def serve_badly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as the path says."""
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            kind = (await reader.readuntil(b"\r\n\r\n")).split()[1].split(b"/")[1].decode()
            if kind == "hangs":
                await reader.read()
            elif kind == "hangs-in-the-body":
                writer.write(JSON % (100, b"{"))
                await reader.read()
            elif kind == "speaks-no-http":
                writer.write(b"\x00\x01\r\n\r\n")
                await reader.read()
            elif kind == "closes-in-the-body":
                writer.write(JSON % (100, b"{"))
                await writer.drain()
            elif kind == "large":
                writer.write(JSON % (100_000, b'"' + b"x" * 99_998 + b'"'))
            elif kind == "well":
                writer.write(JSON % (2, b"{}"))
            if kind.startswith("closes"):
                break
    writer.close()


async def serve_well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request the same."""
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(JSON % (2, b"{}"))
    writer.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Address]:
    """Serve until the end; connections that hang end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def remember(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(remember, "127.0.0.1", 0)
    try:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def stage(folder: Path, envoy_binary: str) -> AsyncIterator[Stage]:
    async with serving(serve_well) as baseline, serving(serve_badly) as branch:
        stage = Stage(folder, envoy_binary, baseline, branch, timeout_ms=TIMEOUT_MS)
        async with stage.running():
            yield stage


@pytest.fixture
async def books(stage: Stage) -> Books:
    books = Books(stage)
    await books.open()
    return books


async def ask(stage: Stage, paths: list[str], *, at_once: int = 20) -> None:
    """Ask for all paths; production's answers are all good."""
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(path: str) -> None:
            async with session.get(f"http://127.0.0.1:{stage.port}{path}") as response:
                assert response.status == 200
                await response.read()

        await asyncio.gather(*(one(path) for path in paths))


async def account_once(books: Books, holds: Callable[[Any], bool]) -> Any:
    """Wait until something holds of the account, and return it."""
    end = time.monotonic() + 60
    while not holds(found := await books.coverage()):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.1)
    return found


async def settled(books: Books, copies: int) -> Any:
    """Wait until Envoy counts so many copies and none is on its way; return the account."""

    def holds(found: Any) -> bool:
        are_over = "pending" not in found["not_compared"] and not any(one["under_way"] for one in found["cross_checks"])
        return bool(found["envoy"]["copies"] >= copies and are_over)

    return await account_once(books, holds)


def agrees(found: Any, expected: Counter[str]) -> None:
    """Check that each request has its reason, but for those that the capture lost, which are as many as said."""
    told = Counter(found["not_compared"])
    gap = told.pop("capture_gap", 0)
    told["paired"] = found["paired"]
    assert not told - expected, "nothing has a reason that it must not have"
    assert (expected - told).total() == gap
    assert {one["what"]: one["unexplained"] for one in found["cross_checks"] if one["unexplained"]} == {}


async def test_every_way_in_which_a_branch_fails_has_its_reason_and_envoy_agrees(stage: Stage, books: Books) -> None:
    paths = [f"/{kind}/{number}" for number in range(EACH) for kind in REASONS]
    async with stage.watched() as node, books.fed_by(node, stage.ledger):
        await until(lambda: bool(books.intake.accounts.steady("tee~shop", books.plane.state, since_ms=1 << 60)))
        await ask(stage, paths)
        found = await settled(books, len(paths))
        expected = Counter(REASONS[path.split("/")[1]] or "paired" for path in paths)
        agrees(found, expected)
        assert found["mirrored"] == len(paths)
        assert found["envoy"] == {
            "copies": len(paths),
            "dropped": 0,
            "timed_out": expected["branch_timeout"],
            "failed": expected["branch_error"],
        }


async def test_copies_above_the_limit_are_dropped_and_counted(stage: Stage, books: Books) -> None:
    paths = [f"/hangs/{number}" for number in range(MAX_COPIES + 50)]
    async with stage.watched() as node, books.fed_by(node, stage.ledger):
        await ask(stage, paths, at_once=len(paths))
        found = await settled(books, len(paths))
        envoy = found["envoy"]
        assert envoy["dropped"] > 0
        assert envoy["dropped"] + envoy["timed_out"] == len(paths)
        agrees(found, Counter(branch_overflow=envoy["dropped"], branch_timeout=envoy["timed_out"]))


async def test_a_branch_that_is_not_there(folder: Path, envoy_binary: str) -> None:
    async with serving(serve_well) as baseline:
        stage = Stage(folder, envoy_binary, baseline, Address("127.0.0.1", 1), timeout_ms=TIMEOUT_MS)
        async with stage.running(), stage.watched() as node:
            books = Books(stage)
            await books.open()
            async with books.fed_by(node, stage.ledger):
                await ask(stage, ["/well"] * 30)
                found = await settled(books, 30)
                agrees(found, Counter(branch_error=30))
                assert found["envoy"]["failed"] == 30


class Traffic:
    """Steady requests until the end of the block."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.answered = stage, 0

    async def __aenter__(self) -> "Traffic":
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            for number in itertools.count():
                with suppress(aiohttp.ClientError):  # while Envoy is being restarted
                    async with session.get(f"http://127.0.0.1:{self.stage.port}/well/{number}") as response:
                        await response.read()
                        self.answered += 1
                await asyncio.sleep(0.01)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a copy overdue after four seconds instead of nine."""
    monkeypatch.setattr(coverage, "DELIVERY_MS", 3_000)


@pytest.mark.usefixtures("_impatient")
async def test_what_a_killed_worker_had_is_a_gap_while_traffic_goes_on(stage: Stage, books: Books) -> None:
    async with Traffic(stage) as traffic:
        async with stage.watched() as node, books.fed_by(node, stage.ledger):
            await until(lambda: traffic.answered > 50)
            await until(lambda: stage.ledger.pairs > 30)
        # Its last words were never heard: what it had seen since the last delta is lost with it.
        lost = 60
        goal = traffic.answered + lost
        await until(lambda: traffic.answered > goal)
        stage.ledger = Recorder("another")
        async with stage.watched() as node, books.fed_by(node, stage.ledger):
            found = await account_once(books, lambda now: now["gaps"].get("unseen", 0) >= lost // 2)
            paired = found["paired"]
            found = await account_once(books, lambda now: now["paired"] >= paired + 30)
    assert found["not_compared"].get("pending", 0) < found["mirrored"] // 2


@pytest.mark.usefixtures("_impatient")
async def test_a_restarted_envoy_and_a_control_plane_that_comes_back(stage: Stage, books: Books) -> None:
    async with Traffic(stage) as traffic, stage.watched() as node:
        async with books.fed_by(node, stage.ledger):
            await until(lambda: stage.ledger.pairs > 30)
            await stage.stop_envoy(kill=True)
            polls = node.polls
            await stage.start_envoy()
            await until(lambda: node.polls > polls)
            pairs = stage.ledger.pairs
            await until(lambda: stage.ledger.pairs > pairs + 30)
        before = await books.coverage()
        await asyncio.sleep(1)
        await books.reopen()
        async with books.fed_by(node, stage.ledger):
            pairs = stage.ledger.pairs
            await until(lambda: stage.ledger.pairs > pairs + 30)
            await traffic.__aexit__()
            found = await settled(books, before["envoy"]["copies"] + 30)
    assert found["paired"] > before["paired"] + 30
    assert {one["what"]: one["unexplained"] for one in found["cross_checks"] if one["unexplained"]} == {}
