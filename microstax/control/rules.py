"""What is not to be reported: rules that are kept here (add, list, remove), and those of a report's own file."""

from dataclasses import replace
from typing import Final

from microstax.blueprint.rules import RuleFile, parse_rules
from microstax.control import describe, queries
from microstax.control.plane import Plane
from microstax.errors import NotFoundError, UsageError
from microstax.generated.management.microstax.management.v1 import IgnoreRule as RuleInfo
from microstax.generated.management.microstax.management.v1 import SourceFile
from microstax.model.ignore import IgnoreRule, Pattern, expiry_of
from microstax.store.state import DropRule, PutRule, RuleRecord, State

_LONGEST: Final = 2_000


class Rules:
    """Keeps the rules of what is not to be reported."""

    def __init__(self, plane: Plane) -> None:
        self._plane: Final = plane

    async def add(self, info: RuleInfo) -> RuleInfo:
        """Add a rule; raises UsageError for one that could never apply or would hide everything."""
        record = RuleRecord(
            id=0,
            overlay=info.overlay,
            service=info.service,
            endpoint=info.endpoint,
            path=info.path,
            kind=info.kind,
            reason=info.reason,
            created_ms=self._plane.now_ms(),
            owner=info.owner,
            expires=info.expires,
        )
        if info.overlay:
            queries.overlay(self._plane.state, info.overlay)
        texts = (info.service, info.endpoint, info.path, info.kind, info.reason, info.owner)
        if any(len(text) > _LONGEST for text in texts):
            raise UsageError(f"A rule has a text of more than {_LONGEST} characters: make it shorter.")
        _check(as_model(record))
        numbered = replace(record, id=await self._plane.journal.store.next_rule_id())
        await self._plane.journal.commit(PutRule(numbered))
        return describe.rule_info(numbered)

    def list(self, overlay: str) -> list[RuleInfo]:
        """Return all rules, or those that apply to an overlay, by id."""
        found = sorted(self._plane.state.rules.items())
        return [describe.rule_info(record) for _, record in found if not overlay or record.overlay in {"", overlay}]

    async def remove(self, rule_id: int) -> None:
        """Remove a rule; raises NotFoundError."""
        if rule_id not in self._plane.state.rules:
            raise NotFoundError(f"There is no ignore rule {rule_id}: 'microstax ignore list' shows them.")
        await self._plane.journal.commit(DropRule(rule_id))


def applying(state: State, overlay: str) -> tuple[IgnoreRule, ...]:
    """Return the rules that apply to an overlay, in the order in which they were added."""
    return tuple(as_model(record) for _, record in sorted(state.rules.items()) if record.overlay in {"", overlay})


def of_file(source: SourceFile | None) -> RuleFile:
    """Return what the user's microstax.yaml says. Raises InvalidFileError (file, line, key)."""
    return parse_rules(source.text, file=source.name) if source else RuleFile()


def as_model(record: RuleRecord) -> IgnoreRule:
    """Return a rule as the differ takes it. Raises UsageError for a path, kind or day that cannot be."""
    return IgnoreRule(
        service=record.service,
        endpoint=record.endpoint,
        path=record.path,
        kind=record.kind,
        reason=record.reason,
        owner=record.owner,
        expires=expiry_of(record.expires) if record.expires else None,
        origin=f"rule {record.id}",
    )


def _check(rule: Pattern) -> None:
    if rule.is_everything:
        raise UsageError("This rule would hide every difference: name a service, an endpoint, a path or a kind.")
