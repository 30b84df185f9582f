"""Ignore rules: differences that are meant to be there."""

import re
from dataclasses import dataclass, field
from typing import Final

from microstax.errors import UsageError
from microstax.model.difference import ShapeKind
from microstax.model.paths import ROOT, pattern_of

FAMILIES: Final = ("status", "shape", "value", "header")
"""What a report groups its findings by; each is a kind as well, and means all of its kinds."""
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
KINDS: Final = (*FAMILIES, *(kind.value for kind in ShapeKind))


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """Hides the findings that match all that is set; empty means any.

    `service` and `endpoint` are as the report names them, with `*` for any run of characters. `path` is a pattern of
    microstax.model.paths, or a header's name (`x-*`) where it does not begin with `$`. `kind` is one of KINDS.
    Raises UsageError for a path or kind that cannot be.
    """

    service: str = ""
    endpoint: str = ""
    path: str = ""
    kind: str = ""
    reason: str = ""
    _service: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _endpoint: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _path: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_kind(self.kind)
        path = pattern_of(self.path) if self.path.startswith(ROOT) else _glob(_header(self.path))
        for name, pattern in (("_service", _glob(self.service)), ("_endpoint", _glob(self.endpoint)), ("_path", path)):
            object.__setattr__(self, name, pattern)

    def hides(self, *, service: str, endpoint: str, family: str, kind: str, place: str) -> bool:
        """Tell whether the rule hides the finding; `place` is a path, a header's name, or empty for a status."""
        return (
            (not self.kind or self.kind in (family, kind))
            and _fits(self._service, service)
            and _fits(self._endpoint, endpoint)
            and _fits(self._path, place)
        )


def check_kind(kind: str) -> str:
    """Return `kind` if it is empty or one of KINDS (plurals are understood); raise UsageError otherwise."""
    if kind and kind not in KINDS:
        raise UsageError(f"There is no kind of difference {kind!r}: use one of {', '.join(dict.fromkeys(KINDS))}.")
    return kind


def _header(name: str) -> str:
    if name and not _HEADER.fullmatch(name):
        raise UsageError(f"{name!r} is neither a path (write $.items[].price) nor a header's name (write x-trace-*).")
    return name.lower()


def _glob(text: str) -> re.Pattern[str] | None:
    return re.compile(".*".join(map(re.escape, text.split("*")))) if text else None


def _fits(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is None or pattern.fullmatch(text) is not None
