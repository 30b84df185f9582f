"""Changes of one member of a JSON object, in place. Each tells whether it changed anything."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from microstax.model.paths import Step

Edit = Callable[[dict[str, Any], str], bool]
"""(object, name of the member): whether the object is another one now."""

ADDED: Final = "addedBySelftest"
WRAPPED: Final = "wrappedBySelftest"
RENAMED: Final = "renamedBySelftest"
_EUROS: Final = 100
_CUT: Final = 2
_SHIFT: Final = 0.01


def holders(document: Any, steps: Sequence[Step]) -> Iterator[dict[str, Any]]:
    """Yield the objects that have the last of `steps` as a member: several where the way leads through an array."""
    level = [document]
    for step in steps[:-1]:
        level = list(_next(level, step))
    last = steps[-1]
    for value in level:
        if isinstance(value, dict) and last in value:
            yield value


def _next(values: list[Any], step: Step) -> Iterator[Any]:
    for value in values:
        if step is None and isinstance(value, list):
            yield from value
        elif step is not None and isinstance(value, dict) and step in value:
            yield value[step]


def replaced(change: Callable[[Any], Any]) -> Edit:
    """Return the edit that puts `change(value)` in the place of a value."""

    def edit(holder: dict[str, Any], name: str) -> bool:
        before = holder[name]
        holder[name] = change(before)
        # To Python True equals 1, and 1 equals 1.0.
        return type(holder[name]) is not type(before) or bool(holder[name] != before)

    return edit


def removed(holder: dict[str, Any], name: str) -> bool:
    """Take the member away."""
    del holder[name]
    return True


def added(holder: dict[str, Any], name: str) -> bool:
    """Put another member beside it, with the same value."""
    holder[ADDED] = holder[name]
    return True


def renamed(holder: dict[str, Any], name: str) -> bool:
    """Give the member another name."""
    holder[RENAMED] = holder.pop(name)
    return True


def nested(holder: dict[str, Any], name: str) -> bool:
    """Move the member one level deeper, into a new object beside it."""
    holder[WRAPPED] = {name: holder.pop(name)}
    return True


def flattened(holder: dict[str, Any], name: str) -> bool:
    """Move the members of the object `name` one level up; leave an object whose members would meet others."""
    inner = holder[name]
    if any(member in holder for member in inner):
        return False
    holder.update(holder.pop(name))
    return True


def shifted(number: float) -> float:
    """Return the number one per cent larger, a whole number by at least 1."""
    if isinstance(number, int):
        return number + max(round(abs(number) * _SHIFT), 1)
    return number + max(abs(number) * _SHIFT, 1e-6)


def scaled(number: float) -> float:
    """Return cents for euros."""
    return number * _EUROS


def swapped_case(text: str) -> str:
    """Return the text with upper case for lower case and the other way round."""
    return text.swapcase()


def cut(text: str) -> str:
    """Return the first half of the text."""
    return text[: len(text) // _CUT]


def without_dashes(text: str) -> str:
    """Return a UUID as 32 hex digits."""
    return text.replace("-", "")


def as_epoch(text: str) -> int:
    """Return a time of RFC 3339 as Unix seconds."""
    return int(datetime.fromisoformat(text).timestamp())


def misread(text: str) -> str:
    """Return what a client sees that reads UTF-8 as Latin-1."""
    return text.encode("utf-8", "replace").decode("latin-1")


def without_last(items: list[Any]) -> list[Any]:
    """Return the array without its last element."""
    return items[:-1]


def last_twice(items: list[Any]) -> list[Any]:
    """Return the array with its last element twice."""
    return [*items, items[-1]]


def backwards(items: list[Any]) -> list[Any]:
    """Return the array in the opposite order."""
    return items[::-1]
