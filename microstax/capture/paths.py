"""Read the grammar of places in a JSON body (microstax.model.difference) into steps, and collect steps in a tree."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import orjson

from microstax.errors import UsageError

ELEMENT: Final = None
"""The step into any element of an array."""

Step = str | None
_STEP: Final = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_-]*)|\[\]|\[("(?:[^"\\]|\\.)*")\]""")


def parse_path(path: str) -> tuple[Step, ...]:
    """Return the steps of `path`: a member's name, or ELEMENT. Raises UsageError that says where it is wrong.

    >>> parse_path('$.items[]["unit price"]')
    ('items', None, 'unit price')
    """
    if not path.startswith("$"):
        raise UsageError(f"JSON path {path!r} does not begin with '$': write it like $.items[].price.")
    steps: list[Step] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise _problem(path, position)
        name, quoted = match.groups()
        steps.append(_unquoted(quoted, path, position) if quoted else name)
        position = match.end()
    return tuple(steps)


def _unquoted(quoted: str, path: str, position: int) -> str:
    try:
        return str(orjson.loads(quoted))
    except orjson.JSONDecodeError as error:
        raise _problem(path, position) from error


def _problem(path: str, position: int) -> UsageError:
    return UsageError(
        f'JSON path {path!r} is wrong at character {position + 1}: steps are .name, ["any name"] and [] for elements.'
    )


@dataclass(slots=True)
class PathTree:
    """Many paths as one tree: `here` tells that a path ends at this node."""

    here: bool = False
    steps: dict[Step, "PathTree"] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Iterable[str]) -> "PathTree":
        """Return the tree of `paths`."""
        root = cls()
        for path in paths:
            node = root
            for step in parse_path(path):
                node = node.steps.setdefault(step, cls())
            node.here = True
        return root
