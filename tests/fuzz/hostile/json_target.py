"""Two answers that say they are JSON, compared, counted, and sent on."""

import json
from collections.abc import Iterator
from typing import Any, Final

from hostile.choices import Choices
from hostile.messages import spoil
from hostile.target import Target
from microstax.diff import ServiceAggregate, compare
from microstax.model.difference import Difference
from microstax.model.exchange import Side
from microstax.testing import JSON, a_response, a_triple, an_exchange

_LITERALS: Final = (
    b"0", b"-0", b"-0.0", b"1", b"1.0", b"1e400", b"-1e400", b"1E-400", b"NaN", b"Infinity", b"-Infinity", b"null",
    b"true", b"false", b'""', b'"a"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"2026-01-01T00:00:00Z"',
    b'"9999-12-31T23:59:60+99:99"', b'"6f1d2c3e-0000-4000-8000-000000000000"', b"18446744073709551616", b"9" * 400,
    b"1700000000", b"99999999999999999999999", b'"a@b.c"', b'"eyJhbGciOiJub25lIn0.e30."', b'"\xc3\xa9"', b'"\xff"',
    b"[]", b"{}", b'"redacted:00"', b"2305843009213693951", b'"%40@"',
)  # fmt: skip
_NAMES: Final = (b'"id"', b'"a"', b'"b"', b'"name"', b'"x y"', b'"\\ud800"', b'"17"', b'"\\u0061"', b'""', b'"$.*"')
_DEEPEST: Final = 6
_COUNT_EVERY: Final = 8
"""To count takes longer than to compare."""


def check(data: bytes) -> None:
    """Compare both ways; equal is equal, and what is found can be stored, sent and read again."""
    choices = Choices(data)
    if choices.number(0, 1):
        base = _document(choices, 0)
        other = spoil(base, choices) if choices.number(0, 1) else _document(choices, 0)
    else:
        half = choices.number(0, 512)
        raw = choices.rest()
        base, other = raw[:half], raw[half:]
    left, right = a_response(base, headers=JSON), a_response(other, headers=JSON)
    baseline, branch = an_exchange(response=left), an_exchange(Side.BRANCH, response=right)
    assert compare(baseline, baseline) == (), "a body differs from itself"
    found = compare(baseline, branch)
    for difference in found:
        _check_sayable(difference)
    if len(data) % _COUNT_EVERY == 1:
        assert bool(found) is bool(compare(branch, baseline)), "it depends on the side whether anything differs"
    if len(data) % _COUNT_EVERY == 0:
        aggregate = ServiceAggregate.empty()
        aggregate.add(a_triple(left, right, left))
        aggregate.add(a_triple(left, right, right, id="id-2"))
        packed = aggregate.to_bytes()
        assert ServiceAggregate.from_bytes(packed).to_bytes() == packed, "an aggregate changes on its way"


def _check_sayable(difference: Difference) -> None:
    for said in (getattr(difference, name, "") for name in ("path", "baseline", "branch")):
        str(said or "").encode()
        assert len(str(said or "")) < 2_000, "a difference is not short"


def _document(choices: Choices, depth: int) -> bytes:
    kind = choices.number(0, 4 if depth < _DEEPEST else 1)
    blank = choices.pick((b"", b"", b"", b" ", b"\n"))
    if kind <= 1:
        return blank + choices.pick(_LITERALS)
    if kind == 2:
        return b"[" * (size := choices.pick((1, 2, 60, 300))) + b"1" + b"]" * size
    count = choices.number(0, 4)
    if kind == 3:
        return b"[" + b",".join(_document(choices, depth + 1) for _ in range(count)) + b"]"
    members = (choices.pick(_NAMES) + blank + b":" + _document(choices, depth + 1) for _ in range(count))
    return b"{" + b",".join(members) + b"}"


def seeds() -> Iterator[bytes]:
    """Give pairs of documents that differ in each kind of way."""
    base: Any = {
        "id": 1,
        "items": [{"id": 1, "p": 1.5}, {"id": 2, "p": None}],
        "at": "2026-01-01T00:00:00Z",
        "t": {"x": 1},
    }
    for other in (
        base,
        {**base, "id": "1"},
        {**base, "items": base["items"][::-1]},
        {**base, "items": base["items"][1:]},
        {"x": 1, **{name: value for name, value in base.items() if name != "t"}},
        {**base, "at": 1_700_000_000},
    ):
        yield _pair(json.dumps(base).encode(), json.dumps(other).encode())
    yield _pair(b"[" + b",".join(_LITERALS) + b"]", b"[" + b",".join(reversed(_LITERALS)) + b"]")
    yield _pair(b'{"a":1,"a":2}', b'{"a":2}')
    yield _pair(b"[" * 300 + b"]" * 300, b"[" * 301 + b"]" * 301)
    yield b"\1" + bytes(range(256))
    yield b"\1" + bytes(byte * 7 % 256 for byte in range(512))


def _pair(base: bytes, other: bytes) -> bytes:
    return b"\0" + len(base).to_bytes(2, "little") + base + other


TARGET: Final = Target(check=check, seeds=seeds, tokens=(*_LITERALS, *_NAMES), longest=384)
