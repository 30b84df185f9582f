"""What the user says about differences beforehand: rules for those to ignore, and changes that are expected."""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from microstax.errors import UsageError
from microstax.model.difference import ShapeKind
from microstax.model.paths import ANY_DEPTH, ROOT, pattern_of

FAMILIES: Final = ("status", "shape", "value", "header")
"""What a report groups its findings by; each is a kind as well, and means all of its kinds."""
SIGNATURE_KINDS: Final = ("format", "length_class", "sign", "magnitude", "shift")
"""What of a value is compared where the value itself always differs (see microstax.diff.signatures)."""
_VALUE: Final = "value"
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
MOST_DEPTHS: Final = 3
"""How often a path may leave its depth open: each time multiplies what there is to try."""
NEVER: Final = "never"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
KINDS: Final = (*FAMILIES, *(kind.value for kind in ShapeKind), *SIGNATURE_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Which findings are meant: those that match all that is set; empty means any.

    `service` and `endpoint` are as the report names them, with `*` for any run of characters. `path` is a pattern of
    microstax.model.paths, or a header's name (`x-*`) where it does not begin with `$`. `kind` is one of KINDS.
    Raises UsageError for a path or kind that cannot be.
    """

    service: str = ""
    endpoint: str = ""
    path: str = ""
    kind: str = ""
    _service: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _endpoint: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _path: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_kind(self.kind)
        if self.path.count(ANY_DEPTH) > MOST_DEPTHS:
            raise UsageError(
                f"Path {self.path[:80]!r} has more than {MOST_DEPTHS} '{ANY_DEPTH}': write some steps out."
            )
        path = pattern_of(self.path) if self.path.startswith(ROOT) else _glob(_header(self.path))
        for name, pattern in (("_service", _glob(self.service)), ("_endpoint", _glob(self.endpoint)), ("_path", path)):
            object.__setattr__(self, name, pattern)

    def matches(self, *, service: str, endpoint: str, family: str, kind: str, place: str) -> bool:
        """Tell whether the finding is meant; `place` is a path, a header's name, or empty for a status."""
        return (
            (not self.kind or is_of_kind(self.kind, family, kind))
            and self.covers(service=service, endpoint=endpoint)
            and _fits(self._path, place)
        )

    def covers(self, *, service: str, endpoint: str) -> bool:
        """Tell whether findings of the endpoint can be meant at all."""
        return _fits(self._service, service) and _fits(self._endpoint, endpoint)

    @property
    def is_everything(self) -> bool:
        """Tell whether every difference of every service is meant, or all of those in bodies."""
        return not (self.kind or self.service.strip("*") or self.endpoint.strip("*")) and (
            self.path == ROOT + ANY_DEPTH or not self.path.strip("*")
        )

    @property
    def meaning(self) -> tuple[str, str, str, str]:
        """What is the same for two patterns that mean the same in other words: `$["a"]` and `$.a`."""
        places = tuple("" if one is None else one.pattern for one in (self._service, self._endpoint, self._path))
        return places[0], places[1], places[2], self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule(Pattern):
    """Hides the findings that it matches, up to and including the day `expires` (None: for ever).

    `signature` lists in which ways they may differ, as a report says them; empty: not said. `origin` is where the rule
    stands, for people.
    """

    reason: str = ""
    owner: str = ""
    expires: date | None = None
    signature: tuple[str, ...] = ()
    origin: str = ""

    def is_expired(self, today: date) -> bool:
        """Tell whether the rule no longer hides anything."""
        return self.expires is not None and today > self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedChange(Pattern):
    """A change that the branch is made for: its findings are no drift, and there have to be some."""

    reason: str = ""
    owner: str = ""
    origin: str = ""


def check_kind(kind: str) -> str:
    """Return `kind` if it is empty or one of KINDS; raise UsageError otherwise."""
    if kind and kind not in KINDS:
        raise UsageError(f"There is no kind of difference {kind!r}: use one of {', '.join(dict.fromkeys(KINDS))}.")
    return kind


def is_of_kind(wanted: str, family: str, kind: str) -> bool:
    """Tell whether a finding is of the kind `wanted`: its own, its family's, or `value`, to which forms belong."""
    return wanted in (family, kind) or (wanted == _VALUE and kind in SIGNATURE_KINDS)


def expiry_of(text: str) -> date | None:
    """Return the last day of a rule, written YYYY-MM-DD; None for `never`. Raises UsageError for what is no day."""
    if text == NEVER:
        return None
    if not _DAY.fullmatch(text):
        raise UsageError(f"{text[:40]!r} is no day: write it like 2027-03-01, or {NEVER}.")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"There is no day {text}: write one like 2027-03-01, or {NEVER}.") from error


def _header(name: str) -> str:
    if name and not _HEADER.fullmatch(name):
        raise UsageError(f"{name!r} is neither a path (write $.items[].price) nor a header's name (write x-trace-*).")
    return name.lower()


def _glob(text: str) -> re.Pattern[str] | None:
    """Return what fits a text with `*`. Atomic groups: the leftmost fit of a part is as good as any other."""
    if not text:
        return None
    first, *others = map(re.escape, text.split("*"))
    if not others:
        return re.compile(first)
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return re.compile(f"{first}{middle}.*{others[-1]}", re.DOTALL)


def _fits(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is None or pattern.fullmatch(text) is not None
