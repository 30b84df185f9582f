"""A place in a user's file: a value with its key and line, and the questions a schema asks of it.

Every question either gives a value of the right type or raises InvalidFileError that names the place.
"""

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from microstax.blueprint.tree import Mapping, Node, Scalar, Sequence, is_null, plain_value
from microstax.errors import InvalidFileError, UsageError
from microstax.model.names import check_name

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)?")
_UNIT_S: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
"""A number without a unit is in seconds, as in the probes of Kubernetes."""
MAX_PORT: Final = 65535
MAX_DURATION_S: Final = 3600.0
_MAX_SHOWN: Final = 60


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the known word that is nearest to `word`, or an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {found[0]!r}?" if found else ""


@dataclass(frozen=True, slots=True)
class Place:
    """A value at `key` (a dotted path) of `file`; `line` is where its key or its dash stands, from 1."""

    file: str
    key: str
    node: Node
    line: int

    def fail(self, problem: str) -> NoReturn:
        """Raise InvalidFileError for this place."""
        raise InvalidFileError(problem, file=self.file, line=self.line, key=self.key or None)

    def fields(self, known: Collection[str], *, what: str) -> dict[str, "Place"]:
        """Return the fields of a map; ones with no value are left out; refuses fields that are not known."""
        fields: dict[str, Place] = {}
        for key, place in self.entries(what=what):
            if key not in known:
                hint = nearest(key, known) or f": {what} has {', '.join(known)}."
                raise InvalidFileError(f"unknown field {key!r}{hint}", file=self.file, line=place.line, key=self.key)
            if not is_null(place.node):
                fields[key] = place
        return fields

    def entries(self, *, what: str) -> list[tuple[str, "Place"]]:
        """Return the entries of a map in the order of the file; a place's line is the key's."""
        if not isinstance(self.node, Mapping):
            self.fail(f"{what} must be a map of 'name: value', not {self._kind()}.")
        return [
            (key.text, Place(self.file, self._child(key.text), value, key.line)) for key, value in self.node.entries
        ]

    def items(self, *, what: str) -> list["Place"]:
        """Return the elements of a list."""
        if not isinstance(self.node, Sequence):
            self.fail(f"{what} must be a list, not {self._kind()}.")
        return [Place(self.file, f"{self.key}[{index}]", item, item.line) for index, item in enumerate(self.node.items)]

    def is_list(self) -> bool:
        """Tell whether the value is a list."""
        return isinstance(self.node, Sequence)

    def is_map(self) -> bool:
        """Tell whether the value is a map."""
        return isinstance(self.node, Mapping)

    def is_null(self) -> bool:
        """Tell whether there is no value."""
        return is_null(self.node)

    def text(self, *, what: str) -> str:
        """Return a scalar as it is written: `1.10` and `on` stay what they are. Not empty, no NUL byte."""
        if not isinstance(self.node, Scalar):
            self.fail(f"{what} must be a word or a text, not {self._kind()}.")
        if self.is_null() or not self.node.text:
            self.fail(f"{what} is empty: write a value.")
        return self._without_nul(self.node.text)

    def value(self, *, what: str) -> str:
        """Return a scalar as it is written; unlike `text`, a quoted empty one is allowed."""
        if isinstance(self.node, Scalar) and not self.node.plain and not self.node.text:
            return ""
        if self.is_null():
            self.fail(f"{what} is empty: write a value, or '\"\"' if an empty one is meant.")
        return self.text(what=what)

    def name(self, *, what: str) -> str:
        """Return a usable name of a service (a DNS label)."""
        return self.check_name(self.text(what=what), what=what)

    def check_name(self, text: str, *, what: str) -> str:
        """Return `text`, a name that belongs to this place, if it is usable."""
        try:
            return check_name(what, text)
        except UsageError as error:
            self.fail(error.message)

    def integer(self, *, what: str, low: int, high: int) -> int:
        """Return an integer in low..high."""
        value = plain_value(self.node) if isinstance(self.node, Scalar) else None
        if not isinstance(value, int) or isinstance(value, bool):
            self.fail(f"{what} must be a whole number from {low} to {high}, not {self._kind()}.")
        if not low <= value <= high:
            shown = value if abs(value) <= 10**18 else "that"
            self.fail(f"{what} must be from {low} to {high}, and {shown} is not.")
        return value

    def flag(self, *, what: str) -> bool:
        """Return true or false."""
        value = plain_value(self.node) if isinstance(self.node, Scalar) else None
        if not isinstance(value, bool):
            self.fail(f"{what} must be true or false, not {self._kind()}.")
        return value

    def port(self, *, what: str) -> int:
        """Return a TCP port."""
        return self.integer(what=what, low=1, high=MAX_PORT)

    def seconds(self, *, what: str) -> float:
        """Return a duration such as `0.5`, `500ms` or `5s` in seconds, above 0 and at most an hour."""
        text = self.text(what=what)
        found = _DURATION.fullmatch(text)
        if not found:
            self.fail(f"{what} must be a number of seconds, or one with a unit such as 500ms, 5s or 1m, not {text!r}.")
        seconds = float(found[1]) * _UNIT_S[found[2]]
        if not 0 < seconds <= MAX_DURATION_S:
            self.fail(f"{what} must be more than 0 and at most 1h, and {text} is not.")
        return seconds

    def _child(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key

    def _without_nul(self, text: str) -> str:
        if "\0" in text:
            self.fail("a NUL character cannot stand here.")
        return text

    def _kind(self) -> str:
        match self.node:
            case Mapping():
                return "a map"
            case Sequence():
                return "a list"
            case scalar if self.is_null():
                return "nothing"
            case scalar:
                shown = scalar.text[:_MAX_SHOWN]
                return repr(shown if shown == scalar.text else shown + "...")
