"""Secrets in headers, URLs, forms and JSON, and patterns of users: what has to be hidden is hidden, in bounded time."""

import json
from collections.abc import Iterator
from typing import Any, Final

from hostile.choices import Choices
from hostile.messages import spoil
from hostile.target import Target
from microstax.capture.redaction import Redaction
from microstax.capture.redactor import Redactor
from microstax.errors import UsageError

SECRET: Final = "canary-0f3a"
_RULES: Final = (
    Redactor(
        Redaction(key=b"k" * 32, json_paths=("$.user.secret", "$.items[].secret", '$["a b"]'), headers=("x-own",))
    ),
    Redactor(Redaction(key=b"k" * 32, parameters=("token",))),
    Redactor(Redaction(key=b"k" * 32, patterns=(r"canary-[0-9a-f]+", r"[\w.]+@[\w.]+"))),
)
_TYPES: Final = ("application/json", "application/problem+json", "text/plain", "application/x-www-form-urlencoded", "")
_OTHERS: Final = ("1", "null", '"x"', "NaN", "[]", "{}", '"\\ud800"', "1e400", "-0", '{"secret":1}', '{"secret":[]}')
_PIECES: Final = (
    r"\d", r"\w", r"[a-z]", r"[^&]", ".", "a", r"\s", r"\b", "^", "$", "(", ")", "(?:", "|", "*", "+", "?", "{2,}",
    "{3}", "+?",
    "(?=", "(?!", "(?<=", "(?i)", r"\1", "(?P<x>", "(?P=x)", "(?>", "*+", "[", "]", "\\", "-", "{0,99999}", "\x00",
    r"\Z", "é",
)  # fmt: skip


def check(data: bytes) -> None:
    """Redact; the secret is gone, or the rule was refused."""
    choices = Choices(data)
    match choices.number(0, 4):
        case 0:
            _check_json(choices)
        case 1:
            _check_form(choices)
        case 2:
            _check_pattern(choices)
        case 3:
            _check_header(choices)
        case _:
            rules, kind, encoded = choices.pick(_RULES), choices.pick(_TYPES), choices.chance(8)
            body = rules.body(choices.rest(), kind, encoded=encoded)
            assert rules.body(body, kind, encoded=False) is not None, "no body"


def _check_json(choices: Choices) -> None:
    """Put the secret where the paths say; also where members repeat, and in containers."""
    held = choices.pick(
        (
            f'"{SECRET}"',
            f'["{SECRET}"]',
            f'{{"x":"{SECRET}"}}',
            f'"{SECRET}","secret":"{SECRET}"',
            f'[[1,{{"y":"{SECRET}"}}]]',
        )
    )
    other = choices.pick(_OTHERS)
    body = choices.pick(
        (
            f'{{"user":{{"z":{other},"secret":{held}}}}}',
            f'{{"items":[{other},{{"secret":{held}}},{{"secret":{held},"q":{other}}}],"user":{other}}}',
            f'{{"user":{other},"user":{{"secret":{held}}}}}',
            f'{{"\\u0061 b":"{SECRET}","a b":"{SECRET}","o":{other}}}',
            f' {{"user" :\n{{"\\u0073ecret": {held}}}}}',
        )
    )
    kind = choices.pick(_TYPES[:2])
    redacted = _RULES[0].body(body.encode("utf-8", "surrogatepass"), kind, encoded=choices.chance(8))
    assert SECRET.encode() not in redacted, f"the secret is readable in {redacted!r}"
    hidden = body.replace("canary", choices.pick(("canary", "c\\u0061nary", "\\u0063\\u0061nary")))
    found = _RULES[2].body(hidden.encode("utf-8", "surrogatepass"), kind, encoded=False)
    assert b"0f3a" not in found, f"what a pattern finds is readable in {found!r}"
    _RULES[2].body(spoil(hidden.encode("utf-8", "surrogatepass"), choices), kind, encoded=False)
    _RULES[0].body(spoil(body.encode("utf-8", "surrogatepass"), choices), kind, encoded=False)


def _check_form(choices: Choices) -> None:
    name = choices.pick(("token", "%74oken", "to%6ben", "%74%6f%6b%65%6e"))
    fields = [choices.text(12).replace(SECRET, "") for _ in range(choices.number(0, 3))]
    text = "&".join([*fields, f"{name}={SECRET}", *fields])
    rules, kind = _RULES[1], _TYPES[3]
    body = rules.body(text.encode("utf-8", "replace"), kind, encoded=False)
    assert SECRET.encode() not in body, f"the secret is readable in {body!r}"
    path = text.replace("#", "").replace("?", "")
    assert SECRET not in rules.header(":path", f"/a?{path}#x"), "the secret is readable in a path"


def _check_header(choices: Choices) -> None:
    name = choices.pick(("authorization", "cookie", "set-cookie", "x-own", "x-api-key"))
    before, after = choices.text(10).replace(SECRET, ""), choices.text(10).replace(SECRET, "")
    value = f"{before}{SECRET}{after}"
    kept = _RULES[0].header(name, value)
    if name not in ("cookie", "set-cookie"):
        assert SECRET not in kept, f"{name} is readable"
    patterned = _RULES[2].body(f"{before} {SECRET} {after}".encode("utf-8", "surrogateescape"), "", encoded=False)
    assert SECRET.encode() not in patterned, "what a pattern finds is readable"


def _check_pattern(choices: Choices) -> None:
    """Make a pattern of pieces and use it on texts that such patterns take longest for."""
    pattern = "".join(choices.pick(_PIECES) for _ in range(choices.number(1, 12)))
    try:
        rules = Redactor(Redaction(key=b"k" * 32, patterns=(pattern,)))
    except UsageError:
        return
    text = choices.pick(("a", "1", "a.", "a1", " ", "aé")) * choices.pick((1, 30, 300, 3_000)) + choices.pick(
        ("", "!", "\n")
    )
    rules.body(text.encode(), "text/plain", encoded=False)


def seeds() -> Iterator[bytes]:
    """Give each kind of check, by decision and with real bodies."""
    document: dict[str, Any] = {"user": {"secret": SECRET, "x": [1, 2]}, "items": [{"secret": 1}, {"secret": None}]}
    for rules in range(len(_RULES)):
        yield bytes([4, rules, 0, 0]) + json.dumps(document).encode()
        yield bytes([4, rules, 3, 0]) + f"a=1&token={SECRET}&b=a@b.c".encode()
    for kind in range(4):
        for step in (1, 3, 7, 11):
            yield bytes([kind]) + bytes(number * step % 256 for number in range(32))


TARGET: Final = Target(check=check, seeds=seeds, tokens=tuple(piece.encode() for piece in _PIECES), longest=512)
