"""Cutting the tap's stream into traces."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from microstax.capture.frames import FrameReader
from microstax.testing import delimited


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(min_value=0), max_size=20))
def test_whatever_the_chunks_the_messages_are_the_same(messages: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader()
    seen = [frame for chunk in pieces(delimited(messages), cuts) for frame in reader.feed(chunk)]
    assert seen == messages
    assert reader.finish() is None


@given(st.lists(st.binary(max_size=200)))
def test_no_bytes_raise(chunks: list[bytes]) -> None:
    reader = FrameReader()
    for chunk in chunks:
        reader.feed(chunk)
    reader.finish()
    assert reader.feed(delimited([b"next"])) == [b"next"], "the next stream is read whatever came before"


def test_a_stream_cut_inside_a_message_says_so() -> None:
    reader = FrameReader()
    assert reader.feed(delimited([b"whole", b"cut off"])[:-3]) == [b"whole"]
    assert reader.finish() == "cut inside a trace, 5 bytes left over"
    assert reader.finish() is None


def test_a_length_beyond_any_trace_breaks_the_stream_and_holds_nothing() -> None:
    reader = FrameReader()
    assert reader.feed(delimited([b"whole"]) + b"\xff\xff\xff\xff\x7f" + b"x" * 100) == [b"whole"]
    assert reader.broken == "a length that no trace can have"
    assert reader.feed(delimited([b"lost"])) == []
    assert reader.finish() == "a length that no trace can have"


def test_an_endless_length_breaks_the_stream() -> None:
    reader = FrameReader()
    for _ in range(6):
        reader.feed(b"\xff")
    assert reader.broken


def test_a_large_message_in_many_pieces_is_put_together_once() -> None:
    """Put together again for each piece, 8 MiB would be copied 130,000 times: the test's time limit would end it."""
    message = bytes(8 * 1024 * 1024)
    stream, reader = delimited([message, b"next"]), FrameReader()
    found = [frame for at in range(0, len(stream), 64) for frame in reader.feed(stream[at : at + 64])]
    assert found == [message, b"next"]
    assert reader.finish() is None
