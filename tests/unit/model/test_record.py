"""Pairs on disk."""

from collections.abc import Iterator

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.errors import EXIT_USAGE, InvalidFileError
from microstax.model.exchange import Exchange, Request, Response, Side, Triple
from microstax.model.record import (
    PairFileHeader,
    StoredPair,
    decode_pair,
    encode_header,
    encode_pair,
    read_pair_file,
)
from microstax.testing import a_response, a_triple

HEADER = PairFileHeader(overlay="shadow-test", baseline="shop", created_ms=1_700_000_000_000)
PAIR = StoredPair(triple=a_triple(branch=a_response(b'{"a": 1}'), control=a_response()), captured_ms=5)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
headers = st.lists(st.tuples(texts, texts), max_size=4).map(tuple)
numbers = st.none() | st.integers(0, 2**62)
requests = st.builds(
    Request,
    method=texts,
    path=texts,
    authority=texts,
    headers=headers,
    body=st.binary(max_size=50),
    truncated=st.booleans(),
    encoded=st.booleans(),
)
responses = st.builds(
    Response,
    status=st.integers(100, 599),
    headers=headers,
    body=st.binary(max_size=50),
    truncated=st.booleans(),
    trailers=headers,
    local_reason=st.none() | texts,
    body_size=numbers,
    encoded=st.booleans(),
)


@st.composite
def pairs(draw: st.DrawFn) -> StoredPair:
    identity, service, overlay = draw(texts), draw(texts), draw(texts)

    def side(which: Side) -> Exchange:
        return Exchange(
            id=identity,
            side=which,
            service=service,
            overlay=None if which is Side.BASELINE else overlay,
            request=draw(requests),
            response=draw(st.none() | responses),
            started_us=draw(numbers),
            latency_us=draw(numbers),
        )

    triple = Triple(
        id=identity,
        service=service,
        overlay=overlay,
        baseline=side(Side.BASELINE),
        branch=side(Side.BRANCH),
        control=side(Side.CONTROL) if draw(st.booleans()) else None,
    )
    return StoredPair(triple=triple, captured_ms=draw(st.integers(0, 2**62)))


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes) -> list[StoredPair]:
    return list(read_pair_file([data], file="pairs.msgpack")[1])


def problem_with(data: bytes) -> str | None:
    try:
        read(data)
    except InvalidFileError as error:
        return error.message
    return None


@given(pairs())
def test_a_record_comes_back(pair: StoredPair) -> None:
    assert decode_pair(encode_pair(pair)) == pair


@given(st.lists(pairs(), max_size=4), st.integers(1, 200))
def test_a_file_comes_back_whatever_the_chunks(many: list[StoredPair], size: int) -> None:
    data = encode_header(HEADER) + b"".join(map(encode_pair, many))
    header, found = read_pair_file(chunks(data, size), file="pairs.msgpack")
    assert header == HEADER
    assert list(found) == many


@given(pairs(), st.data())
def test_a_damaged_file_gives_a_clear_error_or_other_pairs(pair: StoredPair, data: st.DataObject) -> None:
    damaged = bytearray(encode_header(HEADER) + encode_pair(pair))
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=5)):
        damaged[position] = data.draw(st.integers(0, 255))
    problem = problem_with(bytes(damaged))
    assert problem is None or ("pairs.msgpack" in problem and "byte" in problem)


@given(st.binary())
def test_garbage_gives_a_clear_error(data: bytes) -> None:
    with pytest.raises(InvalidFileError, match="file of pairs|no msgpack|cut off"):
        read(data)


@given(st.data())
def test_a_file_that_was_cut_says_where(data: st.DataObject) -> None:
    whole = encode_header(HEADER) + encode_pair(PAIR)
    begin = len(encode_header(HEADER))
    end = data.draw(st.integers(begin + 1, len(whole) - 1))
    with pytest.raises(InvalidFileError, match=f"ends at byte {end} inside the record that begins at byte {begin}"):
        read(whole[:end])


def test_an_empty_file() -> None:
    with pytest.raises(InvalidFileError, match="is empty") as caught:
        read(b"")
    assert caught.value.exit_code == EXIT_USAGE


def test_a_file_without_pairs_is_a_file() -> None:
    assert read(encode_header(HEADER)) == []


def test_a_newer_version_is_named() -> None:
    newer = msgpack.packb({"microstax": "pairs", "version": 2})
    with pytest.raises(InvalidFileError, match="version 2, and this microstax reads version 1"):
        read(newer)
    record = msgpack.packb({**msgpack.unpackb(encode_pair(PAIR)), "v": 9})
    with pytest.raises(InvalidFileError, match=f"byte {len(encode_header(HEADER))} is of version 9"):
        read(encode_header(HEADER) + record)


def test_keys_of_a_later_writer_are_ignored() -> None:
    fields = {**msgpack.unpackb(encode_pair(PAIR)), "note": "new"}
    assert decode_pair(msgpack.packb(fields)) == PAIR


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("service",), 5, "'service' of the record at byte 0 is not a text"),
        (("captured_ms",), True, "'captured_ms' of the record at byte 0 is not a whole number"),
        (("branch",), None, "'branch' of the record at byte 0 is not a map"),
        (("branch", "response", "status"), "200", "'branch.response.status' of .* is not a whole number"),
        (("baseline", "request", "body"), "text", "'baseline.request.body' of .* is not bytes"),
        (("baseline", "request", "headers"), [["a"]], "'baseline.request.headers' of .* is not a list of name and"),
    ],
)
def test_a_wrong_field_is_named(place: tuple[str, ...], value: object, message: str) -> None:
    fields = msgpack.unpackb(encode_pair(PAIR))
    inner = fields
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(InvalidFileError, match=message):
        decode_pair(msgpack.packb(fields))


def test_one_record_is_one() -> None:
    with pytest.raises(InvalidFileError, match="holds more than one record"):
        decode_pair(encode_pair(PAIR) * 2)
