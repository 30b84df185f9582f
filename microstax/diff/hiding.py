"""Take out of a report what ignore rules hide, and say how much that is and in which ways it differs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from microstax.diff.discrepancy import Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.expecting import Expecting
from microstax.diff.tally import Tally
from microstax.model.ignore import IgnoreRule
from microstax.model.report import IgnoredRule

SIGNATURE: Final = 12
"""Ways that a report lists of one rule: the most frequent ones."""
SIGHTINGS: Final = 3
"""A way that was seen less often is no news yet."""


@dataclass(slots=True)
class _Deeds:
    """What one rule did so far; `ways` counts sightings by way."""

    rule: IgnoreRule
    expired: bool
    findings: int = 0
    pairs: int = 0
    ways: Counter[str] = field(default_factory=Counter)

    def hide(self, discrepancy: Discrepancy, tally: Tally) -> None:
        self.findings += 1
        self.pairs += tally.branch
        self.ways.update(ways_of(discrepancy, tally))

    def report(self) -> IgnoredRule:
        rule = self.rule
        known = set(rule.signature)
        return {
            "origin": rule.origin,
            "service": rule.service,
            "endpoint": rule.endpoint,
            "path": rule.path,
            "kind": rule.kind,
            "reason": rule.reason,
            "owner": rule.owner,
            "expires": rule.expires.isoformat() if rule.expires else "",
            "expired": self.expired,
            "findings": self.findings,
            "count": self.pairs,
            "signature": _listed(self.ways),
            "news": _listed({way: n for way, n in self.ways.items() if n >= SIGHTINGS and way not in known})
            if known
            else [],
        }


class Hidden:
    """Applies the rules to one report; the first rule that matches a discrepancy hides it.

    A rule that is expired on the day `today` hides nothing (None: no rule is). What is `expecting` is never hidden: who
    declares a change wants to see it.
    """

    def __init__(
        self, rules: tuple[IgnoreRule, ...], *, today: date | None = None, expecting: Expecting | None = None
    ) -> None:
        self._expecting = expecting or Expecting(())
        self._deeds = [_Deeds(rule, today is not None and rule.is_expired(today)) for rule in rules]

    def rest(self, service: str, endpoint: str, aggregate: EndpointAggregate) -> list[tuple[Discrepancy, Tally]]:
        """Return the discrepancies of an endpoint that no rule hides."""
        rules = [one for one in self._deeds if not one.expired and one.rule.covers(service=service, endpoint=endpoint)]
        left = []
        for discrepancy, tally in sorted(aggregate.tallies.items(), key=lambda item: item[0]):
            by = _first(rules, service, endpoint, discrepancy)
            if by is None or self._expecting.is_expected(service, endpoint, discrepancy):
                left.append((discrepancy, tally))
            else:
                by.hide(discrepancy, tally)
        return left

    def report(self) -> list[IgnoredRule]:
        """Return what each rule did: how many findings it hid, and in how many pairs the branch differed in them."""
        return [one.report() for one in self._deeds]


def ways_of(discrepancy: Discrepancy, tally: Tally) -> Mapping[str, int]:
    """Return in which ways a discrepancy differs, with the branch's sightings: `type string>null`, `value time>time`.

    Where forms were counted they say it; else the detail of the discrepancy does, and else its kind alone.
    """
    if tally.forms:
        return {f"{discrepancy.kind} {form}": seen for form, seen in tally.forms.items()}
    return {f"{discrepancy.kind} {discrepancy.detail}".rstrip(): tally.branch}


def _first(rules: list[_Deeds], service: str, endpoint: str, discrepancy: Discrepancy) -> _Deeds | None:
    family, kind, place, _ = discrepancy
    matches = (
        one
        for one in rules
        if one.rule.matches(service=service, endpoint=endpoint, family=family, kind=kind, place=place)
    )
    return next(matches, None)


def _listed(ways: Mapping[str, int]) -> list[str]:
    """Return the most frequent ways, sorted by name."""
    seen = [way for way, count in ways.items() if count]
    return sorted(sorted(seen, key=lambda way: (-ways[way], way))[:SIGNATURE])
