"""Endpoints: the paths of many requests as few templates, `/products/17` as `/products/{id}`.

A segment that looks like an id is one at once. A place in the path at which too many different names were seen is
learned to be one as well. What was learned depends on the set of paths that were seen, not on their order, as long as
the tree stays within MAX_NODES; beyond, its widest place becomes an id early.
"""

import re
from typing import Final

from microstax.diff.formats import is_identifier, is_numbered
from microstax.diff.wire import Packed, items, mapping

ID: Final = "{id}"
REST: Final = "{rest}"
ROOT_NAMES: Final = 100
"""Different names directly below `/`: whole services live there."""
NAMES: Final = 40
MAX_SEGMENTS: Final = 12
MAX_NODES: Final = 4_000
_REMEMBERED: Final = 4_096
_LONG: Final = 200
_GRPC: Final = re.compile(r"/[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+/[A-Za-z_]\w{0,80}")
"""`/package.Service/Method` is one of a fixed number of methods, however many there are."""


class _Node:
    """A place in the path: the names that may come next. Once `open`, all of them are one, ID."""

    __slots__ = ("any", "names", "open")

    def __init__(self) -> None:
        self.names: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.open = False

    def wildcard(self) -> "_Node":
        if self.any is None:
            self.any = _Node()
        return self.any

    def widen(self) -> None:
        """Make all names one."""
        self.open = True
        names, self.names = self.names, {}
        for node in names.values():
            self.wildcard().merge(node, NAMES)

    def merge(self, other: "_Node", limit: int) -> None:
        """Take in all that another node knows; `limit` is how many names may stand here."""
        for name, node in other.names.items():
            self.names.setdefault(name, _Node()).merge(node, NAMES)
        if other.any is not None:
            self.wildcard().merge(other.any, NAMES)
        if self.open or other.open or len(self.names) > limit:
            self.widen()

    def size(self) -> int:
        inner = [*self.names.values(), *([self.any] if self.any is not None else [])]
        return 1 + sum(node.size() for node in inner)

    def widest(self) -> "_Node":
        inner = [*self.names.values(), *([self.any] if self.any is not None else [])]
        return max((self, *(node.widest() for node in inner)), key=lambda node: len(node.names))

    def pack(self) -> Packed:
        names = {name: node.pack() for name, node in sorted(self.names.items())}
        return [self.open, names, None if self.any is None else self.any.pack()]

    @classmethod
    def unpack(cls, packed: Packed, depth: int = 0) -> "_Node":
        if depth > MAX_SEGMENTS + 1:
            raise ValueError("a path template is too long")
        is_open, names, wildcard = items(packed, 3)
        made = cls()
        made.open = bool(is_open)
        made.names = {name: cls.unpack(node, depth + 1) for name, node in mapping(names).items()}
        made.any = None if wildcard is None else cls.unpack(wildcard, depth + 1)
        return made


class Templates:
    """Learns templates. `generation` rises whenever a template that was given before may read differently now."""

    __slots__ = ("_known", "_size", "generation", "root")

    def __init__(self) -> None:
        self.root = _Node()
        self._size = 1
        self._known: dict[str, str] = {}
        self.generation = 0

    def template(self, path: str) -> str:
        """Return the template of a request's path (the query is left out), and learn from it.

        A template is a path too: `template(template(p))` is what `template(p)` has become by then.
        """
        path = path.partition("?")[0]
        known = self._known.get(path)
        if known is None:
            known = self._learn(path)
            if len(path) <= _LONG:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[path] = known
        return known

    def merge(self, other: "Templates") -> None:
        """Learn what another one has learned."""
        self.root.merge(other.root, ROOT_NAMES)
        self._size = self.root.size()
        self._limit_size()
        self._changed()

    def copy(self) -> "Templates":
        """Return an independent copy."""
        made = Templates()
        made.merge(self)
        return made

    def pack(self) -> Packed:
        """Return what was learned as plain values."""
        return self.root.pack()

    @classmethod
    def unpack(cls, packed: Packed) -> "Templates":
        """Return what `pack` gave."""
        made = cls()
        made.root.merge(_Node.unpack(packed), ROOT_NAMES)
        made._size = made.root.size()
        made._limit_size()
        return made

    def _learn(self, path: str) -> str:
        if not path.startswith("/"):
            return path[:64]  # `*` of OPTIONS, the authority of CONNECT
        if len(path) <= _LONG and _GRPC.fullmatch(path):
            return path
        segments = path[1:].split("/")
        node, limit, parts = self.root, ROOT_NAMES, []
        for segment in segments[:MAX_SEGMENTS]:
            if node.open or segment == ID or _is_id(segment):
                node = node.wildcard()
                parts.append(ID)
            else:
                if segment not in node.names:
                    node.names[segment] = _Node()
                    self._size += 1
                    if len(node.names) > limit:
                        node.widen()
                        self._changed()
                        return self._learn(path)
                node = node.names[segment]
                parts.append(segment)
            limit = NAMES
        if self._size > MAX_NODES:
            self._size = self.root.size()
            self._limit_size()
            return self._learn(path)
        rest = [REST] if len(segments) > MAX_SEGMENTS else []
        return "/" + "/".join([*parts, *rest])

    def _limit_size(self) -> None:
        while self._size > MAX_NODES:
            self.root.widest().widen()
            self._size = self.root.size()
            self._changed()

    def _changed(self) -> None:
        self._known.clear()
        self.generation += 1


def _is_id(segment: str) -> bool:
    stem, dot, extension = segment.partition(".")
    named = bool(dot) and extension.isalnum()
    return any(is_identifier(text) or is_numbered(text) for text in ((segment, stem) if named else (segment,)))
