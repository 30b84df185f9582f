"""Replace values at given places of a JSON text by hashes, and keep the rest of the text's meaning.

Members that stand twice, their order, and numbers in any size and spelling survive, since the differ looks at them:
the text is parsed into pairs and literals instead of dicts and floats. Null stays null, so that a secret that turns
null is still seen. What claims to be JSON and cannot be read is replaced as a whole.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from microstax.capture.paths import PathTree
from microstax.model.media import holds_more, looks_like_json
from microstax.model.paths import Step, parse_path

Hash = Callable[[bytes], str]
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


_VALUES: Final = 20_000
"""Of a body that is taken apart and put together again, at about 1.5 us each."""


class TooMuchError(Exception):
    """To find what must be hidden would take too long, so all of it has to be."""


class _Members(list[tuple[str, Any]]):
    """A JSON object as its members, in order, duplicates included."""


class _Literal(str):
    """A number exactly as it was written (or NaN and Infinity, which some servers write)."""

    __slots__ = ()


class JsonRedactor:
    """Hashes everything at and below `paths`."""

    def __init__(self, paths: Iterable[str], hash_of: Hash) -> None:
        paths = tuple(paths)
        self._tree = PathTree.of(paths)
        self._hash = hash_of
        self._needles = _needles(paths)

    def redact(self, body: bytes, content_type: str) -> bytes:
        """Return `body` without the values at the paths; the same object where there are none.

        Raises TooMuchError where that would take too long.
        """
        if not body or not self._may_hold(body) or not looks_like_json(body, content_type):
            return body
        if holds_more(body, _VALUES):
            raise TooMuchError
        try:
            document = json.loads(
                body, object_pairs_hook=_Members, parse_int=_Literal, parse_float=_Literal, parse_constant=_Literal
            )
            return self._render(document, self._tree).encode()
        except (ValueError, RecursionError):
            return self._hash(body).encode()

    def _may_hold(self, body: bytes) -> bool:
        """Tell cheaply whether a path can match: its last name must stand in the text unless characters are escaped."""
        if self._needles is None or b"\\u" in body or b"\0" in body:
            return True
        return any(needle in body for needle in self._needles)

    def _render(self, value: Any, node: PathTree | None) -> str:
        if node is not None and node.here:
            return self._hashed(value)
        if isinstance(value, _Members):
            inner = (f"{json.dumps(name)}:{self._render(item, _child(node, name))}" for name, item in value)
            return "{" + ",".join(inner) + "}"
        if isinstance(value, list):
            child = _child(node, None)
            return "[" + ",".join(self._render(item, child) for item in value) + "]"
        return str(value) if isinstance(value, _Literal) else json.dumps(value)

    def _hashed(self, value: Any) -> str:
        """Render with each scalar hashed; containers keep their shape, which is compared."""
        if isinstance(value, _Members):
            return "{" + ",".join(f"{json.dumps(name)}:{self._hashed(item)}" for name, item in value) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(self._hashed, value)) + "]"
        if value is None:
            return "null"
        # A literal is hashed as written and a string with its quotes, so that 1 and "1" stay different.
        text = str(value) if isinstance(value, _Literal) else json.dumps(value)
        return json.dumps(self._hash(text.encode()))


def _child(node: PathTree | None, step: Step) -> PathTree | None:
    return node.steps.get(step) if node is not None else None


def _needles(paths: Iterable[str]) -> tuple[bytes, ...] | None:
    """Return a text for each path that a matching body contains, None where some path has no such text."""
    needles = []
    for path in paths:
        name = next((step for step in reversed(parse_path(path)) if step is not None), None)
        if name is None or not _PLAIN_NAME.fullmatch(name):
            return None
        needles.append(name.encode())
    return tuple(needles)
