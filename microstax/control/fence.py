"""What a bridge did, from its counters and from the log of what it refused, as a report says it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from microstax.control.past import Direct
from microstax.control.refused import CONNECTION, Kind, Noted, RefusedCalls
from microstax.envoy import names
from microstax.envoy.bridge_stats import BridgeCounters
from microstax.model.overlay import SAFE_METHODS
from microstax.model.report import BridgeReport, PassedCalls, StoppedCalls
from microstax.model.wording import rfc3339

Counts = Mapping[tuple[str, str], int]
"""Tallies by (service, name)."""
_PASSED: Final = "bridge_passed:"
_REFUSED: Final = "bridge_refused:"
_LIMITED: Final = "bridge_limited"


def tallies(counters: BridgeCounters) -> Iterator[tuple[str, int]]:
    """Yield what was counted of one service's calls, as tally names and absolute values."""
    for method, count in counters.passed_methods.items():
        yield f"{_PASSED}{method}", count
    for reason, count in counters.blocked.items():
        yield f"{_REFUSED}{reason}", count
    yield _LIMITED, counters.limited + counters.overflow


def report(counts: Counts, listed: RefusedCalls, *, direct: Direct) -> BridgeReport:
    """Return the report's section from the tallies of a generation and its list of refused calls.

    Counters and list come by different ways, some seconds apart: of both the one that has seen more is right.
    """
    passed = _of(counts, _PASSED)
    refused, limited = _of(counts, _REFUSED), _of(counts, _LIMITED)
    kinds = [*listed.kinds.items(), *_connections(refused)]
    services = {kind.service for kind, _ in kinds} | {service for service, _ in (*refused, *limited)}
    stopped = sum(_most(refused, listed, service, limits=False) for service in services)
    over = sum(_most(limited, listed, service, limits=True) for service in services)
    unsafe = {key: count for key, count in passed.items() if key[1] not in SAFE_METHODS}
    return BridgeReport(
        passed=sum(passed.values()),
        unsafe_passed=sum(unsafe.values()),
        refused=stopped,
        limited=over,
        unsafe=[PassedCalls(service=one[0], method=one[1], count=count) for one, count in sorted(unsafe.items())],
        calls=[_call(kind, noted) for kind, noted in sorted(kinds, key=lambda one: (-one[1].count, one[0]))],
        unlisted=max(0, stopped + over - sum(noted.count for _, noted in kinds)),
        direct=direct,
    )


def _of(counts: Counts, prefix: str) -> dict[tuple[str, str], int]:
    """Return the tallies that begin with `prefix`, by service and the rest of their name."""
    return {
        (service, name.removeprefix(prefix)): count
        for (service, name), count in counts.items()
        if name.startswith(prefix) and count
    }


def _most(counts: Counts, listed: RefusedCalls, service: str, *, limits: bool) -> int:
    counted = sum(count for (owner, _), count in counts.items() if owner == service)
    return max(counted, listed.listed(service, limits=limits))


def _connections(refused: Counts) -> Iterator[tuple[Kind, Noted]]:
    """Yield the refused connections to databases: there is nothing to log of them, so their counter tells them."""
    for (service, reason), count in refused.items():
        if reason == names.TCP:
            yield Kind(service, names.TCP, "", CONNECTION), Noted(count=count, last_ms=0, method="", path="")


def _call(kind: Kind, noted: Noted) -> StoppedCalls:
    return StoppedCalls(
        service=kind.service,
        method=kind.method,
        path=kind.path,
        reason=kind.reason,
        count=noted.count,
        last=rfc3339(noted.last_ms) if noted.last_ms else "",
        example=f"{noted.method} {noted.path}".strip(),
        user_agent=noted.user_agent,
    )
