"""Envoy's counts held against those made elsewhere, so that a loss that one of them hides shows in the other. Pure.

Both sides of a check grow all the time, and none at the same moment. So only what has settled is compared: what Envoy
had counted a while ago must be counted on the other side by now, and what the other side had a while ago Envoy must
have by now. The difference between that and the whole is under way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from microstax.control import coverage
from microstax.model.exchange import NotCompared
from microstax.model.report import CheckedCount, CrossCheck, EnvoyCounts

DROPPED: Final = "envoy:dropped"
REFUSED: Final = "envoy:refused"
TIMEOUTS: Final = "envoy:timeouts"
CONNECT_FAILURES: Final = "envoy:connect_failures"
RESETS: Final = "envoy:resets"
H1_TIMEOUTS: Final = "envoy:h1_timeouts"
H1_ENDED: Final = "envoy:h1_ended"
H2_ENDED: Final = "envoy:h2_ended"
ROUTED: Final = "envoy:routed"
"""Requests that were to be copied into the overlay, by the routes that they took."""
UNREACHED: Final = "envoy:unreached"
"""Requests of which the baseline took no connection: they are copied, and no route counts them."""
ENTERED: Final = "steady:entered"
LEFT: Final = "steady:left"
MISSED: Final = "steady:unreached"
GIVEN_UP: Final = "steady:given_up"
"""What entered the tee, what left it by any route, and what may not have (the baseline was away, the client hung up),
while the shadow was in force without a break."""
TAPPED: Final = "traces:tapped"
READ: Final = "traces:read"
RESTARTS: Final = "envoy:restarts"
STRAY: Final = "stray:"
NODE: Final = ""
"""Stands for a service where a count is of a whole Envoy."""
RESTARTED: Final = "Envoy was restarted, and what it had counted since the last reading is gone"
SWITCHED_OFF: Final = "the shadow was switched off, and what Envoy had counted since the last reading is gone"
"""Why Envoy may have forgotten what it had counted: its counters go with what they are about."""
_NOT_CAPTURED: Final = "of what is not compared, not all was captured"
_BASELINE: Final = "the baseline took no connection"
_HUNG_UP: Final = "clients hung up before Envoy had a route for them"
_CONNECTIONS: Final = "Envoy counts an HTTP/2 connection that ends once, however many copies it carried"
_LARGE: Final = 10
_LARGE_SHARE: Final = 0.01

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Both counts now and a while ago; how much may be missing on our side, or too much, without a mistake, and why."""

    envoy: int
    envoy_then: int
    counted: int
    counted_then: int
    may_miss: int = 0
    may_exceed: int = 0
    miss_because: str = ""
    excess_because: str = ""


def envoy_counts(services: Iterable[Counts]) -> EnvoyCounts:
    """Return what became of the copies of some services by Envoy's own counters."""
    found: EnvoyCounts = {"copies": 0, "dropped": 0, "timed_out": 0, "failed": 0}
    for counts in services:
        found["copies"] += counts.get(coverage.MIRRORED, 0)
        found["dropped"] += _dropped(counts)
        found["timed_out"] += counts.get(TIMEOUTS, 0)
        found["failed"] += _failed(counts)
    return found


def is_shadowed(counts: Counts) -> bool:
    """Tell whether the tallies are of a service that is mirrored, and not of one that a branch calls by the bridge."""
    return coverage.MIRRORED in counts or ROUTED in counts or LEFT in counts


def strays(counts: Counts) -> dict[str, int]:
    """Return the traces of an Envoy that an account has no place for, from the tallies of NODE."""
    return {name.removeprefix(STRAY): n for name, n in sorted(counts.items()) if name.startswith(STRAY) and n}


def of_service(service: str, now: Counts, then: Counts, *, overdue: int, forgot: str = "") -> list[CrossCheck]:
    """Return the checks of one service from its tallies, now and so long ago that all of that has settled.

    `overdue` is below 0 where workers told of more copies than were made (microstax.control.overdue). `forgot` says why
    Envoy may have forgotten some of what it had counted, empty where it has not.
    """
    made, told = now.get(coverage.MIRRORED, 0), _told(now)
    lost = sum(n for name, n in _reasons(now).items() if name in _HIDING) + max(0, made - told)
    return [
        _check(service, "requests", _routes(now, then, forgot)),
        _check(service, "copies", _copies(now, then, forgot)),
        _accounted(service, made, told, overdue=overdue, forgot=forgot),
        *(
            _check(service, what, _captured(now, then, what, lost=lost, forgot=forgot))
            for what in ("timeouts", "overflow", "failures")
        ),
    ]


def of_node(now: Counts, then: Counts, *, lost: int, forgot: str = "") -> CrossCheck:
    """Return the check of an Envoy's tap: traces that it wrote, and those that came. `lost` requests lack a half."""
    return _check(
        NODE,
        "traces",
        _Reading(
            envoy=now.get(TAPPED, 0),
            envoy_then=then.get(TAPPED, 0),
            counted=now.get(READ, 0),
            counted_then=then.get(READ, 0),
            may_miss=3 * lost,
            miss_because=_NOT_CAPTURED,
            may_exceed=now.get(READ, 0) if forgot else 0,
            excess_because=forgot,
        ),
    )


def large(checks: Iterable[CrossCheck]) -> list[CrossCheck]:
    """Return the checks of which so much is unexplained that somebody should look into it."""
    return [one for one in checks if one["unexplained"] > max(_LARGE, _LARGE_SHARE * max(one["envoy"], one["counted"]))]


def _check(service: str, what: CheckedCount, reading: _Reading) -> CrossCheck:
    difference = reading.envoy - reading.counted
    missing = max(0, reading.envoy_then - reading.counted)
    excess = max(0, reading.counted_then - reading.envoy)
    settled, allowed, because = (
        (missing, reading.may_miss, reading.miss_because)
        if difference >= 0
        else (excess, reading.may_exceed, reading.excess_because)
    )
    settled = min(settled, abs(difference))
    explained = min(settled, allowed)
    return _found(service, what, reading.envoy, reading.counted, settled=settled, explained=explained, because=because)


def _found(
    service: str, what: CheckedCount, envoy: int, counted: int, *, settled: int, explained: int, because: str
) -> CrossCheck:
    """Return a check: of its difference `settled` is not under way, and of that `explained` is no mistake."""
    difference = envoy - counted
    return {
        "service": service,
        "what": what,
        "envoy": envoy,
        "counted": counted,
        "difference": difference,
        "under_way": abs(difference) - settled,
        "explained": explained,
        "because": because if explained else "",
        "unexplained": settled - explained,
    }


def _routes(now: Counts, then: Counts, forgot: str) -> _Reading:
    entered = now.get(ENTERED, 0)
    return _Reading(
        envoy=entered,
        envoy_then=then.get(ENTERED, 0),
        counted=now.get(LEFT, 0),
        counted_then=then.get(LEFT, 0),
        may_miss=entered if forgot else now.get(MISSED, 0) + now.get(GIVEN_UP, 0),
        miss_because=forgot or (_BASELINE if now.get(MISSED, 0) else _HUNG_UP),
    )


def _copies(now: Counts, then: Counts, forgot: str) -> _Reading:
    unreached, routed = now.get(UNREACHED, 0), now.get(ROUTED, 0)
    return _Reading(
        envoy=routed,
        envoy_then=then.get(ROUTED, 0),
        counted=now.get(coverage.MIRRORED, 0),
        counted_then=then.get(coverage.MIRRORED, 0),
        may_miss=routed if forgot else 0,
        miss_because=forgot,
        may_exceed=now.get(coverage.MIRRORED, 0) if forgot else unreached,
        excess_because=forgot or _BASELINE,
    )


def _accounted(service: str, made: int, told: int, *, overdue: int, forgot: str) -> CrossCheck:
    """Return whether workers told of every copy: those of which they did not are capture gaps that nobody saw."""
    settled = min(max(0, -overdue if told > made else overdue), abs(made - told))
    explained = settled if told <= made or forgot else 0
    because = forgot if told > made else "they are capture gaps that no trace was seen of"
    return _found(service, "accounted", made, told, settled=settled, explained=explained, because=because)


_HIDING: Final = frozenset({NotCompared.CAPTURE_GAP, NotCompared.TRUNCATED, NotCompared.UNDECODABLE})
"""Reasons that say nothing about how the copy ended: a half is missing, or cannot be used."""


def _captured(now: Counts, then: Counts, what: CheckedCount, *, lost: int, forgot: str) -> _Reading:
    count, reason = _CAPTURED[what]
    connections = what == "failures" and now.get(H2_ENDED, 0) > 0
    captured = _reasons(now).get(reason, 0)
    return _Reading(
        envoy=count(now),
        envoy_then=count(then),
        counted=captured,
        counted_then=_reasons(then).get(reason, 0),
        may_miss=lost,
        miss_because=_NOT_CAPTURED,
        may_exceed=captured if connections or forgot else 0,
        excess_because=_CONNECTIONS if connections else forgot,
    )


def _dropped(counts: Counts) -> int:
    return counts.get(DROPPED, 0) + counts.get(REFUSED, 0)


def _timeouts(counts: Counts) -> int:
    return counts.get(TIMEOUTS, 0)


def _failed(counts: Counts) -> int:
    """Return the copies that the branch did not take, reset, or did not answer in HTTP."""
    ended = max(0, counts.get(H1_ENDED, 0) - counts.get(H1_TIMEOUTS, 0))
    return counts.get(CONNECT_FAILURES, 0) + counts.get(RESETS, 0) + ended + counts.get(H2_ENDED, 0)


_CAPTURED: Final = {
    "timeouts": (_timeouts, NotCompared.BRANCH_TIMEOUT.value),
    "overflow": (_dropped, NotCompared.BRANCH_OVERFLOW.value),
    "failures": (_failed, NotCompared.BRANCH_ERROR.value),
}


def _reasons(counts: Counts) -> dict[str, int]:
    return dict(coverage.account(counts, overdue=0).reasons)


def _told(counts: Counts) -> int:
    return coverage.told(coverage.account(counts, overdue=0))
