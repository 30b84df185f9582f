"""The calls of a branch that its bridge stopped: how many of which kind, with an example of each. Pure.

A kind is a service, a method, a path's template and a reason. Their number is bounded, however many paths a branch
thinks of, and so is what is kept of each: no body, no header but the caller's name.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from microstax.diff.templates import Templates
from microstax.errors import StorageError

MOST_KINDS: Final = 200
"""Beyond these, a service's calls are counted under OTHER_PATHS."""
OTHER_PATHS: Final = "(other paths)"
LONGEST: Final = 300
_METHODS: Final = frozenset(
    {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "PURGE", "REPORT"}
)
OTHER_METHOD: Final = "(other)"

METHOD: Final = "method"
UPGRADE: Final = "upgrade"
OVERRIDE: Final = "override"
BODY: Final = "body"
CONNECTION: Final = "tcp"
RATE: Final = "rate"
CONCURRENCY: Final = "concurrency"
LIMITS: Final = frozenset({RATE, CONCURRENCY})
"""The reasons of what would have passed, had there been less of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """One call that was stopped, redacted; `path` may have a query. `at_ms` is Unix time in milliseconds."""

    service: str
    method: str
    path: str
    reason: str
    at_ms: int
    user_agent: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What calls have in common."""

    service: str
    method: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """How many there were, when the last one came, and an example: the first one."""

    count: int
    last_ms: int
    method: str
    path: str
    user_agent: str = ""

    def plus(self, other: "Noted") -> "Noted":
        """Return both together, with this one's example."""
        return replace(self, count=self.count + other.count, last_ms=max(self.last_ms, other.last_ms))


class RefusedCalls:
    """What is known of one overlay's stopped calls in one generation of its results (0: none has begun)."""

    def __init__(self, generation: int = 0) -> None:
        self.generation = generation
        self.kinds: dict[Kind, Noted] = {}
        self._templates = Templates()
        self._learned = 0

    def add(self, calls: Iterable[RefusedCall]) -> None:
        """Take in calls."""
        for call in calls:
            method = call.method if call.method in _METHODS else OTHER_METHOD
            kind = Kind(call.service, method, self._templates.template(call.path)[:LONGEST], call.reason)
            noted = Noted(
                count=1,
                last_ms=call.at_ms,
                method=call.method[:LONGEST],
                path=call.path[:LONGEST],
                user_agent=call.user_agent[:LONGEST],
            )
            self._note(kind, noted)
        if self._templates.generation != self._learned:
            self._learn()

    def begin(self, generation: int) -> None:
        """Belong to another generation: what came before the first one belongs to it, all else is forgotten."""
        if self.generation:
            self.kinds.clear()
        self.generation = generation

    def listed(self, service: str, *, limits: bool) -> int:
        """Return how many calls of a service are listed, those over the limits or the others."""
        return sum(
            noted.count
            for kind, noted in self.kinds.items()
            if kind.service == service and (kind.reason in LIMITS) is limits
        )

    def to_text(self) -> str:
        """Return everything as JSON."""
        return json.dumps([[asdict(kind), asdict(noted)] for kind, noted in sorted(self.kinds.items())])

    @classmethod
    def from_text(cls, text: str, *, generation: int) -> "RefusedCalls":
        """Read `to_text`. Raises StorageError."""
        made = cls(generation)
        try:
            entries: list[Any] = json.loads(text)
            made.kinds = {Kind(**kind): Noted(**noted) for kind, noted in entries}
        except (ValueError, TypeError) as error:
            raise StorageError(f"The stored list of refused calls cannot be read: {error}.") from error
        for kind in made.kinds:
            made._templates.template(kind.path)
        made._learned = made._templates.generation
        return made

    def _note(self, kind: Kind, noted: Noted) -> None:
        if kind not in self.kinds and len(self.kinds) >= MOST_KINDS:
            kind = replace(kind, path=OTHER_PATHS)
        before = self.kinds.get(kind)
        self.kinds[kind] = before.plus(noted) if before else noted

    def _learn(self) -> None:
        """Join what has become one template."""
        kinds, self.kinds = self.kinds, {}
        for kind, noted in kinds.items():
            path = kind.path if kind.path == OTHER_PATHS else self._templates.template(kind.path)[:LONGEST]
            self._note(replace(kind, path=path), noted)
        self._learned = self._templates.generation
