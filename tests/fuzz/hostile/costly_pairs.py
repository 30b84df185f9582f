"""Pairs of JSON bodies that are made to cost the differ as much as a body of that size can.

Each was the most expensive one at some time, or is what somebody would try next.
"""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

Pair = tuple[bytes, bytes]
_MERSENNE: Final = 2**61 - 1
"""Python hashes integers modulo this number."""


def text(document: Any) -> bytes:
    """Return a document as JSON without blanks."""
    return json.dumps(document, separators=(",", ":")).encode()


def nested(value: Any, levels: int, *beside: Any) -> Any:
    """Return a value inside of so many arrays, each with `beside` after it."""
    for _ in range(levels):
        value = [value, *beside]
    return value


def costly_pairs(size: int) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield (what it is, baseline, branch), each body of `size` bytes or a little less."""
    for name, make in _CASES.items():
        yield name, *make(size)


def _digits(size: int) -> Pair:
    numbers = random.Random(1)
    return tuple(text([numbers.randrange(10) for _ in range(size // 2 - 2)]) for _ in range(2))  # type: ignore[return-value]


def _other_objects(size: int) -> Pair:
    letters = random.Random(2)
    rows = [[{name: letters.choice("ab") for name in "abcdefgh"} for _ in range(size // 66)] for _ in range(2)]
    return text(rows[0]), text(rows[1])


def _repeated(size: int) -> Pair:
    def members(number: int, count: int) -> bytes:
        return b"{" + b",".join(b'"k%06d":%d' % (at // 2, number) for at in range(count)) + b"}"

    return members(1, size // 12), members(2, size // 12)


def _array(items: Callable[[int], Any], other: Callable[[int], Any], width: int) -> Callable[[int], Pair]:
    def make(size: int) -> Pair:
        count = size // width
        return text([items(at) for at in range(count)]), text([other(at) for at in range(count)])

    return make


def _literals(one: bytes, last: tuple[bytes, bytes] = (b"1", b"2")) -> Callable[[int], Pair]:
    def make(size: int) -> Pair:
        many = (one + b",") * (size // (len(one) + 1) - 2)
        return b"[" + many + last[0] + b"]", b"[" + many + last[1] + b"]"

    return make


def _around(wrap: Callable[[Any], Any]) -> Callable[[int], Pair]:
    def make(size: int) -> Pair:
        inner = list(range(size // 8))
        return text(wrap([*inner, 1.5])), text(wrap([*inner, 2.5]))

    return make


def _string(before: str, unit: str, after: str) -> Callable[[int], Pair]:
    def make(size: int) -> Pair:
        middle = unit * ((size - len(before) - len(after) - 10) // len(unit))
        return text({"a": f"1{before}{middle}{after}"}), text({"a": f"2{before}{middle}{after}"})

    return make


def _named(name: Callable[[int], str], width: int) -> Callable[[int], Pair]:
    def make(size: int) -> Pair:
        names = [name(at) for at in range(size // width)]
        return text({one: at for at, one in enumerate(names)}), text({one: at + 1 for at, one in enumerate(names)})

    return make


def _one_name(size: int) -> Pair:
    name = "%40" * (size // 3 - 4) + "@/"
    return text({name: 1}), text({name: 2})


def _moved(value: Callable[[int, int], Any]) -> Callable[[int], Pair]:
    def make(size: int) -> Pair:
        count = size // 24
        return (
            text({"a": {f"k{at}": {"x": value(at, 0)} for at in range(count)}}),
            text({"b": {f"k{at}": {"x": value(at, 1)} for at in range(count)}}),
        )

    return make


_CASES: Final[dict[str, Callable[[int], Pair]]] = {
    "digits in another order": _digits,
    "integers, all others": _array(lambda at: 10**6 + at, lambda at: 2 * 10**6 + at, 8),
    "texts, all others": _array(lambda at: f"a{at:07d}", lambda at: f"b{at:07d}", 11),
    "fractions, all others": _array(lambda _: 1.5, lambda _: 2.5, 4),
    "objects by id, reversed": _array(lambda at: {"id": at}, lambda at: {"id": -at}, 14),
    "objects by id, all values others": _array(lambda at: {"id": at, "v": at}, lambda at: {"id": at, "v": -at}, 26),
    "objects with eight members and no key": _other_objects,
    "members, all others": _named(lambda at: f"k{at:06d}", 16),
    "members that repeat": _repeated,
    "NaN": _literals(b"NaN"),
    "integers above 64 bits": _literals(b"12345678901234567890123"),
    "integers of 4,000 digits": _literals(b"9" * 4_000),
    "one integer": lambda size: (b"8" * size, b"9" * size),
    "large exponents": _literals(b"1e300"),
    "lone surrogates": _literals(b'"\\ud800"'),
    "empty arrays against empty objects": lambda size: (_literals(b"[]")(size)[0], _literals(b"{}")(size)[0]),
    "pairs of arrays": _array(lambda at: [at, at], lambda at: [at, at + 1], 12),
    "arrays in arrays, 8 levels": _array(lambda at: nested(at, 8), lambda at: nested(at + 1, 8), 24),
    "arrays in arrays, 60 levels": _array(lambda at: nested(at, 60, 1), lambda at: nested(at + 1, 60, 1), 254),
    "arrays in arrays, 240 levels": _array(lambda at: nested(at, 240), lambda at: nested(at + 1, 240), 490),
    "a long array 60 levels down": _around(lambda inner: nested(inner, 60)),
    "a long array 60 levels down, with neighbours": _around(lambda inner: nested(inner, 60, 1)),
    "a long array 60 levels down, in objects": _around(lambda inner: nested({"a": inner}, 60)),
    "levels": lambda size: (b"[" * (size // 2) + b"]" * (size // 2), b'{"a":' * (size // 6) + b"1" + b"}" * 9),
    "open brackets": lambda size: (b"[" * size, b"[" * (size - 1)),
    "a name of escaped @": _one_name,
    "names of escaped @": _named(lambda at: "%40" * 20 + f"{at}@/", 76),
    "a text like an address": _string("@", ".", " "),
    "texts like addresses": _array(lambda _: "a@" + "." * 4_000 + " ", lambda _: "b@" + "." * 4_000 + " ", 4_010),
    "a text of digits": _string("", "1", ""),
    "a text like a hash": _string("", "a1", ""),
    "a text like a token": _string("", "aZ1", ""),
    "members that moved": _moved(lambda at, _: at),
    "members that moved and changed": _moved(lambda at, side: at - 2 * side * at),
    "members that moved, all alike": _moved(lambda _at, _side: 1),
    "integers whose hashes are one": _array(lambda at: at * _MERSENNE, lambda at: (at + 1) * _MERSENNE, 23),
    "ids whose hashes are one": _array(lambda at: {"id": at * _MERSENNE}, lambda at: {"id": -at * _MERSENNE}, 31),
    "a text that begins like JSON": lambda size: (b"{" + b"x" * size, b"{" + b"y" * size),
    "invalid UTF-8": lambda size: (b'["' + b"\xff" * size + b'"]', b'["' + b"\xfe" * size + b'"]'),
}  # fmt: skip
