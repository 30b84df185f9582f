"""What the sightings of a discrepancy weigh, and what they weigh if no single input may decide alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Final, Self

from microstax.diff.evidence import log_evidence, log_mean

_FEW: Final = 2
"""Up to so many distinct inputs in all, one of them may decide: there is hardly another one to wait for."""

Hot = tuple[float, float]
"""Sightings (on the branch's side, on the control's) of one input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """Sightings of one discrepancy that speak: `b` for the branch alone and `c` for the control alone in triples.

    Where only a share of the pairs has a control, the other pairs speak too: `alone` sightings in these against
    `control` sightings in the control's answers; under equal behaviour a sighting is one of the former with
    `alone_chance`. `two_sided`: b and c are two directions, and either may be the drift. Counts may be fractions.
    """

    b: float
    c: float
    alone: float = 0.0
    control: float = 0.0
    alone_chance: float | None = None
    two_sided: bool = False

    def times(self, factor: float) -> Self:
        """Return what `factor` times the traffic would show."""
        return type(self)(
            b=self.b * factor,
            c=self.c * factor,
            alone=self.alone * factor,
            control=self.control * factor,
            alone_chance=self.alone_chance,
            two_sided=self.two_sided,
        )

    def log_evidence(self) -> float:
        """Return ln E; the mean of two evidences is one, so both directions or both kinds of pairs may speak."""
        evidence = log_evidence(self.b, self.c)
        if self.two_sided:
            evidence = log_mean(evidence, log_evidence(self.c, self.b))
        if self.alone_chance is not None:
            evidence = log_mean(evidence, log_evidence(self.alone, self.control, self.alone_chance))
        return evidence

    def without_most_of(self, hot: Hot, alpha: float) -> Self:
        """Return the sightings with so few of the input `hot` that it does not reach 1/alpha by itself.

        Its proportion of both sides stays. `hot` may be approximate: it takes no more away than there is.
        """
        seen = self.b + self.alone
        share = self.b / seen if seen and self.alone_chance is not None else 1.0
        b, c = _cut(self.b, self.c, (hot[0] * share, hot[1]), most_alone(alpha, 0.5))
        alone, control = self.alone, self.control
        if self.alone_chance is not None:
            most = most_alone(alpha, self.alone_chance)
            alone, control = _cut(alone, control, (hot[0] * (1 - share), hot[1]), most)
        return type(self)(
            b=b, c=c, alone=alone, control=control, alone_chance=self.alone_chance, two_sided=self.two_sided
        )


def log_evidence_of_several(sightings: Sightings, hottest: Sequence[Hot], contexts: int, alpha: float) -> float:
    """Return ln E that no single input decides; `hottest` are the inputs seen most often, of `contexts` in all.

    It is the least of E and of what E is with one of the inputs cut down. As it is never more than E, whatever bounds
    how often E errs bounds its errors too.
    """
    evidence = sightings.log_evidence()
    if contexts <= _FEW or evidence <= 0:
        return evidence
    cut = {sightings.without_most_of(hot, alpha) for hot in hottest} - {sightings}
    return min(evidence, *(rest.log_evidence() for rest in cut)) if cut else evidence


@lru_cache(maxsize=256)
def most_alone(alpha: float, chance: float) -> int:
    """Return the largest number of clean events that does not reach 1/alpha: 6 for 5% and a chance of 1/2."""
    low, high = 0, 1
    while log_evidence(high, 0, chance) < -log(alpha):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if log_evidence(middle, 0, chance) < -log(alpha):
            low = middle
        else:
            high = middle
    return low


def _cut(b: float, c: float, hot: Hot, most: int) -> tuple[float, float]:
    """Return b and c with at most `most` events of the hot input."""
    of_b, of_c = min(hot[0], b), min(hot[1], c)
    if of_b + of_c <= most:
        return b, c
    gone = 1 - most / (of_b + of_c)
    return b - of_b * gone, c - of_c * gone
