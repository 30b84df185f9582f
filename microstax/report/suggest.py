"""Ignore rules for what a report shows as noise, with the evidence for each. Never hides what differs, or may.

A rule names a path and one kind, so that another kind of difference at the path (a time that turns null) still shows.
There is none for a status: it would hide every status of the endpoint.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, NamedTuple

from microstax.blueprint.rules import MAX_LENGTH
from microstax.errors import UsageError
from microstax.model.ignore import IgnoreRule
from microstax.model.report import EndpointReport, HeaderFinding, ReportDocument, ShapeFinding, ValueFinding, Verdict

MOST: Final = 100
"""Rules that are suggested at once; those that hide most come first."""
ALL_WAYS: Final = 12
"""A report lists no more ways than these of a rule (microstax.diff.hiding): where it lists so many, some may lack."""


class _Scope(NamedTuple):
    """Where a rule holds, and for what."""

    service: str
    endpoint: str
    path: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """A finding as a rule sees it. `noise` is the noise rate, None where no control measured it."""

    service: str
    endpoint: str
    family: str
    kind: str
    place: str
    count: int
    pairs: int
    noise: float | None
    verdict: Verdict
    pair: str

    @property
    def where(self) -> dict[str, str]:
        return {
            "service": self.service,
            "endpoint": self.endpoint,
            "family": self.family,
            "kind": self.kind,
            "place": self.place,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A rule, and why: it hides `findings` at `endpoints`, which `count` of their `pairs` show, like `pair`.

    `noise_rate` is the highest among them (0..1), None where no control measured it. `judged` is False where nothing
    tells whether it is noise.
    """

    rule: IgnoreRule
    findings: int
    endpoints: int
    count: int
    pairs: int
    noise_rate: float | None
    pair: str
    judged: bool


def suggest(document: ReportDocument, *, owner: str, expires: date | None) -> list[Suggestion]:
    """Return rules for the noise of a report, the one that hides most first; at most MOST."""
    findings = list(_findings(document))
    kept = [one for one in findings if one.verdict in ("different", "undecided")]
    made: list[Suggestion] = []
    by_place: dict[tuple[str, str], list[_Finding]] = {}
    for one in filter(_is_noise, findings):
        by_place.setdefault((one.place, one.kind), []).append(one)
    for alike in by_place.values():
        for scope, hidden in _scopes(alike, kept):
            made.append(_suggestion(scope, hidden, owner=owner, expires=expires))
    made.sort(key=lambda one: (-one.count, one.rule.path, one.rule.kind, one.rule.service, one.rule.endpoint))
    return made[:MOST]


def signed(suggestions: Iterable[Suggestion], applied: ReportDocument) -> list[Suggestion]:
    """Return the suggestions with what a report says of them that they were applied to: their signatures."""
    ways = {_scope_of(rule): rule["signature"] for rule in applied["ignored"]}
    made = []
    for one in suggestions:
        signature = ways.get(_Scope(one.rule.service, one.rule.endpoint, one.rule.path, one.rule.kind), [])
        complete = tuple(signature) if len(signature) < ALL_WAYS else ()
        made.append(replace(one, rule=replace(one.rule, signature=complete)))
    return made


def _scopes(alike: list[_Finding], kept: list[_Finding]) -> Iterator[tuple[_Scope, list[_Finding]]]:
    """Yield where rules for findings of one place and kind hold: as widely as it hides nothing that has to be seen."""
    everywhere = _Scope("", "", alike[0].place, alike[0].kind)
    services = _by(alike, "service")
    if len(services) > 1 and _is_clean(everywhere, kept):
        yield everywhere, alike
        return
    for service, mine in services.items():
        endpoints = _by(mine, "endpoint")
        scope = everywhere._replace(service=service)
        if len(endpoints) > 1 and _is_clean(scope, kept):
            yield scope, mine
            continue
        for endpoint, few in endpoints.items():
            if _is_clean(scope._replace(endpoint=endpoint), kept):
                yield scope._replace(endpoint=endpoint), few


def _by(findings: list[_Finding], name: str) -> dict[str, list[_Finding]]:
    found: dict[str, list[_Finding]] = {}
    for one in findings:
        found.setdefault(getattr(one, name), []).append(one)
    return found


def _is_clean(scope: _Scope, kept: list[_Finding]) -> bool:
    """Tell whether a rule can be made, and written down, that hides nothing of `kept`."""
    if any(len(text) > MAX_LENGTH or "\0" in text for text in scope):
        return False
    try:
        rule = IgnoreRule(**scope._asdict())
    except UsageError:  # a header's name that is none came over the wire
        return False
    return not rule.is_everything and not any(rule.matches(**one.where) for one in kept)


def _suggestion(scope: _Scope, hidden: list[_Finding], *, owner: str, expires: date | None) -> Suggestion:
    rates = [one.noise for one in hidden if one.noise is not None]
    noise = max(rates, default=None)
    judged = all(one.verdict == "same" for one in hidden)
    return Suggestion(
        rule=IgnoreRule(**scope._asdict(), reason=_reason(noise, judged=judged), owner=owner, expires=expires),
        findings=len(hidden),
        endpoints=len(_most(hidden, "pairs")),
        count=sum(_most(hidden, "count").values()),
        pairs=sum(_most(hidden, "pairs").values()),
        noise_rate=noise,
        pair=max(hidden, key=lambda one: one.count).pair,
        judged=judged,
    )


def _most(hidden: list[_Finding], name: str) -> dict[tuple[str, str], int]:
    """Return the highest count of each endpoint: two findings may be about the same pairs."""
    most: dict[tuple[str, str], int] = {}
    for one in hidden:
        key = one.service, one.endpoint
        most[key] = max(most.get(key, 0), getattr(one, name))
    return most


def _reason(noise: float | None, *, judged: bool) -> str:
    if not judged:
        return "no control ran, so nothing tells whether this is noise"
    if noise is None:
        return "made anew for every answer, by its form, or the baseline's own answers vary"
    return f"the baseline differs from itself here in {100 * noise:.3g}% of the requests"


def _is_noise(one: _Finding) -> bool:
    """Tell whether a finding is noise, or cannot be told from it."""
    return one.verdict == "not comparable" or (one.verdict == "same" and (one.noise is None or one.noise > 0))


def _findings(document: ReportDocument) -> Iterator[_Finding]:
    for service in document["services"]:
        for report in service["endpoints"]:
            yield from _of_endpoint(service["service"], report, calibrated=document["calibrated"])


def _of_endpoint(service: str, report: EndpointReport, *, calibrated: bool) -> Iterator[_Finding]:
    def finding(family: str, kind: str, place: str, found: ShapeFinding | ValueFinding | HeaderFinding) -> _Finding:
        return _Finding(
            service=service,
            endpoint=report["endpoint"],
            family=family,
            kind=kind,
            place=place,
            count=found["count"],
            pairs=report["pairs"],
            noise=found["noise_rate"] if calibrated else None,
            verdict=found["verdict"],
            pair=found["pair"],
        )

    for shape in report["shape"]:
        yield finding("shape", shape["kind"], shape["path"], shape)
    for value in report["values"]:  # a rule for values means all that is compared of them: format, sign and so on
        yield finding("value", "value", value["path"], value)
    for header in report["headers"]:
        yield finding("header", header["kind"], header["name"], header)


def _scope_of(rule: Mapping[str, Any]) -> _Scope:
    return _Scope(rule["service"], rule["endpoint"], rule["path"], rule["kind"])
