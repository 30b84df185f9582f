"""What the demo claims, claim by claim: a sentence, and whether it holds. PURE."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from microstax.demo.checker import Outcome
from microstax.demo.planted import UNSAFE_ROUTES
from microstax.model.overlay import SAFE_METHODS
from microstax.model.report import Coverage


@dataclass(frozen=True, slots=True)
class Requests:
    """How many requests were sent, how many of them failed, and the first failures as sentences."""

    sent: int = 0
    failed: int = 0
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the demo's last part. `details` are lines below it."""

    holds: bool
    text: str
    details: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the claim as lines for people."""
        yield f"  {'ok  ' if self.holds else 'FAIL'}  {self.text}"
        for detail in self.details:
            yield f"          {detail}"


def claims(
    *,
    outcome: Outcome,
    requests: Requests,
    coverage: Coverage,
    branch_received: Mapping[str, int],
    baseline_received: Mapping[str, int],
    neighbour_received: Mapping[str, Mapping[str, int]],
) -> list[Claim]:
    """Return every claim. The `received` counts are by method and route, as a service of the shop tells them."""
    return [
        _users(requests),
        _methods(coverage, branch_received, baseline_received),
        _bridge(coverage, neighbour_received),
        _adds_up(coverage),
        *_report(outcome),
    ]


def _users(requests: Requests) -> Claim:
    text = f"Users sent {requests.sent:,} requests; {requests.failed:,} failed or got a wrong answer."
    return Claim(requests.sent > 0 and requests.failed == 0, text, requests.failures[:5])


def _methods(coverage: Coverage, branch: Mapping[str, int], baseline: Mapping[str, int]) -> Claim:
    at_branch, at_baseline = unsafe(branch), unsafe(baseline)
    skipped = sum(coverage["skipped_methods"].values())
    text = (
        f"Requests that change something stayed with the baseline: it received {at_baseline:,}, "
        f"the branch {at_branch:,} (and {sum(branch.values()):,} safe ones); {skipped:,} are counted as skipped."
    )
    return Claim(at_branch == 0 < min(at_baseline, skipped, sum(branch.values())), text)


def _bridge(coverage: Coverage, neighbours: Mapping[str, Mapping[str, int]]) -> Claim:
    arrived = sum(neighbours[service].get(route, 0) for service, route in UNSAFE_ROUTES)
    what = " and ".join(f"{route} on {service}" for service, route in UNSAFE_ROUTES)
    stopped = coverage["blocked_calls"]
    text = f"The branch tried {what}: the bridge stopped {stopped:,} calls, {arrived:,} arrived."
    return Claim(arrived == 0 < stopped, text)


def _adds_up(coverage: Coverage) -> Claim:
    lost = sum(coverage["not_compared"].values())
    mirrored, paired = coverage["mirrored"], coverage["paired"]
    text = f"Every mirrored request is accounted for: {mirrored:,} = {paired:,} compared + {lost:,} not compared."
    return Claim(mirrored == paired + lost and paired > 0, text)


def _report(outcome: Outcome) -> Iterator[Claim]:
    planted = len(outcome.found) + len(outcome.missed)
    found, missed, invented = (tuple(map(str, part)) for part in (outcome.found, outcome.missed, outcome.invented))
    yield Claim(bool(found), f"Found:    {len(found)} of {planted} planted differences.", found)
    yield Claim(not missed, f"Missed:   {len(missed)}.", missed)
    yield Claim(not invented, f"Invented: {len(invented)}.", invented)


def unsafe(received: Mapping[str, int]) -> int:
    """Return how many requests with an unsafe method there were."""
    return sum(number for route, number in received.items() if route.split(" ", 1)[0] not in SAFE_METHODS)
