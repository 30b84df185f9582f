"""How much the counts of a discrepancy speak against "the branch behaves like the baseline"."""

from collections.abc import Iterator, Sequence
from math import cos, exp, log, log1p, pi, sqrt
from typing import Final

_POINTS: Final = 48
_DROP: Final = 40.0
"""The integrand is left out where it is below exp(-40) of its peak: of E, that is less than double precision holds."""


def log_evidence(b: float, c: float, chance: float = 0.5) -> float:
    """Return ln E for b events on the branch's side and c on the control's, which `chance` gives the branch's side.

    Under "branch behaves like baseline", b | b+c is Binomial(b+c, chance); for triples, in which the branch alone or
    the control alone differs, the chance is 1/2. With p for the chance,
    `E = integral over theta in (p, 1) of theta^b (1-theta)^c / ((1-p) p^b (1-p)^c)`, the likelihood ratio of a uniform
    prior on (p, 1), is a non-negative martingale with mean 1: P(E ever reaches 1/a) <= a, however often one looks
    (Ville 1939). For p = 1/2 it is 2^(b+c+1) times the integral, and for c = 0 then (2^(b+1) - 1) / (b + 1), as
    (1 - p^(b+1)) / ((1-p) p^b (b+1)) for any p.

    The integrand has one peak, and all of it is positive, so that Gauss's rule on where it is not negligible gives E
    to about 12 digits on either side of the peak and for any counts: 10^9 take as long as 10.
    """
    if b + c <= 0:
        return 0.0
    rest = 1 - chance
    if not c:
        return log1p(-(chance ** (b + 1))) - b * log(chance) - log(rest * (b + 1))
    peak = max((b * rest - c * chance) / (b + c), 0.0)
    low, high = _where_it_matters(b, c, chance, peak)
    half, middle = (high - low) / 2, (high + low) / 2
    # log1p of how far theta is from p keeps what cancels where b and c are large.
    top = b * log1p(peak / chance) + c * log1p(-peak / rest)
    total = 0.0
    for node, weight in _GAUSS_LEGENDRE:
        x = middle + half * node
        total += weight * exp(b * log1p(x / chance) + c * log1p(-x / rest) - top)
    return top + log(total * half / rest)


def log_mean(first: float, second: float) -> float:
    """Return ln of the mean of two evidences, given as logarithms: evidence again, however they depend."""
    most = max(first, second)
    return most + log((exp(first - most) + exp(second - most)) / 2)


def e_bh(log_evidences: Sequence[float], alpha: float) -> list[bool]:
    """Return which of the hypotheses are rejected at a false discovery rate of `alpha`, by e-BH.

    Sorted by E, the largest k with E_(k) >= K / (k alpha): valid under any dependence (Wang and Ramdas 2022, arXiv
    2009.02824).
    """
    total = len(log_evidences)
    ordered = sorted(range(total), key=lambda at: -log_evidences[at])
    rejected = [False] * total
    passed = [k for k, at in enumerate(ordered, 1) if log_evidences[at] >= log(total / (k * alpha))]
    for at in ordered[: max(passed, default=0)]:
        rejected[at] = True
    return rejected


def _where_it_matters(b: float, c: float, chance: float, peak: float) -> tuple[float, float]:
    """Return the ends of x, outside of which the integrand is below exp(-_DROP) of its peak.

    Around a peak inside, the logarithm falls as n KL(theta*, theta) >= n d^2 / (2 (v + d)) at a distance d, v being
    theta* (1 - theta*). From a peak at the lower end it falls by its slope there, and by at least n d^2 / 2.
    """
    n, most = b + c, 1 - chance
    share = _DROP / n
    if peak > 0:
        v = (chance + peak) * (most - peak)
        far = share + sqrt(share * share + 2 * share * v)
        return max(peak - far, 0.0), min(peak + far, most)
    slope = c / most - b / chance
    far = sqrt(2 * share)
    return 0.0, min(far if slope <= 0 else min(far, _DROP / slope), most)


def _gauss_legendre(points: int) -> Iterator[tuple[float, float]]:
    """Yield the nodes in (-1, 1) and weights of Gauss's rule: roots of the Legendre polynomial, by Newton's method."""
    for at in range(points):
        x = cos(pi * (at + 0.75) / (points + 0.5))
        for _ in range(6):
            before, value = 1.0, x
            for k in range(2, points + 1):
                before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
            slope = points * (x * value - before) / (x * x - 1)
            x -= value / slope
        yield x, 2 / ((1 - x * x) * slope * slope)


_GAUSS_LEGENDRE: Final = tuple(_gauss_legendre(_POINTS))
