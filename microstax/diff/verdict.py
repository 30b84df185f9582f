"""The verdicts on discrepancies: one pure function of counts, `judge`.

With a control, a discrepancy is `different` if its evidence stands among all discrepancies of the report (e-BH),
`same` if a test finds that its excess over the noise lies below the tolerance, and else `undecided`; both tests hold
however often a report is read. Without a control nothing measures the noise: what varies in the baseline itself or has
a format that is made anew is noise, other shapes and statuses are believed after a few sightings (more, where the
opposite was seen as well), and other values cannot be judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from microstax.diff.betting import MOST_PAIRS, clean_triples, excess_below, finest_stake
from microstax.diff.counts import NEARLY_ALL, Counts, Judgement, Policy
from microstax.diff.evidence import e_bh
from microstax.diff.sightings import Sightings, log_evidence_of_several
from microstax.diff.smallness import Smallness, least_factor

__all__ = ["Counts", "Judgement", "Policy", "clean_high", "clean_needs", "judge"]

_LEAST_CHANCE: Final = 1e-9
"""Rates are not known better, and a chance of 0 or 1 would make one sighting a proof."""
_BELIEVED: Final = 3
"""Sightings of a shape or a status that nothing measured the noise of."""


@dataclass(frozen=True, slots=True)
class _Tested:
    """One hypothesis of the family: `of_all` is ln E of all that was seen, `of_several` what no input decides alone."""

    counts: Counts
    of_all: float
    of_several: float


def judge(family: Sequence[Counts], policy: Policy) -> list[Judgement]:
    """Return the verdict on each discrepancy; `family` is all that the report asks about, since errors add up."""
    tested = [_tested(counts, policy) for counts in family if counts.calibrated]
    found = e_bh([hypothesis.of_several for hypothesis in tested], policy.error)
    by_any_input = e_bh([hypothesis.of_all for hypothesis in tested], policy.error)
    enough = math.log(len(tested) / (min(sum(found) + 1, len(tested)) * policy.error)) if tested else 0.0
    judged = (
        _with_control(hypothesis, policy, found=is_found, one_input=is_seen and not is_found, enough=enough)
        for hypothesis, is_found, is_seen in zip(tested, found, by_any_input, strict=True)
    )
    return [next(judged) if counts.calibrated else _without_control(counts, policy) for counts in family]


def clean_needs(pairs: int, policy: Policy) -> int:
    """Return how many pairs after `pairs` make a place at which nothing was seen `same`: 0 if it is."""
    tolerance = policy.excess()
    enough = clean_triples(tolerance, finest=finest_stake(tolerance), alpha=policy.error)
    return max(enough - pairs, policy.min_pairs - pairs, 0)


def clean_high(pairs: int, policy: Policy) -> float:
    """Return the upper end of the interval of the excess rate (0..1) at a place at which nothing was seen."""
    return excess_below(b=0, c=0, triples=pairs, finest=finest_stake(policy.excess()), alpha=policy.error)


def _tested(counts: Counts, policy: Policy) -> _Tested:
    sightings = _sightings(counts)
    of_all = sightings.log_evidence()
    return _Tested(counts, of_all, log_evidence_of_several(sightings, counts.hottest, counts.contexts, policy.error))


def _sightings(counts: Counts) -> Sightings:
    b, c = max(counts.branch_only, 0), max(counts.control_only, 0)
    if not counts.is_sampled:
        return Sightings(b=b, c=c, two_sided=counts.two_sided)
    return Sightings(
        b=b,
        c=c,
        alone=max(counts.alone, 0),
        control=c + max(counts.both, 0),
        alone_chance=min(max(1 - counts.triples / counts.pairs, _LEAST_CHANCE), 1 - _LEAST_CHANCE),
        two_sided=counts.two_sided,
    )


def _with_control(hypothesis: _Tested, policy: Policy, *, found: bool, one_input: bool, enough: float) -> Judgement:
    counts = hypothesis.counts
    short = max(policy.min_pairs - counts.pairs, 0)
    if counts.triples <= 0:
        return Judgement(verdict="undecided", needs=max(short, 1))
    smallness = Smallness(counts, policy)
    is_small = not found and not one_input and not short and smallness.holds()
    needs = None
    if not (found or one_input or is_small):
        needs = _needs(counts, smallness, short=short, enough=enough, alpha=policy.error)
    return Judgement(
        verdict="different" if found else "same" if is_small else "undecided",
        needs=needs,
        log_evidence=hypothesis.of_several,
        excess=smallness.excess(),
        excess_high=smallness.excess_high(),
        one_input=one_input,
    )


def _needs(counts: Counts, smallness: Smallness, *, short: int, enough: float, alpha: float) -> int | None:
    """Return about how many more pairs decide, if they go on as they did; None if they never do."""
    pairs, sightings = max(counts.pairs, 1), _sightings(counts)

    def is_drift(factor: float) -> bool:
        hottest = [(b * factor, c * factor) for b, c in counts.hottest]
        return log_evidence_of_several(sightings.times(factor), hottest, counts.contexts, alpha) >= enough

    until_small = smallness.times()
    factor = min(until_small, least_factor(is_drift, min(until_small, MOST_PAIRS / pairs)))
    if factor * pairs > MOST_PAIRS:
        return None
    return max(math.ceil(pairs * (factor - 1)), short, 1)


def _without_control(counts: Counts, policy: Policy) -> Judgement:
    short = max(policy.min_pairs - counts.pairs, 0)
    if counts.varies or (counts.is_value and counts.formatted >= NEARLY_ALL * counts.alone):
        return Judgement(verdict="undecided", needs=short) if short else Judgement(verdict="same")
    if counts.is_value:
        return Judgement(verdict="not comparable")
    if counts.reversed > 0 and counts.alone > 0:
        return _against_reversed(counts, policy)
    if counts.alone >= _BELIEVED:
        return Judgement(verdict="different")
    if counts.alone <= 0:
        needs = clean_needs(counts.pairs, policy)
        return Judgement(verdict="undecided", needs=needs) if needs else Judgement(verdict="same")
    pairs = max(counts.pairs, counts.alone)
    return Judgement(verdict="undecided", needs=math.ceil((_BELIEVED - counts.alone) * pairs / counts.alone))


def _against_reversed(counts: Counts, policy: Policy) -> Judgement:
    """Judge what the baseline was seen to do as well, each by its own choice: as if the opposite were the control's.

    If branch and baseline behave alike, which of two answers is whose is a toss of a coin, so the same tests hold.
    """
    seen = replace(counts, branch_only=counts.alone, control_only=counts.reversed, alone=0, both=0)
    hypothesis = _tested(replace(seen, triples=max(counts.pairs, counts.alone + counts.reversed)), policy)
    enough = -math.log(policy.error)
    judgement = _with_control(
        hypothesis,
        policy,
        found=hypothesis.of_several >= enough,
        one_input=hypothesis.of_all >= enough > hypothesis.of_several,
        enough=enough,
    )
    return replace(judgement, log_evidence=None, excess=None, excess_high=None)
