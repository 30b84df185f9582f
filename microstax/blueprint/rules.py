"""microstax.yaml, which lies in the user's repository: differences to ignore, and changes that are expected."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from microstax.blueprint.place import Place
from microstax.blueprint.tree import read_tree
from microstax.errors import UsageError
from microstax.model.ignore import ExpectedChange, IgnoreRule, Pattern, check_kind, expiry_of

MAX_RULES: Final = 1_000
"""Of each kind; a report tries each of them on each finding."""
MAX_LENGTH: Final = 1_000
MAX_SIGNATURE: Final = 100
_FILE_FIELDS: Final = ("ignore", "expect")
_WHERE: Final = ("service", "endpoint", "path", "kind")
_EXPECT_FIELDS: Final = (*_WHERE, "reason", "owner")
_IGNORE_FIELDS: Final = (*_EXPECT_FIELDS, "expires", "signature")
_RULE: Final = "a rule"
_CHANGE: Final = "an expected change"
_Value = TypeVar("_Value")
_Fields = dict[str, Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """What a microstax.yaml says; each entry's `origin` is the file's name and the entry's line."""

    ignore: tuple[IgnoreRule, ...] = ()
    expect: tuple[ExpectedChange, ...] = ()


def parse_rules(text: str, *, file: str) -> RuleFile:
    """Return what the text of a microstax.yaml says; an empty one says nothing. `file` is the name to use in errors.

    Raises InvalidFileError (file, line, key). That a rule has expired already is no error.
    """
    tree = read_tree(text, file=file)
    if tree is None:
        return RuleFile()
    fields = Place(file, "", tree, tree.line).fields(_FILE_FIELDS, what="the file")
    seen: dict[tuple[str, ...], Place] = {}
    return RuleFile(
        ignore=tuple(_ignore_rule(place, seen) for place in _entries(fields, "ignore")),
        expect=tuple(_expected_change(place, seen) for place in _entries(fields, "expect")),
    )


def _entries(fields: _Fields, name: str) -> list[Place]:
    entries = fields[name].items(what=name) if name in fields else []
    if len(entries) > MAX_RULES:
        fields[name].fail(f"these are {len(entries):,} entries, and {MAX_RULES:,} are the most: use patterns.")
    return entries


def _ignore_rule(place: Place, seen: dict[tuple[str, ...], Place]) -> IgnoreRule:
    fields = place.fields(_IGNORE_FIELDS, what=_RULE)
    rule = IgnoreRule(
        **_where(place, fields, what=_RULE),
        reason=_text(place, fields, "reason", why="why this may differ"),
        owner=_text(place, fields, "owner", why="who to ask about it"),
        expires=_expiry(place, fields),
        signature=_signature(fields["signature"]) if "signature" in fields else (),
        origin=_origin(place),
    )
    return _alone(rule, place, seen, what=_RULE)


def _expected_change(place: Place, seen: dict[tuple[str, ...], Place]) -> ExpectedChange:
    fields = place.fields(_EXPECT_FIELDS, what=_CHANGE)
    change = ExpectedChange(
        **_where(place, fields, what=_CHANGE),
        reason=_text(place, fields, "reason", why="what the change is for"),
        owner=_text(place, fields, "owner", why="who to ask about it"),
        origin=_origin(place),
    )
    return _alone(change, place, seen, what=_CHANGE)


def _where(place: Place, fields: _Fields, *, what: str) -> dict[str, str]:
    """Return which findings are meant, each part checked at its own place."""
    given: dict[str, str] = {name: _short(fields[name], name) for name in _WHERE if name in fields}
    if "kind" in given:
        _checked(fields["kind"], lambda: check_kind(given["kind"]))
    if "path" in given:
        _checked(fields["path"], lambda: Pattern(path=given["path"]))
    if Pattern(**given).is_everything:
        place.fail(f"{what} that means everything: name a service, an endpoint, a path or a kind.")
    return given


def _text(place: Place, fields: _Fields, name: str, *, why: str) -> str:
    if name not in fields:
        place.fail(f"{name!r} is missing: {why}.")
    text = _short(fields[name], name)
    if text.isspace():
        fields[name].fail(f"{name} is empty: {why}.")
    return text


def _short(place: Place, what: str) -> str:
    text = place.text(what=what)
    if len(text) > MAX_LENGTH:
        place.fail(f"{what} has {len(text):,} characters, and {MAX_LENGTH:,} are the most.")
    return text


def _expiry(place: Place, fields: _Fields) -> date | None:
    if "expires" not in fields:
        place.fail("'expires' is missing: the last day of this rule, like 2027-03-01, or never.")
    text = fields["expires"].text(what="expires")
    return _checked(fields["expires"], lambda: expiry_of(text))


def _signature(place: Place) -> tuple[str, ...]:
    ways = place.items(what="signature")
    if len(ways) > MAX_SIGNATURE:
        place.fail(f"these are {len(ways)} ways, and {MAX_SIGNATURE} are the most.")
    return tuple(dict.fromkeys(_short(way, "a way to differ") for way in ways))


def _origin(place: Place) -> str:
    return f"{place.file}:{place.line}"


_Entry = TypeVar("_Entry", bound=Pattern)


def _alone(entry: _Entry, place: Place, seen: dict[tuple[str, ...], Place], *, what: str) -> _Entry:
    """Return the entry, if none before it means the same findings."""
    before = seen.setdefault(entry.meaning, place)
    if before is not place:
        same = "is ignored" if before.key.startswith("ignore") else "is expected"
        place.fail(f"{what} for what {same} in line {before.line} already: remove one of them.")
    return entry


def _checked(place: Place, check: Callable[[], _Value]) -> _Value:
    try:
        return check()
    except UsageError as error:
        place.fail(error.message)
