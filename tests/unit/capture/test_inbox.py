"""The bounded way between poller and decoder."""

import asyncio

from microstax.capture import Chunk, Inbox


def chunk(poll: int, data: bytes, at_us: int = 0) -> Chunk:
    return Chunk(poll, data, at_us)


async def test_chunks_come_out_in_order() -> None:
    inbox = Inbox()
    inbox.put(chunk(1, b"a"))
    inbox.put(chunk(1, b"b"))
    assert [(await inbox.get()).data, (await inbox.get()).data] == [b"a", b"b"]
    assert inbox.bytes == 0


async def test_a_reader_waits_for_the_next() -> None:
    inbox = Inbox()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        reader = group.create_task(inbox.get())
        await asyncio.sleep(0)
        assert not reader.done()
        inbox.put(chunk(1, b"a"))
    assert reader.result().data == b"a"


async def test_what_does_not_fit_is_dropped_with_the_rest_of_its_poll() -> None:
    inbox = Inbox(limit=10)
    assert inbox.put(chunk(1, b"12345678"))
    assert not inbox.put(chunk(1, b"345"))
    assert not inbox.put(chunk(1, b"6")), "it would fit, but there is a hole before it"
    assert inbox.put(chunk(2, b"7"))
    assert inbox.dropped_bytes == 4
    assert inbox.bytes == 9


async def test_the_age_of_what_waits() -> None:
    inbox = Inbox()
    assert inbox.oldest_us() is None
    inbox.put(chunk(1, b"a", at_us=5))
    inbox.put(chunk(2, b"b", at_us=9))
    assert inbox.oldest_us() == 5
