"""The verdicts on discrepancies: one pure function of counts, `judge`.

With a control, a discrepancy is `different` if its evidence stands among all discrepancies of the report (e-BH),
`same` if it leans to no side or its excess over the noise is below the tolerance, and else `undecided`. Without one
nothing measures the noise: what varies in the baseline itself or has a format that is made anew is noise, other shapes
and statuses are believed after a few sightings, and other values cannot be judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from microstax.diff.evidence import e_bh, log_evidence, log_mean
from microstax.model.report import Verdict

_Z: Final = 2.576
"""A two-sided interval of 99% under the normal distribution."""
_SIGHTINGS: Final = 3
_NEARLY_ALL: Final = 0.9
_FAR: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How sure a verdict must be.

    `alpha` bounds the share of false findings of a report. Below `min_pairs` an endpoint is not called same.
    `tolerance` is the excess rate over noise that does not matter (0..1); `latency_tolerance` the relative change of a
    latency that does not, and `latency_floor_ms` the absolute one.
    """

    alpha: float = 0.05
    min_pairs: int = 100
    tolerance: float = 0.01
    latency_tolerance: float = 0.10
    latency_floor_ms: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is known about one discrepancy (see Tally), in an endpoint with `pairs` of which `triples` have a control.

    `calibrated`: the service has a control. `is_value`: it is about what a value, a header or an order says, not about
    whether something is there. `contexts` is how many distinct inputs the endpoint had, `hottest` holds
    (branch_only + alone, control_only) of the inputs that showed it most often. `two_sided`: `branch_only` and
    `control_only` are two directions, and drift is an excess of either.
    """

    pairs: int
    triples: int
    branch_only: int
    control_only: int
    both: int
    alone: int
    formatted: int = 0
    varies: bool = False
    is_value: bool = False
    calibrated: bool = True
    contexts: int = 0
    hottest: tuple[tuple[int, int], ...] = ()
    two_sided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on.

    `needs` estimates how many more pairs of the endpoint decide, where it is undecided; None where more of the same
    would not. `log_evidence` is ln E, None where nothing measured the noise. `excess` is the excess rate of the branch
    over the noise, `excess_high` the upper end of its anytime-valid interval. `one_input`: nearly all of the evidence
    comes from a single input, which does not decide alone.
    """

    verdict: Verdict
    needs: int | None = None
    log_evidence: float | None = None
    excess: float | None = None
    excess_high: float | None = None
    one_input: bool = False


def judge(family: Sequence[Counts], policy: Policy) -> list[Judgement]:
    """Return the verdict on each discrepancy; `family` is all that the report asks about, since errors add up."""
    tested = [counts for counts in family if counts.calibrated]
    rejected = iter(e_bh([_evidence(counts, 1) for counts in tested], policy.alpha))
    return [
        _with_control(counts, found=next(rejected), hypotheses=len(tested), policy=policy)
        if counts.calibrated
        else _without_control(counts, policy)
        for counts in family
    ]


def _with_control(counts: Counts, *, found: bool, hypotheses: int, policy: Policy) -> Judgement:
    if found:
        return Judgement(verdict="different")
    short = max(policy.min_pairs - counts.pairs, 0)
    if not counts.triples:
        return Judgement(verdict="undecided", needs=max(short, 1))
    if _evidence(counts, 1) > 0 and _most_excess(counts, 1) > policy.tolerance:
        return Judgement(verdict="undecided", needs=max(short, _needs(counts, hypotheses, policy)))
    return Judgement(verdict="undecided", needs=short) if short else Judgement(verdict="same")


def _evidence(counts: Counts, factor: float) -> float:
    """Return ln E of the counts, if there were `factor` times the traffic of today.

    Where only a share of the pairs has a control, the pairs without one speak too: under equal behaviour a sighting is
    one of theirs with the chance of their share.
    """
    b, c = round(counts.branch_only * factor), round(counts.control_only * factor)
    evidence = log_evidence(b, c)
    if not _is_sampled(counts):
        return evidence
    alone, control = round(counts.alone * factor), round((counts.control_only + counts.both) * factor)
    return log_mean(evidence, log_evidence(alone, control, 1 - counts.triples / counts.pairs))


def _is_sampled(counts: Counts) -> bool:
    """Tell whether a good share of the pairs has no control (`--control self`), and not just one that failed."""
    return 0 < counts.triples < _NEARLY_ALL * counts.pairs


def _most_excess(counts: Counts, factor: float) -> float:
    """Return the upper end of the interval of the excess rate, if there were `factor` times the traffic of today."""
    pairs, triples = counts.pairs * factor, counts.triples * factor
    if _is_sampled(counts):
        branch = (counts.branch_only + counts.both + counts.alone) * factor
        control = (counts.control_only + counts.both) * factor
        spread = math.sqrt((branch + 1) / pairs**2 + (control + 1) / triples**2)
        return branch / pairs - control / triples + _Z * spread
    b, c = counts.branch_only * factor, counts.control_only * factor
    return (b - c + _Z * math.sqrt(b + c + 1)) / triples


def _needs(counts: Counts, hypotheses: int, policy: Policy) -> int:
    """Return about how many more pairs decide, if they go on as they did."""
    enough = math.log(hypotheses / policy.alpha)
    factor = 1.0
    while counts.pairs * factor < _FAR:
        factor *= 1.25
        if _evidence(counts, factor) >= enough or _most_excess(counts, factor) <= policy.tolerance:
            break
    return math.ceil(counts.pairs * (factor - 1))


def _without_control(counts: Counts, policy: Policy) -> Judgement:
    short = max(policy.min_pairs - counts.pairs, 0)
    if counts.varies or (counts.is_value and counts.formatted >= _NEARLY_ALL * counts.alone):
        return Judgement(verdict="undecided", needs=short) if short else Judgement(verdict="same")
    if counts.is_value:
        return Judgement(verdict="not comparable")
    if counts.alone >= _SIGHTINGS:
        return Judgement(verdict="different")
    rate = counts.alone / counts.pairs
    return Judgement(verdict="undecided", needs=math.ceil((_SIGHTINGS - counts.alone) / rate) if rate else short)
