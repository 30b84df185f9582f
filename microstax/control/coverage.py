"""What became of every mirrored request: an account that always adds up. Pure.

Envoy's counters say how many copies were made, the workers say what became of those that they saw. What neither
explains is `pending` while it is recent and `capture_gap` after that: a worker that was killed, a trace between polls
(microstax.control.overdue). Whether both agree is another question: microstax.control.crosschecks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from microstax.model.exchange import Gap, NotCompared
from microstax.model.report import Coverage, Rechecks
from microstax.store.port import KEPT, KEPT_BYTES, MOST_KEPT_BYTES

PAIRED: Final = "paired"
MIRRORED: Final = "mirrored"
OVERFLOW: Final = "overflow"
BLOCKED: Final = "blocked"
UNREAD: Final = "unread"
"""Copies of which workers told what became of them, and not yet which reading counted them (Accounted)."""
_REASON: Final = "reason:"
_SKIPPED_METHOD: Final = "skipped_method:"
_SKIPPED: Final = "skipped:"
_GAP: Final = "gap:"
RECHECKS: Final = ("asked", "vanished", "persisted", "failed", "over_budget")
"""What workers count of mismatches that were to be asked again."""
_RECHECK: Final = "recheck_"
DELIVERY_MS: Final = 8_000
"""How long beyond the branch's timeout a request may be on its way through tap, pairing, comparing and a delta."""
_MARGIN_BYTES: Final = 1024 * 1024


def reason_tally(reason: str) -> str:
    """Return the tally name of requests that were not compared for a reason."""
    return f"{_REASON}{reason}"


def skipped_method_tally(method: str) -> str:
    """Return the tally name of requests that were not mirrored because of their method."""
    return f"{_SKIPPED_METHOD}{method}"


def gap_tally(part: str) -> str:
    """Return the tally name of capture gaps of which something is missing (a Gap)."""
    return f"{_GAP}{part}"


def skipped_tally(reason: str) -> str:
    """Return the tally name of requests that were not mirrored for another reason."""
    return f"{_SKIPPED}{reason}"


def recheck_tally(outcome: str) -> str:
    """Return the tally name of one of RECHECKS."""
    return f"{_RECHECK}{outcome}"


def rechecks(counts: Mapping[str, int]) -> Rechecks:
    """Return what became of mismatches that were to be asked again, from tallies by name."""
    found = {outcome: counts.get(recheck_tally(outcome), 0) for outcome in RECHECKS}
    return Rechecks(
        asked=found["asked"],
        vanished=found["vanished"],
        persisted=found["persisted"],
        failed=found["failed"],
        over_budget=found["over_budget"],
    )


def still_to_keep(counts: Mapping[tuple[str, str], int], service: str, *, keep: int) -> int:
    """Return how many of `keep` pairs of a service there are to be had; none where their bytes are used up."""
    return 0 if is_full(counts, service) else max(0, keep - counts.get((service, KEPT), 0))


def is_full(counts: Mapping[tuple[str, str], int], service: str) -> bool:
    """Tell whether the kept pairs of a service take so much that the largest pair may find no room."""
    return counts.get((service, KEPT_BYTES), 0) > MOST_KEPT_BYTES - _MARGIN_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The counts of one service. `overdue` copies are so old that a worker should have told of them by now.

    `overflow` is Envoy's count, `reasons` are the workers'; `gaps` says what is missing of those that are capture gaps.
    """

    mirrored: int = 0
    overdue: int = 0
    paired: int = 0
    overflow: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[str, int] = field(default_factory=dict)
    skipped_methods: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    blocked: int = 0


def account(counts: Mapping[str, int], *, overdue: int) -> Account:
    """Return the account of one service from its tallies by name."""

    def below(prefix: str) -> dict[str, int]:
        return {name.removeprefix(prefix): n for name, n in counts.items() if name.startswith(prefix) and n}

    return Account(
        mirrored=counts.get(MIRRORED, 0),
        overdue=overdue,
        paired=counts.get(PAIRED, 0),
        overflow=counts.get(OVERFLOW, 0),
        reasons=below(_REASON),
        gaps=below(_GAP),
        skipped_methods=below(_SKIPPED_METHOD),
        skipped=below(_SKIPPED),
        blocked=counts.get(BLOCKED, 0),
    )


def told(one: Account) -> int:
    """Return of how many copies the workers have said what became of them."""
    return one.paired + sum(one.reasons.values())


def outstanding(counts: Mapping[str, int]) -> int:
    """Return how many copies of a service were made and not yet told of by their reading, from its tallies by name.

    What is told already of copies that no reading had counted is told again with that reading (microstax.worker.ages).
    """
    one = account(counts, overdue=0)
    return one.mirrored - told(one) + counts.get(UNREAD, 0)


def not_compared(one: Account) -> dict[str, int]:
    """Return the requests of an account that are no pairs, by reason; with the pairs they are `total` requests.

    Copies that Envoy dropped leave no trace of their own: its counter decides how many of the unexplained they are.
    """
    parts = _rest(one)
    explained = {
        reason: n
        for reason, n in one.reasons.items()
        if reason not in {NotCompared.CAPTURE_GAP, NotCompared.BRANCH_OVERFLOW}
    }
    return {
        reason: n
        for reason, n in sorted(
            {
                **explained,
                NotCompared.BRANCH_OVERFLOW.value: parts.overflow,
                NotCompared.CAPTURE_GAP.value: parts.missed + parts.unseen,
                NotCompared.PENDING.value: parts.pending,
            }.items()
        )
        if n
    }


def gaps(one: Account) -> dict[str, int]:
    """Return the capture gaps of an account by what is missing. Lone baselines were Envoy's drops, if there are any."""
    parts = _rest(one)
    found: dict[str, int] = {}
    left = parts.missed
    for part in sorted(one.gaps, key=lambda part: (part == Gap.COPY_MISSING, part)):
        found[part] = min(left, one.gaps[part])
        left -= found[part]
    found[Gap.UNSEEN.value] = found.get(Gap.UNSEEN.value, 0) + parts.unseen + left
    return {part: n for part, n in sorted(found.items()) if n}


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is neither a pair nor has a reason of its own: dropped, missed in part, seen by nobody, on its way."""

    overflow: int
    missed: int
    unseen: int
    pending: int


def _rest(one: Account) -> _Rest:
    told_overflow = one.reasons.get(NotCompared.BRANCH_OVERFLOW, 0)
    told_gap = one.reasons.get(NotCompared.CAPTURE_GAP, 0)
    rest = total(one) - (told(one) - told_overflow - told_gap)
    overflow = min(rest, max(one.overflow, told_overflow))
    rest -= overflow
    # A drop that no worker knew of was told as a gap, or was seen by nobody.
    untold = overflow - told_overflow
    missed = min(rest, max(0, told_gap - untold))
    rest -= missed
    unseen = min(rest, max(0, one.overdue - max(0, untold - told_gap)))
    return _Rest(overflow, missed, unseen, rest - unseen)


def total(one: Account) -> int:
    """Return how many requests were mirrored: Envoy's count, or what the workers saw where that count comes later."""
    return max(one.mirrored, told(one))


def coverage(accounts: Iterable[Account]) -> Coverage:
    """Return the coverage of a report: mirrored = paired + the sum of not_compared, whatever came in and when."""
    ones = list(accounts)
    skipped_methods, skipped = _sum(one.skipped_methods for one in ones), _sum(one.skipped for one in ones)
    mirrored = sum(map(total, ones))
    return Coverage(
        requests=mirrored + sum(skipped_methods.values()) + sum(skipped.values()),
        mirrored=mirrored,
        paired=sum(one.paired for one in ones),
        not_compared=_sum(not_compared(one) for one in ones),
        gaps=_sum(gaps(one) for one in ones),
        skipped_methods=skipped_methods,
        skipped=skipped,
        blocked_calls=sum(one.blocked for one in ones),
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    summed: dict[str, int] = {}
    for one in counts:
        for name, n in one.items():
            summed[name] = summed.get(name, 0) + n
    return dict(sorted(summed.items()))
