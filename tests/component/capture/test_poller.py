"""The poller against a scripted Envoy admin interface."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from microstax.capture import Chunk, PollFailed, PollProblem, TapPoller
from microstax.capture.frames import FrameReader
from microstax.envoy import tap_request
from microstax.testing import ScriptedTap, delimited

POLL_MS = 100
EXISTS = "An attached /tap admin stream already exists. Detach it."
UNKNOWN = "Unknown config id 'microstax'. No extension has registered with this id."


class Watched:
    """A running poller and what it told."""

    def __init__(self, address: str, longest_s: float = 30.0) -> None:
        self.chunks: list[Chunk] = []
        self.failures: list[PollFailed] = []
        self.news = asyncio.Event()
        self.poller = TapPoller(
            address,
            request=lambda: tap_request(100, POLL_MS, 1024),
            on_chunk=self._chunk,
            on_failure=self._failure,
            poll_ms=POLL_MS,
            grace_s=0.3,
            longest_s=longest_s,
        )

    def _chunk(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.news.set()

    def _failure(self, failure: PollFailed) -> None:
        self.failures.append(failure)
        self.news.set()

    def traces(self) -> list[bytes]:
        """Return whole traces, poll by poll."""
        found: list[bytes] = []
        for poll in dict.fromkeys(chunk.poll for chunk in self.chunks):
            reader = FrameReader()
            found += [frame for chunk in self.chunks if chunk.poll == poll for frame in reader.feed(chunk.data)]
        return found

    async def until_traces(self, *traces: bytes) -> None:
        async with asyncio.timeout(10):
            while self.traces() != list(traces):
                self.news.clear()
                await self.news.wait()

    async def until_failure(self, problem: PollProblem) -> PollFailed:
        async with asyncio.timeout(10):
            while True:
                found = [failure for failure in self.failures if failure.problem is problem]
                if found:
                    return found[0]
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def tap(tmp_path: Path) -> AsyncIterator[ScriptedTap]:
    async with ScriptedTap(tmp_path / "admin.sock") as scripted:
        yield scripted


@pytest.fixture
async def watched(tap: ScriptedTap) -> AsyncIterator[Watched]:
    found = Watched(tap.address)
    async with asyncio.TaskGroup() as group:
        group.create_task(found.poller.run())
        yield found
        found.poller.stop()


async def test_traces_of_many_polls_arrive_in_order(tap: ScriptedTap, watched: Watched) -> None:
    tap.send(b"one", b"two").send().send(b"three", piece=1)
    await watched.until_traces(b"one", b"two", b"three")
    assert watched.failures == []


async def test_the_next_poll_is_sent_ahead(tmp_path: Path) -> None:
    """It is with Envoy before the answer to the one before has ended, so that Envoy need not wait for us."""
    ahead: asyncio.Queue[bytes] = asyncio.Queue()

    async def admin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}}}")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        ahead.put_nowait(await reader.readuntil(b"\r\n"))
        writer.close()

    server = await asyncio.start_unix_server(admin, tmp_path / "admin.sock")
    watched = Watched(f"unix:{tmp_path / 'admin.sock'}")
    async with server, asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(watched.poller.run())
        assert await ahead.get() == b"POST /tap HTTP/1.1\r\n"
        watched.poller.stop()


async def test_no_poll_is_sent_ahead_of_a_refusal(tap: ScriptedTap, watched: Watched) -> None:
    """It would be left behind on a connection that is given up, and hold the tap."""
    tap.refuse(400, UNKNOWN)
    await watched.until_failure(PollProblem.NO_TAP)
    assert len(tap.polls) == 1


async def test_an_envoy_that_restarts_is_polled_again(tap: ScriptedTap, watched: Watched) -> None:
    tap.send(b"before")
    await watched.until_traces(b"before")
    await tap.stop()
    failure = await watched.until_failure(PollProblem.UNREACHABLE)
    assert "does not answer" in str(failure)
    tap.send(b"after")
    await tap.start()
    await watched.until_traces(b"before", b"after")


async def test_a_tap_that_was_detached_is_opened_again(tap: ScriptedTap, watched: Watched) -> None:
    tap.hang().send(b"after")
    await watched.until_failure(PollProblem.DETACHED)
    await watched.until_traces(b"after")


async def test_another_client_is_told_and_waited_for(tap: ScriptedTap, watched: Watched) -> None:
    tap.refuse(400, EXISTS).refuse(400, EXISTS).send(b"mine")
    failure = await watched.until_failure(PollProblem.CONFLICT)
    assert "another client polls its tap" in str(failure)
    assert EXISTS in failure.detail
    await watched.until_traces(b"mine")


@pytest.mark.parametrize(
    ("status", "text", "problem"),
    [
        (400, UNKNOWN, PollProblem.NO_TAP),
        (404, "not found", PollProblem.NO_TAP),
        (409, "", PollProblem.CONFLICT),
        (503, "draining", PollProblem.BROKEN),
    ],
)
async def test_refusals(tap: ScriptedTap, watched: Watched, status: int, text: str, problem: PollProblem) -> None:
    tap.refuse(status, text).send(b"after")
    assert (await watched.until_failure(problem)).detail == f"HTTP {status}: {text}"
    await watched.until_traces(b"after")


async def test_an_answer_cut_in_the_middle(tap: ScriptedTap, watched: Watched) -> None:
    tap.cut(delimited([b"whole", b"half of it"])[:-4]).send(b"after")
    await watched.until_traces(b"whole", b"after")
    assert {failure.problem for failure in watched.failures} == {PollProblem.UNREACHABLE}


async def test_a_server_that_speaks_no_http(tmp_path: Path) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01 hello\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(babble, tmp_path / "odd.sock")
    watched = Watched(f"unix:{tmp_path / 'odd.sock'}")
    async with server, asyncio.TaskGroup() as group:
        group.create_task(watched.poller.run())
        await watched.until_failure(PollProblem.BROKEN)
        watched.poller.stop()


async def test_nobody_there(tmp_path: Path) -> None:
    watched = Watched(f"unix:{tmp_path / 'none.sock'}")
    async with asyncio.TaskGroup() as group:
        group.create_task(watched.poller.run())
        await watched.until_failure(PollProblem.UNREACHABLE)
        watched.poller.stop()


async def test_stop_takes_the_last_traces_along(tap: ScriptedTap) -> None:
    watched = Watched(tap.address)
    tap.send(b"one").send(b"last", after_s=0.2)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(watched.poller.run())
        await watched.until_traces(b"one")
        watched.poller.stop()
    assert watched.traces() == [b"one", b"last"]


async def test_an_answer_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """It trickles, so it is never silent; nothing would be read from it, since that waits for the end of an answer."""
    gone = asyncio.Event()

    async def admin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while not reader.at_eof():
                writer.write(b"1\r\n\x00\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        finally:
            gone.set()
            writer.close()

    server = await asyncio.start_unix_server(admin, tmp_path / "admin.sock")
    watched = Watched(f"unix:{tmp_path / 'admin.sock'}", longest_s=0.2)
    async with server, asyncio.TaskGroup() as group:
        group.create_task(watched.poller.run())
        failure = await watched.until_failure(PollProblem.DETACHED)
        watched.poller.stop()
        await gone.wait()
    assert "does not end" in failure.detail
    assert watched.poller.between.is_set()


async def test_of_a_refusal_that_never_ends_only_the_beginning_is_kept(tmp_path: Path) -> None:
    async def admin(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_unix_server(admin, tmp_path / "admin.sock")
    watched = Watched(f"unix:{tmp_path / 'admin.sock'}")
    async with server, asyncio.TaskGroup() as group:
        group.create_task(watched.poller.run())
        failure = await watched.until_failure(PollProblem.BROKEN)
        watched.poller.stop()
    assert len(failure.detail) < 5_000
