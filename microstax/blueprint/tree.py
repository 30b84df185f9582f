"""YAML text as a tree that knows its lines: what PyYAML's constructors throw away, and no more of YAML than we mean.

Scalars keep the text as written, so that `on`, `no`, `1.10` and `0o17` stay what the user typed where a string is
wanted; `plain_value` reads them by YAML 1.2's core schema (only `true` and `false` are booleans) where JSON is.
The tree is bounded in text, depth and in its size with every alias written out, so that walking it is cheap.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from microstax.errors import InvalidFileError

MAX_TEXT: Final = 256 * 1024
MAX_DEPTH: Final = 40
MAX_NODES: Final = 20_000

_MERGE_KEY: Final = "<<"
_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,400}")
_BASED_INTEGER: Final = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A scalar as written; `plain` if it had no quotes and no tag, so that it may mean a number or a boolean."""

    text: str
    plain: bool
    line: int
    size: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list. `size` counts the nodes in it with aliases written out."""

    items: tuple["Node", ...]
    line: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A map: keys are unique, merge keys are resolved, the order is the file's."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    line: int
    size: int


Node: TypeAlias = Scalar | Sequence | Mapping


def read_tree(text: str, *, file: str) -> Node | None:
    """Return the tree of one YAML document, or None if there is none in it. Raises InvalidFileError."""
    if len(text) > MAX_TEXT:
        raise InvalidFileError(f"the file is larger than {MAX_TEXT // 1024} KiB.", file=file)
    try:
        return _Composer(file=file, events=yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidFileError(
            f"there is a character in it that YAML forbids (code {error.character}).", file=file, line=line
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InvalidFileError(_explain(error), file=file, line=line) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # numbers in escapes and directives, out of range
        raise InvalidFileError(f"this is not YAML: {error}.", file=file) from error


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "'\\t'" in problem:
        return "there is a tab: indent with spaces."
    if "but got '{'" in problem:
        return "there is a brace in a text: put the text in quotes."
    context = f" ({error.context})" if error.context else ""
    return f"this is not YAML: {problem}{context}."


def plain_value(scalar: Scalar) -> str | int | float | bool | None:
    """Return what a scalar means by YAML 1.2's core schema (10.3.2); quoted ones are strings."""
    text = scalar.text
    if not scalar.plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED_INTEGER.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def is_null(node: Node) -> bool:
    """Tell whether a node is an absent value: nothing, `~` or `null`, without quotes."""
    return isinstance(node, Scalar) and plain_value(node) is None


def plain_document(node: Node) -> Any:
    """Return a node as JSON has it: dict, list, str, int, float, bool, None."""
    match node:
        case Scalar():
            return plain_value(node)
        case Sequence():
            return [plain_document(item) for item in node.items]
        case Mapping():
            return {key.text: plain_document(value) for key, value in node.entries}


@dataclass(slots=True)
class _Composer:
    """Makes a tree of the parser's events. Recursion is safe: its depth is bounded."""

    file: str
    events: Iterator[Any]
    anchors: dict[str, Node] = field(default_factory=dict)
    read: int = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            match event:
                case yaml.StreamStartEvent() | yaml.DocumentEndEvent() | yaml.StreamEndEvent():
                    continue
                case yaml.DocumentStartEvent() if root is not None:
                    raise self._error("a second document starts here, and the file may only hold one", event)
                case yaml.DocumentStartEvent():
                    root = self._node(next(self.events), depth=0)
        return root

    def _node(self, event: Any, *, depth: int) -> Node:
        self.read += 1
        if self.read > MAX_NODES:
            # At once and not when it is counted up below: PyYAML takes seconds for a quarter of a megabyte of commas.
            raise self._error(f"this is more than {MAX_NODES} values", event)
        line = event.start_mark.line + 1
        match event:
            case yaml.AliasEvent():
                return self._alias(event)
            case yaml.ScalarEvent():
                node: Node = self._scalar(event)
            case _ if depth >= MAX_DEPTH:
                raise self._error(f"this is nested more than {MAX_DEPTH} deep", event)
            case yaml.SequenceStartEvent():
                items = tuple(self._children(yaml.SequenceEndEvent, depth=depth))
                node = Sequence(items, line, 1 + sum(item.size for item in items))
            case _:
                node = self._mapping(event, depth=depth)
        if node.size > MAX_NODES:
            raise self._error(f"this is more than {MAX_NODES} values, with every alias written out", event)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _children(self, end: type, *, depth: int) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, end):
                return
            yield self._node(event, depth=depth + 1)

    def _alias(self, event: Any) -> Node:
        try:
            return self.anchors[event.anchor]
        except KeyError:
            raise self._error(f"the alias *{event.anchor} stands for nothing that is above it", event) from None

    def _scalar(self, event: Any) -> Scalar:
        if event.tag not in (None, *_STRING_TAGS):
            raise self._error(f"the tag {event.tag} is not supported", event)
        return Scalar(event.value, event.tag is None and event.implicit[0], event.start_mark.line + 1)

    def _mapping(self, event: Any, *, depth: int) -> Mapping:
        flat = list(self._children(yaml.MappingEndEvent, depth=depth))
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise InvalidFileError("a key must be a word, not a list or a map.", file=self.file, line=key.line)
            if key.plain and key.text == _MERGE_KEY:
                for entry in self._merge(value):
                    merged.setdefault(entry[0].text, entry)
            elif key.text in own:
                first = own[key.text][0].line
                raise InvalidFileError(
                    f"the key {key.text!r} stands here for the second time (first in line {first}): remove one.",
                    file=self.file,
                    line=key.line,
                    key=key.text,
                )
            else:
                own[key.text] = (key, value)
        entries = tuple((merged | own).values())
        return Mapping(entries, event.start_mark.line + 1, 1 + sum(1 + value.size for _, value in entries))

    def _merge(self, node: Node) -> Iterator[tuple[Scalar, Node]]:
        for source in node.items if isinstance(node, Sequence) else (node,):
            if not isinstance(source, Mapping):
                raise InvalidFileError("'<<' merges maps, and this is none.", file=self.file, line=source.line)
            yield from source.entries

    def _error(self, problem: str, event: Any) -> InvalidFileError:
        return InvalidFileError(f"{problem}.", file=self.file, line=event.start_mark.line + 1)
