"""Intervals that hold at all times: for a rate, and for the ranks between which a quantile lies.

A fixed-sample interval errs with its stated chance if it is read once. These are confidence sequences: the chance that
they are ever wrong, however often and whenever one looks, is at most alpha (Robbins 1970, Ann. Math. Statist. 41;
Howard, Ramdas, McAuliffe and Sekhon 2021, Ann. Statist. 49, "Time-uniform, nonparametric, nonasymptotic confidence
sequences"). They invert a martingale: over k hits of n, the likelihood ratio of a Beta prior against the rate p,
`M = integral of theta^k (1-theta)^(n-k) dBeta(theta) / (p^k (1-p)^(n-k))`, has mean 1 if p is true, and so exceeds
1/alpha ever with chance alpha at most (Ville 1939). All is computed in logarithms and as a divergence from p, which
keeps what cancels: 10^9 counts are as good as 10.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_RATE_PRIOR: Final = (0.5, 0.5)
"""Jeffreys's: of all Beta priors it costs least where nothing is known of the rate."""
_RANK_WEIGHT: Final = 100.0
"""How many values the prior around a quantile's share weighs: narrow intervals from some hundred values to 10^6."""
_LEAST_ALPHA: Final = 1e-300
_HALVINGS: Final = 100
_EXACT_BELOW: Final = 16.0
_LOG_ROOT_2PI: Final = math.log(2 * math.pi) / 2


@lru_cache(maxsize=4096)
def rate_bounds(hits: int, total: int, alpha: float) -> tuple[float, float]:
    """Return between which rates (0..1) that of `hits` among `total` lies at all times, with confidence 1 - `alpha`.

    Each side has half of the error. Half of the stake of the upper bound is on a rate of 0 (of the lower one on 1), so
    that no hit in n gives at most `ln(4 / alpha) / n`. Without any value it is (0, 1).
    """
    total = max(total, 0)
    hits = min(max(hits, 0), total)
    enough = math.log(2 / _error(alpha))
    share = hits / total if total else 0.5

    def is_out(p: float, *, extreme: bool) -> bool:
        return _log_rate_evidence(hits, total - hits, p, extreme=extreme) >= enough

    low = _boundary(lambda p: is_out(p, extreme=hits == total), inside=share, outside=0.0) if hits else 0.0
    high = _boundary(lambda p: is_out(p, extreme=not hits), inside=share, outside=1.0) if hits < total else 1.0
    return low, high


@lru_cache(maxsize=4096)
def rank_bounds(total: int, share: float, alpha: float) -> tuple[int, int] | None:
    """Return the 0-based ranks of the values between which the quantile `share` lies at all times.

    With confidence 1 - `alpha`, however often one looks, as `total` grows. The number of values up to a quantile is
    Binomial(total, share): the numbers that the martingale does not exclude are an interval, since its logarithm is
    convex in them. k of them means that the value of rank k - 1 is not above the quantile, and that of rank k not below
    it, whether values repeat or not. None where there are too few values: one of the ends would lie beyond all of them.
    """
    if total <= 0 or not 0 < share < 1:
        return None
    enough = -math.log(_error(alpha))
    prior = (_RANK_WEIGHT * share, _RANK_WEIGHT * (1 - share))

    def is_out(k: int) -> bool:
        return _log_evidence(k, total - k, share, prior=prior) >= enough

    if not (is_out(0) and is_out(total)):
        return None
    middle = round(share * total)
    return _last_inside(is_out, inside=middle, outside=0) - 1, _last_inside(is_out, inside=middle, outside=total)


def _error(alpha: float) -> float:
    """Return alpha as logarithms take it: at most 1/2, so that the point estimate is inside; of a NaN, the least."""
    return min(max(_LEAST_ALPHA, alpha), 0.5)


def _log_rate_evidence(hits: int, misses: int, p: float, *, extreme: bool) -> float:
    """Return ln of the mixture's ratio against the rate p; `extreme`: all values are alike, as the atom said."""
    if not 0 < p < 1:
        return math.inf
    smooth = _log_evidence(hits, misses, p, prior=_RATE_PRIOR)
    if not extreme:
        return smooth - math.log(2)
    atom = -hits * math.log(p) - misses * math.log1p(-p)
    most = max(smooth, atom)
    return most + math.log((math.exp(smooth - most) + math.exp(atom - most)) / 2)


def _log_evidence(k: int, m: int, p: float, *, prior: tuple[float, float]) -> float:
    """Return ln M of k hits and m misses against the rate p: ln (B(a + k, b + m) / (B(a, b) p^k (1-p)^m)).

    With s = a + k, t = b + m and u = s + t, Stirling's formula makes of it u times the divergence of s/u from p and
    terms that stay small.
    """
    a, b = prior
    s, t = a + k, b + m
    u = s + t
    divergence = s * math.log(s / u / p) + t * math.log(t / u / (1 - p))
    ahead = _LOG_ROOT_2PI - math.log(s / u * t) / 2 + _stirling(s) + _stirling(t) - _stirling(u)
    return divergence + ahead + a * math.log(p) + b * math.log1p(-p) - _log_beta(a, b)


@lru_cache(maxsize=64)
def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _stirling(x: float) -> float:
    """Return ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2), which is near 1 / (12 x)."""
    if x < _EXACT_BELOW:
        return math.lgamma(x) - ((x - 0.5) * math.log(x) - x + _LOG_ROOT_2PI)
    return (1 / 12 - (1 / 360 - 1 / (1260 * x * x)) / (x * x)) / x


def _boundary(is_out: Callable[[float], bool], *, inside: float, outside: float) -> float:
    """Return the end of an interval that reaches from `inside` towards `outside`, rounded outwards."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            break
        inside, outside = (inside, middle) if is_out(middle) else (middle, outside)
    return outside


def _last_inside(is_out: Callable[[int], bool], *, inside: int, outside: int) -> int:
    """Return the last number from `inside` towards `outside`, which is out, that is not."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (inside, middle) if is_out(middle) else (middle, outside)
    return inside
