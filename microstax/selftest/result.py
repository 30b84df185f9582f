"""What a self-test found out, and how it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from microstax.errors import EXIT_DIFFERENT, EXIT_DONE, EXIT_UNDECIDED
from microstax.selftest.spots import Sight, Spot


class TrialVerdict(StrEnum):
    """What became of one fault at one rate."""

    FOUND = "found"
    NOISY = "found and more"
    MISSED = "missed"
    UNDECIDED = "undecided"
    ABSENT = "not applicable"


DECIDED: Final = frozenset({TrialVerdict.FOUND, TrialVerdict.NOISY, TrialVerdict.MISSED})


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that a report calls different; `pair` is an example's id or empty."""

    service: str
    endpoint: str
    sight: Sight
    pair: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Say it as people read it."""
        kind, place = self.sight
        return f"{self.service}: {self.endpoint}: {kind}{f' {place}' if place else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One fault at one rate (0..1): `hits` of the endpoint's `requests` had it.

    `found_after` is after how many requests of the endpoint the report named it, `needs` about how many more would
    decide; both None where that is not known. `others` are findings that the fault does not explain, `reason` says why
    there is no verdict.
    """

    fault: str
    says: str
    rate: float
    spot: Spot | None
    verdict: TrialVerdict
    requests: int = 0
    hits: int = 0
    found_after: int | None = None
    needs: int | None = None
    reason: str = ""
    others: tuple[Finding, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the trial as JSON types."""
        spot = self.spot
        return {
            "fault": self.fault,
            "rate": self.rate,
            "service": spot.service if spot else None,
            "endpoint": spot.endpoint if spot else None,
            "place": (spot.name or spot.path) if spot else None,
            "verdict": self.verdict.value,
            "requests": self.requests,
            "hits": self.hits,
            "found_after": self.found_after,
            "needs": self.needs,
            "reason": self.reason,
            "others": [str(other) for other in self.others],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """The whole result: `pairs` were compared, `false_findings` is what the report said about no change at all."""

    pairs: int
    not_compared: int
    verdict: str
    calibrated: bool
    false_findings: tuple[Finding, ...]
    trials: tuple[Trial, ...]

    def count(self, verdict: TrialVerdict) -> int:
        """Return how many trials ended so."""
        return sum(trial.verdict is verdict for trial in self.trials)

    @property
    def decided(self) -> int:
        """How many trials this traffic could decide."""
        return sum(trial.verdict in DECIDED for trial in self.trials)

    @property
    def share(self) -> float | None:
        """The share of them that was found, None where there is none."""
        missed = self.count(TrialVerdict.MISSED)
        return (self.decided - missed) / self.decided if self.decided else None

    @property
    def exit_code(self) -> int:
        """0: no false finding, nothing missed; 1: some; 3: this traffic decides nothing."""
        if self.false_findings or self.count(TrialVerdict.MISSED) or self.count(TrialVerdict.NOISY):
            return EXIT_DIFFERENT
        return EXIT_DONE if self.decided else EXIT_UNDECIDED

    def document(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return {
            "pairs": self.pairs,
            "not_compared": self.not_compared,
            "verdict": self.verdict,
            "calibrated": self.calibrated,
            "false_findings": list(self._findings()),
            "trials": [trial.document() for trial in self.trials],
            "decided": self.decided,
            "detected_share": self.share,
        }

    def _findings(self) -> Iterator[dict[str, str]]:
        for one in self.false_findings:
            yield {
                "service": one.service,
                "endpoint": one.endpoint,
                "kind": one.sight.kind,
                "place": one.sight.place,
                "pair": one.pair,
            }
