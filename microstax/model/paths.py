"""The one grammar for a place in a JSON body: written here, and matched by patterns in ignore rules and filters.

    $                 the body
    .name             a member; ["any name"] where the name is not `[A-Za-z_][A-Za-z0-9_-]*`
    []                an array's elements
    .*                any one member; in a report: the members whose names look like ids
    .**               any number of steps, also none

Places come from the wire, so their length is bounded: a long name is cut and marked with a hash, and a place of more
than MAX_PLACE characters ends in `.**`.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from microstax.errors import UsageError

ROOT: Final = "$"
ELEMENT: Final = "[]"
ANY_NAME: Final = ".*"
ANY_DEPTH: Final = ".**"
MAX_NAME: Final = 80
MAX_PLACE: Final = 400

Step: TypeAlias = str | None

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_QUOTED: Final = r'\["(?:[^"\\]|\\.)*"\]'
_STEP: Final = re.compile(
    rf"(?P<depth>\.\*\*)|(?P<any>\.\*)|\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[\]|(?P<quoted>{_QUOTED})"
)
_ANY_NAME_PATTERN: Final = rf"(?:\.[A-Za-z_][A-Za-z0-9_-]*|\.\*|{_QUOTED})"
_ANY_DEPTH_PATTERN: Final = rf"(?:{_ANY_NAME_PATTERN}|\[\]|\.\*\*)*"


@lru_cache(maxsize=4096)
def member_step(name: str) -> str:
    """Return the step into the member `name`: `.price`, `["unit price"]`. Never holds what UTF-8 cannot carry."""
    if len(name) > MAX_NAME:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        name = f"{name[: MAX_NAME - 20]}~{digest}"
    if _PLAIN.fullmatch(name):
        return f".{name}"
    text = json.dumps(name, ensure_ascii=False)
    return f"[{text}]" if text.isprintable() else f"[{json.dumps(name)}]"


def step_into(place: str, step: str) -> str:
    """Return `place` with one more step; a place that is too long already ends in `.**` instead."""
    if len(place) <= MAX_PLACE:
        return place + step
    return place if place.endswith(ANY_DEPTH) else place + ANY_DEPTH


def pattern_of(text: str) -> re.Pattern[str]:
    """Return what matches the places that the pattern `text` means. Raises UsageError that says where it is wrong.

    >>> bool(pattern_of("$.**.price").fullmatch("$.items[].price"))
    True
    """
    parts = [re.escape(ROOT), *(_step_pattern(match, text) for match in _steps(text))]
    return re.compile("".join(parts))


def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a path without wildcards: a member's name, or None into the elements of an array.

    Raises UsageError that says where it is wrong.

    >>> parse_path('$.items[]["unit price"]')
    ('items', None, 'unit price')
    """
    return tuple(_plain_step(match, text) for match in _steps(text))


def _steps(text: str) -> Iterator[re.Match[str]]:
    if not text.startswith(ROOT):
        raise UsageError(f"Path {text!r} does not begin with '$': write it like $.items[].price.")
    position = len(ROOT)
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise _problem(text, position)
        yield match
        position = match.end()


def _step_pattern(match: re.Match[str], text: str) -> str:
    if match["depth"]:
        return _ANY_DEPTH_PATTERN
    if match["any"]:
        return _ANY_NAME_PATTERN
    name = _plain_step(match, text)
    return re.escape(ELEMENT if name is None else member_step(name))


def _plain_step(match: re.Match[str], text: str) -> Step:
    if match["depth"] or match["any"]:
        raise UsageError(
            f"Path {text!r} has a wildcard at character {match.start() + 1}, and here it needs exact steps."
        )
    if match["quoted"]:
        try:
            return str(json.loads(match["quoted"][1:-1]))
        except ValueError as error:
            raise _problem(text, match.start()) from error
    name: Step = match["name"]
    return name


def _problem(text: str, position: int) -> UsageError:
    return UsageError(
        f'Path {text!r} is wrong at character {position + 1}: steps are .name, ["any name"], [] for elements, '
        ".* for any one member and .** for any depth."
    )
