"""Whether an excess is surely small: tests by betting, which may be read at any time and need sums only.

A triple is X = +1 if the branch alone shows a discrepancy, -1 if the control alone does, else 0; the excess is E[X].
"""

import math
from functools import lru_cache
from typing import Final

MOST_PAIRS: Final = 10_000_000
"""Further away than this nothing is estimated."""
_STEPS: Final = 24


def log_evidence_below(excess: float, *, b: float, c: float, triples: float, finest: int) -> float:
    """Return ln E of b events on the branch's side and c on the control's among `triples` against "E[X] >= excess".

    A bettor who stakes the share lambda on X < excess has `product of (1 + lambda (excess - X))` times the stake, which
    is not expected to grow if E[X] >= excess, so it exceeds 1/a ever with chance a at most (Waudby-Smith and Ramdas
    2024, "Estimating means of bounded random variables by betting", JRSS B 86). The mean over several lambda, each
    2^-k / (1 - excess) for k = 0 to `finest`, is such a test too. Half of the stake is all-in, k = 0, which is lost
    with the first b and needs the fewest triples where there is none; small lambda suit many events that cancel. It
    grows with `excess`. Counts may be fractions.
    """
    logs = [weight + _log_growth(k, excess, b=b, c=c, triples=triples) for k, weight in _stakes(finest)]
    most = max(logs)
    return most + math.log(math.fsum(math.exp(log - most) for log in logs))


def finest_stake(tolerance: float) -> int:
    """Return up to which k stakes make sense: lambda near `tolerance`, the best where every triple has an event."""
    return min(max(math.ceil(-math.log2(max(tolerance, 1e-6))), 1), 20)


@lru_cache(maxsize=4096)
def excess_below(*, b: float, c: float, triples: float, finest: int, alpha: float) -> float:
    """Return the upper end of the anytime-valid interval of E[X]: the smallest excess that is rejected at `alpha`."""
    if triples <= max(b, 0):
        return 1.0
    low, high = (b - c) / triples, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if log_evidence_below(middle, b=b, c=c, triples=triples, finest=finest) >= -math.log(alpha):
            high = middle
        else:
            low = middle
    return high


def times_until_below(excess: float, *, b: float, c: float, triples: float, finest: int, alpha: float) -> float:
    """Return about how many times the counts reject "E[X] >= excess" at `alpha`, inf if more of the same never does.

    It is when the best single stake does so, which the mean of all does a little earlier.
    """
    times = math.inf
    for k, weight in _stakes(finest):
        growth = _log_growth(k, excess, b=b, c=c, triples=triples)
        if growth > 0:
            times = min(times, (-math.log(alpha) - weight) / growth)
    return times


@lru_cache(maxsize=64)
def clean_triples(excess: float, *, finest: int, alpha: float) -> int:
    """Return how many triples without any event reject "E[X] >= excess" at `alpha`; MOST_PAIRS if none do."""
    low, high = 0, MOST_PAIRS
    while high - low > 1:
        middle = (low + high) // 2
        if log_evidence_below(excess, b=0, c=0, triples=middle, finest=finest) >= -math.log(alpha):
            high = middle
        else:
            low = middle
    return high


def _log_growth(k: int, excess: float, *, b: float, c: float, triples: float) -> float:
    """Return ln of what the stake 2^-k / (1 - excess) has become; with it, b loses the share 2^-k whatever `excess`."""
    if b and not k:
        return -math.inf
    stake = 2.0**-k / (1 - excess)
    growth = b * math.log1p(-(2.0**-k)) if b else 0.0
    return growth + c * math.log1p(stake * (excess + 1)) + (triples - b - c) * math.log1p(stake * excess)


@lru_cache(maxsize=64)
def _stakes(finest: int) -> tuple[tuple[int, float], ...]:
    """Return each k with ln of its weight."""
    return (0, math.log(1 / 2)), *((k, -math.log(2 * finest)) for k in range(1, finest + 1))
