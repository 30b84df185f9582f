"""HTTP/1.1 with requests sent ahead."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.capture.pipelined import BrokenAnswerError, Ended, Event, Opened, PipelinedClient, Received

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nsorry"
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def asked(count: int) -> PipelinedClient:
    client = PipelinedClient()
    for _ in range(count):
        client.post("/tap", b"body")
    return client


def joined(events: list[Event]) -> list[Event]:
    """Join pieces of one body."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, Received) and out and isinstance(out[-1], Received):
            out[-1] = Received(out[-1].data + event.data)
        else:
            out.append(event)
    return out


def test_a_request_is_whole() -> None:
    request = PipelinedClient().post("/tap", b"body")
    assert request == b"POST /tap HTTP/1.1\r\nHost: envoy\r\nContent-Length: 4\r\n\r\nbody"


@given(st.lists(st.integers(0, len(CHUNKED + SIZED + EMPTY)), max_size=20))
def test_answers_in_any_pieces(cuts: list[int]) -> None:
    data = CHUNKED + SIZED + EMPTY
    client = asked(3)
    events: list[Event] = []
    for start, stop in pairwise([0, *sorted(cuts), len(data)]):
        events += client.receive(data[start:stop])
    assert joined(events) == [
        Opened(200),
        Received(b"one two"),
        Ended(closing=False),
        Opened(400),
        Received(b"sorry"),
        Ended(closing=False),
        Opened(200),
        Ended(closing=False),
    ]
    assert client.waiting == 0


def test_a_server_that_closes_says_so() -> None:
    answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    assert asked(2).receive(answer) == [Opened(200), Ended(closing=True)]


@pytest.mark.parametrize("data", [b"\x00\x01\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", CHUNKED + b"more"])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenAnswerError):
        asked(1).receive(data)


@given(st.binary(min_size=1, max_size=200))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    client = asked(1)
    try:
        client.receive(data)
    except BrokenAnswerError:
        return
    assert client.waiting in (0, 1)
