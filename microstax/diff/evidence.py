"""How much the counts of a discrepancy speak against "the branch behaves like the baseline"."""

import math
from collections.abc import Sequence
from typing import Final

_MANY: Final = 100_000
_TINY: Final = 1e-300
_CLOSE: Final = 1e-14


def log_evidence(b: int, c: int, chance: float = 0.5) -> float:
    """Return ln E for b events on the branch's side and c on the control's, which `chance` gives the branch's side.

    Under "branch behaves like baseline", b | b+c is Binomial(b+c, chance); for triples, in which the branch alone or
    the control alone differs, the chance is 1/2. With p for the chance,
    `E = integral over theta in (p, 1) of theta^b (1-theta)^c / ((1-p) p^b (1-p)^c)`, the likelihood ratio of a uniform
    prior on (p, 1), is a non-negative martingale with mean 1: P(E ever reaches 1/a) <= a, however often one looks
    (Ville 1939). For p = 1/2 it is 2^(b+c+1) times the integral, and for c = 0 then (2^(b+1) - 1) / (b + 1). The
    integral is B(b+1, c+1) * P(Beta(b+1, c+1) > p).
    """
    log_beta = math.lgamma(b + 1) + math.lgamma(c + 1) - math.lgamma(b + c + 2)
    null = b * math.log(chance) + (c + 1) * math.log1p(-chance)
    return log_beta + _log_above(b + 1, c + 1, chance) - null


def log_mean(first: float, second: float) -> float:
    """Return ln of the mean of two evidences, given as logarithms: evidence again, however they depend."""
    most = max(first, second)
    return most + math.log((math.exp(first - most) + math.exp(second - most)) / 2)


def e_bh(log_evidences: Sequence[float], alpha: float) -> list[bool]:
    """Return which of the hypotheses are rejected at a false discovery rate of `alpha`, by e-BH.

    Sorted by E, the largest k with E_(k) >= K / (k alpha): valid under any dependence (Wang and Ramdas 2022, arXiv
    2009.02824).
    """
    total = len(log_evidences)
    ordered = sorted(range(total), key=lambda at: -log_evidences[at])
    rejected = [False] * total
    passed = [k for k, at in enumerate(ordered, 1) if log_evidences[at] >= math.log(total / (k * alpha))]
    for at in ordered[: max(passed, default=0)]:
        rejected[at] = True
    return rejected


def _log_above(p: int, q: int, x: float) -> float:
    """Return ln P(Beta(p, q) > x)."""
    if p + q > _MANY:
        # Where the evidence matters this factor is near 1, so the normal approximation does.
        mean = p / (p + q)
        z = (mean - x) / math.sqrt(mean * (1 - mean) / (p + q + 1))
        return math.log(max(math.erfc(-z / math.sqrt(2)) / 2, _TINY))
    if x < (p + 1) / (p + q + 2):
        return math.log1p(-_incomplete_beta(p, q, x))
    return math.log(max(_incomplete_beta(q, p, 1 - x), _TINY))


def _incomplete_beta(p: int, q: int, x: float) -> float:
    """Return P(Beta(p, q) < x) for x < (p+1)/(p+q+2), by the continued fraction of DLMF 8.17.22 (modified Lentz)."""
    log_beta = math.lgamma(p) + math.lgamma(q) - math.lgamma(p + q)
    front = math.exp(p * math.log(x) + q * math.log1p(-x) - log_beta) / p
    d = 1 / _away_from_zero(1 - (p + q) * x / (p + 1))
    fraction, upper = d, 1.0
    for m in range(1, 10_000):
        even = m * (q - m) * x / ((p + 2 * m - 1) * (p + 2 * m))
        odd = -(p + m) * (p + q + m) * x / ((p + 2 * m) * (p + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            upper = _away_from_zero(1 + term / upper)
            fraction *= d * upper
        if abs(d * upper - 1) < _CLOSE:
            break
    return min(front * fraction, 1 - _CLOSE)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
