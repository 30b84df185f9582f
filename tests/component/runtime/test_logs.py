"""Logs are read from the end and followed, over rotation and restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

from microstax.runtime.local import LocalRuntime
from microstax.runtime.logs import follow, older_log, rotate, tail
from microstax.runtime.port import ProcessKey, ProcessSpec


async def take(chunks: AsyncIterator[bytes], size: int) -> bytes:
    """Collect at least `size` bytes."""
    found = b""
    async with asyncio.timeout(15):
        async for chunk in chunks:
            found += chunk
            if len(found) >= size:
                return found
    return found


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as log:
        log.write(text)


async def test_following_gives_the_end_and_then_what_comes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n2\n3\n")
    async with aclosing(follow(path, lines=2)) as chunks:
        assert await anext(chunks) == b"2\n3\n"
        append(path, b"4\n")
        assert await take(chunks, 2) == b"4\n"


async def test_following_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    async with aclosing(follow(path, lines=5)) as chunks:
        reading = asyncio.ensure_future(take(chunks, 6))
        await asyncio.sleep(0.05)
        append(path, b"first\n")
        assert await reading == b"first\n"


async def test_following_loses_and_repeats_nothing_over_a_rotation(tmp_path: Path) -> None:
    """What was not read before the rotation is read from the older part."""
    path = tmp_path / "a.log"
    append(path, b"one\n")
    async with aclosing(follow(path, lines=5)) as chunks:
        assert await anext(chunks) == b"one\n"
        append(path, b"two\n")
        assert rotate(path, limit=4)
        append(path, b"three\n")
        assert await take(chunks, 10) == b"two\nthree\n"
    assert older_log(path).read_bytes() == b"one\ntwo\n"
    assert tail(path, lines=2) == b"two\nthree\n"


async def test_a_writer_goes_on_after_the_rotation(
    runtime: LocalRuntime, python_spec: Callable[..., ProcessSpec]
) -> None:
    """A process that has its log open needs no signal; its next line is the first of the shortened file."""
    source = "import sys\nwhile True:\n print('x' * 99, flush=True)\n import time; time.sleep(0.01)"
    key = ProcessKey("production", "talker")
    await runtime.start(python_spec(source, key=key))
    path = runtime.log_path(key)
    async with asyncio.timeout(15):
        while not path.exists() or path.stat().st_size < 500:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert rotate(path, limit=400)
        while path.stat().st_size < 100:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert path.read_bytes().startswith(b"xxx")


async def test_following_goes_on_over_a_restart(runtime: LocalRuntime, python_spec: Callable[..., ProcessSpec]) -> None:
    key = ProcessKey("production", "brief")
    async with aclosing(follow(runtime.log_path(key), lines=1)) as chunks:
        await runtime.start(python_spec("print('hello')", key=key))
        assert (await take(chunks, 12))[:12] == b"hello\nhello\n"
