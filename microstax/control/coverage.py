"""What became of every mirrored request: an account that always adds up. Pure.

Envoy's counters say how many copies were made, the workers say what became of those that they saw. What neither
explains is `pending` while it is recent and `capture_gap` after that: a worker that was killed, a trace between polls.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from microstax.model.exchange import NotCompared
from microstax.model.report import Coverage, Rechecks
from microstax.store.port import KEPT, KEPT_BYTES, MOST_KEPT_BYTES

PAIRED: Final = "paired"
MIRRORED: Final = "mirrored"
OVERFLOW: Final = "overflow"
BLOCKED: Final = "blocked"
_REASON: Final = "reason:"
_SKIPPED_METHOD: Final = "skipped_method:"
_SKIPPED: Final = "skipped:"
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


@dataclass(slots=True)
class MirrorHistory:
    """How many copies had been made at which time, for as long as that matters; times in Unix milliseconds."""

    _samples: deque[tuple[int, int]] = field(default_factory=deque)

    def note(self, at_ms: int, mirrored: int, *, window_ms: int) -> None:
        """Add a sample and forget what no question within `window_ms` can be about."""
        self._samples.append((at_ms, mirrored))
        while len(self._samples) > 1 and self._samples[1][0] <= at_ms - window_ms:
            self._samples.popleft()

    def before(self, at_ms: int) -> int:
        """Return how many copies were made up to `at_ms` at least."""
        return max((mirrored for when, mirrored in self._samples if when <= at_ms), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The counts of one service. `settled` of the mirrored are old enough to be overdue where nobody explains them."""

    mirrored: int = 0
    settled: int = 0
    paired: int = 0
    overflow: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    skipped_methods: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    blocked: int = 0


def account(counts: Mapping[str, int], *, settled: int) -> Account:
    """Return the account of one service from its tallies by name."""

    def below(prefix: str) -> dict[str, int]:
        return {name.removeprefix(prefix): n for name, n in counts.items() if name.startswith(prefix) and n}

    return Account(
        mirrored=counts.get(MIRRORED, 0),
        settled=settled,
        paired=counts.get(PAIRED, 0),
        overflow=counts.get(OVERFLOW, 0),
        reasons=below(_REASON),
        skipped_methods=below(_SKIPPED_METHOD),
        skipped=below(_SKIPPED),
        blocked=counts.get(BLOCKED, 0),
    )


def not_compared(one: Account) -> dict[str, int]:
    """Return the requests of an account that are no pairs, by reason; with the pairs they are `total` requests.

    Copies that Envoy dropped leave no trace of their own: its counter decides how many of the unexplained they are.
    """
    explained = {
        reason: n
        for reason, n in one.reasons.items()
        if reason not in {NotCompared.CAPTURE_GAP, NotCompared.BRANCH_OVERFLOW}
    }
    rest = total(one) - one.paired - sum(explained.values())
    overflow = min(rest, max(one.overflow, one.reasons.get(NotCompared.BRANCH_OVERFLOW, 0)))
    rest -= overflow
    missed = min(rest, one.reasons.get(NotCompared.CAPTURE_GAP, 0))
    pending = min(rest - missed, max(0, total(one) - one.settled))
    return {
        reason: n
        for reason, n in sorted(
            {
                **explained,
                NotCompared.BRANCH_OVERFLOW.value: overflow,
                NotCompared.CAPTURE_GAP.value: rest - pending,
                NotCompared.PENDING.value: pending,
            }.items()
        )
        if n
    }


def total(one: Account) -> int:
    """Return how many requests were mirrored: Envoy's count, or what the workers saw where that count comes later."""
    return max(one.mirrored, one.paired + sum(one.reasons.values()))


def coverage(accounts: Iterable[Account]) -> Coverage:
    """Return the coverage of a report: mirrored = paired + the sum of not_compared, whatever came in and when."""
    ones = list(accounts)
    return Coverage(
        mirrored=sum(map(total, ones)),
        paired=sum(one.paired for one in ones),
        not_compared=_sum(not_compared(one) for one in ones),
        skipped_methods=_sum(one.skipped_methods for one in ones),
        skipped=_sum(one.skipped for one in ones),
        blocked_calls=sum(one.blocked for one in ones),
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    summed: dict[str, int] = {}
    for one in counts:
        for name, n in one.items():
            summed[name] = summed.get(name, 0) + n
    return dict(sorted(summed.items()))
