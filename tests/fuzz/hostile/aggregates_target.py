"""Comparison results as bytes: damaged, forged with a right hash, merged, judged, and printed in every format."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import msgpack

from hostile.choices import Choices
from hostile.messages import spoil
from hostile.target import Target
from microstax.diff import ReportInput, ServiceAggregate, build_report
from microstax.diff.aggregate import VERSION
from microstax.diff.hashes import hash64
from microstax.errors import StorageError
from microstax.offline import Recount
from microstax.report.render import FORMATS, render
from microstax.testing import a_request, a_response, a_triple

_WRITE_EVERY, _PRINT_EVERY = 4, 16
"""To write, to judge and to print takes longer than to read; the lengths of inputs vary."""
_COVERAGE: Final = Recount().coverage()
_VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, 1, 2, 2**53, 2**63 - 1, 2**63, -1, 0.5, float("nan"), float("inf"), -1e308, "", "x", "$.a",
    "value", "shape",
    "GET /{id}", "* {other}", "uuid>hex", b"", b"\0" * 8, b"\xff" * 64, [], [0], [1, 2], {}, {"a": 1}, "\udc80",
    "x" * 500,
)  # fmt: skip


def _aggregates() -> tuple[bytes, ...]:
    one, two = ServiceAggregate.empty(), ServiceAggregate.empty()
    for number in range(4):
        request = a_request(f"/items/{number}?q={number % 3}", headers=(("accept", "a/b"),))
        base, drift = b'{"id":%d,"at":"2026-01-01T00:00:00Z","l":[1,2]}' % number, b'{"id":"%d","l":[2,1]}' % number
        one.add(a_triple(a_response(base), a_response(drift), a_response(base), id=f"p{number}", request=request))
        two.add(a_triple(a_response(base), a_response(status=500), id=f"q{number}", request=a_request("/b")))
    return one.to_bytes(), two.to_bytes(), ServiceAggregate.empty().to_bytes()


_KNOWN: Final = _aggregates()
_CONTENTS: Final = tuple(msgpack.unpackb(known)[2] for known in _KNOWN)


def check(data: bytes) -> None:
    """Read results: they are refused as damaged, or can be merged, written, judged and printed."""
    choices = Choices(data)
    if choices.number(0, 3) == 0:
        raw = choices.rest()
    else:
        content = msgpack.unpackb(choices.pick(_CONTENTS), unicode_errors="surrogatepass")
        for _ in range(choices.number(0, 3)):
            content = _changed(content, choices)
        packed = msgpack.packb(content, unicode_errors="surrogatepass")
        packed = spoil(packed, choices) if choices.chance(4) else packed
        raw = msgpack.packb([VERSION, hash64(packed), packed])
    try:
        found = ServiceAggregate.from_bytes(raw)
    except StorageError:
        return
    merged = ServiceAggregate.from_bytes(_KNOWN[0])
    merged.merge(found)
    if len(data) % _WRITE_EVERY:
        return
    # Counts that nobody reaches are cut when they are read, so that they can be added up; once cut, they stay.
    again = ServiceAggregate.from_bytes(merged.to_bytes()).to_bytes()
    assert ServiceAggregate.from_bytes(again).to_bytes() == again, "results change on their way"
    merged.fresh().to_bytes()
    assert merged.example_ids is not None
    if len(data) % _PRINT_EVERY == 0:
        _print(merged, choices)


def _print(merged: ServiceAggregate, choices: Choices) -> None:
    document = build_report(
        ReportInput(
            overlay="next", baseline="prod", since="2026-01-01T00:00:00Z", aggregates={"s": merged}, coverage=_COVERAGE
        )
    )
    render(document, choices.pick(FORMATS)).encode()


def _changed(content: Any, choices: Choices) -> Any:
    """Replace, drop or repeat something somewhere."""
    if not isinstance(content, dict | list) or not content:
        return deepcopy(choices.pick(_VALUES))
    record = content
    while True:
        key = choices.pick(list(record) if isinstance(record, dict) else range(len(record)))
        inner = record[key]
        if isinstance(inner, dict | list) and inner and not choices.chance(4):
            record = inner
            continue
        match choices.number(0, 4):
            case 0:
                del record[key]
            case 1 if isinstance(record, list):
                record.append(deepcopy(inner))
            case 1:
                record[choices.text(12)] = deepcopy(inner)
            case 2 if isinstance(inner, bytes):
                record[key] = spoil(inner, choices)
            case _:
                record[key] = deepcopy(choices.pick(_VALUES))
        return content


def seeds() -> Iterator[bytes]:
    """Give results as they are, and decisions."""
    for known in _KNOWN:
        yield b"\0" + known
    for step in (1, 3, 5, 7, 11, 13, 17, 19):
        yield b"\1" + bytes(number * step % 256 for number in range(48))


TARGET: Final = Target(check=check, seeds=seeds, tokens=(b"\x93", b"\xc4\x08", b"\xcf"), longest=4096)
