"""Files of pairs (`microstax diff FILE`) and single records, whole, cut and spoilt."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import msgpack

from hostile.choices import Choices
from hostile.messages import spoil
from hostile.target import Target
from microstax.diff import ServiceAggregate, compare_triple
from microstax.errors import InvalidFileError
from microstax.model.record import PairFileHeader, StoredPair, decode_pair, encode_header, encode_pair, read_pair_file
from microstax.testing import JSON, a_request, a_response, a_triple

HEADER: Final = PairFileHeader(overlay="next", baseline="prod", created_ms=1_700_000_000_000)
_TRIPLES: Final = (
    a_triple(a_response(b'{"a":1}'), a_response(b'{"a":2}'), a_response(b'{"a":1}')),
    a_triple(a_response(b"x", headers=(), truncated=True), a_response(status=500, trailers=(("grpc-status", "13"),))),
    a_triple(
        a_response(headers=(*JSON, ("set-cookie", "a=1"), ("location", "http://x/y"))), a_response(local_reason="UT")
    ),
    a_triple(a_response(), a_response(), request=a_request("/a?b=1", method="POST", headers=JSON, body=b'{"q":1}')),
)
_RECORDS: Final = tuple(encode_pair(StoredPair(triple=triple, captured_ms=1_700_000_000_001)) for triple in _TRIPLES)
_VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1, 599, 2**53, 2**63, 2**64 - 1, -(2**63), 1.5, float("nan"), "", "x", "\udcff", b"", b"\xff",
    [], {},
    [["a", "b"]], [["a"]], {"a": 1}, "GET", "HEAD", "/" + "a/" * 40, [["content-type", "application/json"]] * 3,
    [["content-encoding", "gzip"]], "x" * 300,
)  # fmt: skip


def check(data: bytes) -> None:
    """Read a file and compare what is in it; a record that is read is written as it was."""
    choices = Choices(data)
    if choices.number(0, 2) == 0:
        source = choices.rest()
    else:
        source = b"".join([encode_header(HEADER), *(_record(choices) for _ in range(choices.number(0, 3)))])
        source = spoil(source, choices)
    piece = choices.pick((len(source) or 1, 64, 7))
    chunks = [source[at : at + piece] for at in range(0, len(source), piece)]
    try:
        decode_pair(source)
    except InvalidFileError as error:
        _check_sentence(error)
    aggregate = ServiceAggregate.empty()
    try:
        _, pairs = read_pair_file(chunks, file="f")
        for pair in pairs:
            compare_triple(pair.triple)
            aggregate.add(pair.triple)
            again = encode_pair(pair)
            assert encode_pair(decode_pair(again)) == again, "a pair changes on its way"
    except InvalidFileError as error:
        _check_sentence(error)
    aggregate.to_bytes()


def _check_sentence(error: InvalidFileError) -> None:
    error.message.encode()
    assert len(error.message) < 1_000, "a refusal is not short"


def _record(choices: Choices) -> bytes:
    raw = choices.pick(_RECORDS)
    record = msgpack.unpackb(raw)
    for _ in range(choices.number(0, 3)):
        _change(record, choices)
    packed: bytes = msgpack.packb(record, unicode_errors="surrogatepass")
    return packed


def _change(record: Any, choices: Choices) -> None:
    """Replace something somewhere in a record."""
    while isinstance(record, dict | list) and record:
        keys = list(record) if isinstance(record, dict) else range(len(record))
        key = choices.pick(keys)
        inner = record[key]
        if not isinstance(inner, dict | list) or not inner or choices.chance(3):
            if isinstance(record, dict) and choices.chance(6):
                del record[key]
            else:
                record[key] = deepcopy(choices.pick(_VALUES)) if choices.number(0, 3) else choices.data(20)
            return
        record = inner


def seeds() -> Iterator[bytes]:
    """Give a file with all records, one of garbage, one that is cut, and decisions."""
    whole = encode_header(HEADER) + b"".join(_RECORDS)
    yield b"\0" + whole
    yield b"\0" + whole[:-9]
    yield b"\0" + _RECORDS[0]
    yield b"\0" + b"\x91" * 600
    yield b"\0\xdd\xff\xff\xff\xff"
    for step in (1, 3, 7, 11, 13, 17):
        yield b"\1" + bytes(number * step % 256 for number in range(80))


TARGET: Final = Target(
    check=check, seeds=seeds, tokens=(b"\xa7version", b"\xa1v", b"\xc0", b"\xc4", b"\xdf"), longest=4096
)
