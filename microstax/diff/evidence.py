"""How much the counts of a discrepancy speak against "the branch behaves like the baseline"."""

import math
from collections.abc import Sequence
from typing import Final

_LN2: Final = math.log(2)
_MANY: Final = 100_000
_TINY: Final = 1e-300
_CLOSE: Final = 1e-14


def log_evidence(b: int, c: int) -> float:
    """Return ln E for b triples in which the branch alone differs and c in which the control alone does.

    Under "branch behaves like baseline" either is as likely, b | b+c is Binomial(b+c, 1/2), and
    `E = 2^(b+c+1) * integral over theta in (1/2, 1) of theta^b (1-theta)^c`, the likelihood ratio of a uniform prior
    on (1/2, 1), is a non-negative martingale with mean 1: P(E ever reaches 1/a) <= a, however often one looks (Ville
    1939). The integral is B(b+1, c+1) * P(Beta(b+1, c+1) > 1/2). For c = 0, E = (2^(b+1) - 1) / (b + 1).
    """
    log_beta = math.lgamma(b + 1) + math.lgamma(c + 1) - math.lgamma(b + c + 2)
    return (b + c + 1) * _LN2 + log_beta + _log_upper_half(b, c)


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


def _log_upper_half(b: int, c: int) -> float:
    """Return ln P(Beta(b+1, c+1) > 1/2) = ln P(Binomial(b+c+1, 1/2) <= b)."""
    if b + c > _MANY:
        # The factor lies in (1/2, 1) wherever the evidence matters (b > c), so the normal approximation does.
        z = (b - c) / math.sqrt(b + c + 1)
        share = math.erfc(-z / math.sqrt(2)) / 2
        return math.log(max(share, _TINY))
    if c > b:
        return math.log(max(_incomplete_beta(c + 1, b + 1), _TINY))
    return math.log1p(-_incomplete_beta(b + 1, c + 1))


def _incomplete_beta(p: int, q: int) -> float:
    """Return P(Beta(p, q) < 1/2) for p >= q, by the continued fraction of DLMF 8.17.22 (modified Lentz)."""
    front = math.exp(math.lgamma(p + q) - math.lgamma(p) - math.lgamma(q) - (p + q) * _LN2) / p
    d = 1 / _away_from_zero(1 - (p + q) / (p + 1) / 2)
    fraction, upper = d, 1.0
    for m in range(1, 10_000):
        even = m * (q - m) / ((p + 2 * m - 1) * (p + 2 * m)) / 2
        odd = -(p + m) * (p + q + m) / ((p + 2 * m) * (p + 2 * m + 1)) / 2
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            upper = _away_from_zero(1 + term / upper)
            fraction *= d * upper
        if abs(d * upper - 1) < _CLOSE:
            break
    return min(front * fraction, 1.0)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
