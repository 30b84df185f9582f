"""One fault at one rate: put it into the pairs of its endpoint one by one, and see when the report names it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from microstax.diff import Policy, ServiceAggregate
from microstax.diff.hashes import hash64
from microstax.model.exchange import Triple
from microstax.model.report import ReportDocument
from microstax.selftest.catalogue import Fault
from microstax.selftest.reading import Said, entries, findings
from microstax.selftest.result import Finding, Trial, TrialVerdict
from microstax.selftest.spots import Spot
from microstax.selftest.traffic import At, Traffic

_FIRST: Final = 3
_FEW: Final = 7
_EACH: Final = 20
"""From _FEW to _EACH hits the report is read after each one; before that rarely, and later at growing distances."""
_GROWTH: Final = 1.2
_UNIT: Final = 2.0**64
_NOWHERE: Final = "no answer of this traffic has a place for it"
_NO_HIT: Final = "no request was hit"
_NO_CONTROL: Final = "without a control, values are not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all trials share: the traffic, how sure a finding must be, and what was found without a fault."""

    traffic: Traffic
    policy: Policy
    known: Collection[Finding]


@dataclass(slots=True)
class _Progress:
    """How far a trial is."""

    requests: int = 0
    hits: int = 0
    found_after: int | None = None


def absent(fault: Fault, rate: float) -> Trial:
    """Return the trial of a fault that has no place in this traffic."""
    return Trial(fault=fault.name, says=fault.says, rate=rate, spot=None, verdict=TrialVerdict.ABSENT, reason=_NOWHERE)


def run_trial(bench: Bench, fault: Fault, spot: Spot, rate: float) -> Trial:
    """Return what became of the fault at `spot`, in the share `rate` (0..1) of the requests."""
    aggregates = bench.traffic.without(At(spot.service, spot.endpoint))
    progress = _feed(bench, aggregates, fault, spot=spot, rate=rate)
    document = bench.traffic.report(aggregates, bench.policy)
    said = _about(document, fault, spot)
    verdict, reason = _verdict(said, progress)
    others = _unexplained(set(findings(document)).difference(bench.known), fault, spot)
    return Trial(
        fault=fault.name,
        says=fault.says,
        rate=rate,
        spot=spot,
        verdict=TrialVerdict.NOISY if others and verdict is TrialVerdict.FOUND else verdict,
        requests=progress.requests,
        hits=progress.hits,
        found_after=progress.found_after if verdict is TrialVerdict.FOUND else None,
        needs=_needs(said, document, spot) if verdict is TrialVerdict.UNDECIDED else None,
        reason=reason,
        others=others,
    )


def is_hit(fault: Fault, pair: str, rate: float) -> bool:
    """Tell whether the request of a pair has the fault: by a hash of both names, so always the same ones."""
    return hash64(f"{fault.name} {pair}".encode("utf-8", "replace")) < rate * _UNIT


def with_fault(fault: Fault, spot: Spot, triple: Triple) -> Triple | None:
    """Return the pair with the fault in the branch's answer, None where it has no place there."""
    branch = fault.change(triple.branch, spot)
    return None if branch is None else replace(triple, branch=branch)


def _feed(bench: Bench, aggregates: dict[str, ServiceAggregate], fault: Fault, *, spot: Spot, rate: float) -> _Progress:
    """Count the endpoint's pairs, some of them with the fault, and note when the report first finds it."""
    at, progress, next_look = At(spot.service, spot.endpoint), _Progress(), float(_FIRST)
    for triple in bench.traffic.pairs_of(at):
        faulty = with_fault(fault, spot, triple) if is_hit(fault, triple.id, rate) else None
        aggregates[at.service].add(faulty or triple)
        progress.requests += 1
        progress.hits += faulty is not None
        if faulty is None or progress.found_after is not None or progress.hits < next_look:
            continue
        next_look = _next_look(progress.hits)
        if _is_found(_about(bench.traffic.report(aggregates, bench.policy, at), fault, spot)):
            progress.found_after = progress.requests
    if progress.found_after is None:
        progress.found_after = progress.requests
    return progress


def _next_look(hits: int) -> float:
    """Return at how many hits the report is read again: reading costs, and a few hits seldom decide."""
    if hits < _FEW:
        return hits + 2
    return hits + 1 if hits < _EACH else hits * _GROWTH


def _about(document: ReportDocument, fault: Fault, spot: Spot) -> list[Said]:
    """Return what the report says of the fault's own place."""
    wanted = fault.shows(spot)
    return [
        said
        for service in document["services"]
        if service["service"] == spot.service
        for endpoint in service["endpoints"]
        if endpoint["endpoint"] == spot.endpoint
        for said in entries(endpoint)
        if any(sight.covers(said.sight) for sight in wanted)
    ]


def _is_found(said: Iterable[Said]) -> bool:
    return any(one.verdict == "different" for one in said)


def _verdict(said: list[Said], progress: _Progress) -> tuple[TrialVerdict, str]:
    if _is_found(said):
        return TrialVerdict.FOUND, ""
    if not progress.hits:
        return TrialVerdict.UNDECIDED, _NO_HIT
    verdicts = {one.verdict for one in said}
    if "undecided" in verdicts:
        return TrialVerdict.UNDECIDED, ""
    if "not comparable" in verdicts:
        return TrialVerdict.UNDECIDED, _NO_CONTROL
    return TrialVerdict.MISSED, ""


def _needs(said: list[Said], document: ReportDocument, spot: Spot) -> int | None:
    """Return about how many more requests of the endpoint decide: as the finding says, else as the endpoint does."""
    own = [one.needs for one in said if one.verdict == "undecided" and one.needs]
    if own:
        return min(own)
    for service in document["services"]:
        for endpoint in service["endpoints"]:
            if (service["service"], endpoint["endpoint"]) == (spot.service, spot.endpoint):
                return endpoint["needs"]
    return None


def _unexplained(found: Iterable[Finding], fault: Fault, spot: Spot) -> tuple[Finding, ...]:
    explained = fault.shows(spot) | fault.besides(spot)
    return tuple(
        sorted(
            finding
            for finding in found
            if (finding.service, finding.endpoint) != (spot.service, spot.endpoint)
            or not any(sight.covers(finding.sight) for sight in explained)
        )
    )
