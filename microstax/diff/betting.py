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
    logs = [weight + growth for weight, growth in _growths(excess, b=b, c=c, triples=triples, finest=finest)]
    most = max(logs)
    return most + math.log(sum([math.exp(log - most) for log in logs]))


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
        if middle >= 1:
            break  # nearly all of very many triples are b: no smaller double is left
        if log_evidence_below(middle, b=b, c=c, triples=triples, finest=finest) >= -math.log(alpha):
            high = middle
        else:
            low = middle
    return high


def times_until_below(excess: float, *, b: float, c: float, triples: float, finest: int, alpha: float) -> float:
    """Return about how many times the counts reject "E[X] >= excess" at `alpha`, inf if more of the same never does.

    It is when the best single stake does so, which the mean of all does a little earlier.
    """
    return min(
        (
            (-math.log(alpha) - weight) / growth
            for weight, growth in _growths(excess, b=b, c=c, triples=triples, finest=finest)
            if growth > 0
        ),
        default=math.inf,
    )


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


def _growths(excess: float, *, b: float, c: float, triples: float, finest: int) -> list[tuple[float, float]]:
    """Return ln of the weight of each stake and ln of what it has grown to; b takes the same of it at any excess."""
    most, calm = 1 / (1 - excess), triples - b - c
    log1p, grown = math.log1p, []
    for weight, share, kept in _stakes(finest)[1 if b else 0 :]:
        growth = calm * log1p(share * most * excess)
        if b:
            growth += b * kept
        if c:
            growth += c * log1p(share * most * (excess + 1))
        grown.append((weight, growth))
    return grown


@lru_cache(maxsize=64)
def _stakes(finest: int) -> tuple[tuple[float, float, float], ...]:
    """Return of each stake ln of its weight, its share of the largest stake, and ln of what one b leaves of it.

    The first is all-in; nothing is left of it.
    """
    shares = [2.0**-k for k in range(1, finest + 1)]
    return (math.log(1 / 2), 1.0, -math.inf), *((-math.log(2 * finest), s, math.log1p(-s)) for s in shares)
