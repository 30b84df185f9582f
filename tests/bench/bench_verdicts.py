"""How often verdicts err, and how soon they find drift: a seeded simulation, ours beside Diffy's rule on the same data.

`make bench-verdicts` prints both tables of ARCHITECTURE.md. A field's noise rate q is the chance that an answer of the
unchanged version differs in it from the baseline's; branch and control each draw anew. Drift at a rate d makes the
branch's answer differ besides. Evidence is the product's, by a table over (b, c) or called directly.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import diffy
import numpy as np
from numpy.typing import NDArray

from microstax.diff.evidence import log_evidence
from microstax.diff.verdict import Policy

FIELDS: Final = 200
EVERY: Final = 10
SEED: Final = 20_240_601
ALPHA: Final = Policy().alpha
DRIFTS: Final = (0.001, 0.01, 0.1, 1.0)
NOISES: Final = (0.0, 0.01, 0.3, 1.0)
_STEP: Final = 1.03
"""After the first 50 readings the next one is so many times the requests of the last."""

Numbers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated: comparisons of `requests` each; `repeats` searches of at most `horizon` requests."""

    comparisons: int
    requests: int
    repeats: int
    horizon: int


FULL: Final = Size(10_000, 500, 201, 10**8)
QUICK: Final = Size(40, 100, 5, 20_000)


@dataclass(frozen=True, slots=True)
class World:
    """Noise of the fields of an unchanged version: rates from 0 to `most`; each `together` fields differ as one."""

    name: str
    most: float = 1.0
    together: int = 1


WORLDS: Final = (
    World("noise rates 0 to 1, each field by itself"),
    World("noise rates 0 to 1, groups of 20 fields differ together", together=20),
    World("noise rates 0 to 0.02, each field by itself", most=0.02),
)


@dataclass(frozen=True, slots=True)
class Alarms:
    """Of comparisons of a version with itself: with any false finding at any reading, and at the last; of fields."""

    ever: float
    last: float
    fields: float


def evidence_table(requests: int) -> NDArray[np.float64]:
    """Return the product's ln E of all b and c with b + c <= requests."""
    table = np.full((requests + 1, requests + 1), -np.inf)
    for b in range(requests + 1):
        for c in range(requests + 1 - b):
            table[b, c] = log_evidence(b, c)
    return table


def e_bh_of_many(log_evidences: NDArray[np.float64], family: Bools, alpha: float) -> Bools:
    """Return the product's e_bh along the first axis, over those that `family` says belong to it."""
    total = family.sum(axis=0)
    ordered = -np.sort(-np.where(family, log_evidences, -np.inf), axis=0)
    ranks = np.arange(1, len(ordered) + 1).reshape(-1, *[1] * (ordered.ndim - 1))
    with np.errstate(divide="ignore"):
        passed = (ordered >= np.log(np.maximum(total, 1) / (ranks * alpha))) & (ranks <= total)
    least = np.where(passed, ordered, np.inf).min(axis=0)
    return family & (log_evidences >= least)


def compare_with_itself(rng: np.random.Generator, world: World, requests: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return b, c and both of (field, reading)."""
    causes = FIELDS // world.together
    rates = np.linspace(0, world.most, causes).reshape(-1, 1)
    branch, control = (rng.random((causes, requests), dtype=np.float32) < rates for _ in range(2))
    return tuple(  # type: ignore[return-value]  # of three
        np.repeat(seen.reshape(causes, -1, EVERY).sum(axis=2).cumsum(axis=1), world.together, axis=0)
        for seen in (branch & ~control, control & ~branch, branch & control)
    )


def false_alarms(world: World, size: Size, seed: int = SEED) -> tuple[Alarms, Alarms]:
    """Return how often a version is found to differ from itself, by ours and by Diffy's rule."""
    rng, table = np.random.default_rng(seed), _table(size.requests)
    read = np.arange(EVERY, size.requests + 1, EVERY)
    counted = np.zeros((2, 3))
    for _ in range(size.comparisons):
        b, c, both = compare_with_itself(rng, world, size.requests)
        ours = e_bh_of_many(table[b, c], b + c + both > 0, ALPHA)
        for at, found in enumerate((ours, diffy.reports(b + both, c + both, read))):
            counted[at] += found.any(), found[:, -1].any(), found.any(axis=1).mean()
    ours_counted, diffy_counted = counted / size.comparisons
    return Alarms(*ours_counted), Alarms(*diffy_counted)


def search(rng: np.random.Generator, drift: float, noise: float, size: Size) -> tuple[float, float]:
    """Return the median number of requests until drift is reported for good, by ours and by Diffy's rule.

    For good: at that reading and at all later ones up to the horizon. inf where it is not within the horizon.
    """
    read = readings(size.horizon)
    until = np.array([_search_once(rng, drift, noise, read) for _ in range(size.repeats)])
    ours, theirs = np.median(until, axis=0)
    return float(ours), float(theirs)


def _search_once(rng: np.random.Generator, drift: float, noise: float, read: Numbers) -> tuple[float, float]:
    changed = 1 - (1 - noise) * (1 - drift)
    chances = [changed * (1 - noise), noise * (1 - changed), changed * noise, (1 - changed) * (1 - noise)]
    b, c, both, _ = rng.multinomial(np.diff(read, prepend=0), chances).cumsum(axis=0).T
    theirs = diffy.reports(b + both, c + both, read)
    hypotheses = FIELDS
    if noise == 1:
        # Values always differ, so b = c = 0 of them, and what is tested beside them is the signature: a change of it
        # hits the share `drift` of the branch's answers and none of the control's.
        hypotheses, b = FIELDS + 1, rng.binomial(np.diff(read, prepend=0), drift).cumsum()
    enough = math.log(hypotheses / ALPHA)
    ours = np.array([log_evidence(int(one), int(other)) >= enough for one, other in zip(b, c, strict=True)])
    return _for_good(ours, read), _for_good(theirs, read)


def _for_good(reported: Bools, read: Numbers) -> float:
    """Return the first reading from which on all are true."""
    missed = np.flatnonzero(~reported)
    first = missed[-1] + 1 if len(missed) else 0
    return float(read[first]) if first < len(read) else math.inf


def readings(horizon: int) -> Numbers:
    """Return after how many requests a report is read: after every 10 of 500, then in geometric steps."""
    read = list(range(EVERY, min(500, horizon) + 1, EVERY))
    while read[-1] < horizon:
        read.append(min(math.ceil(read[-1] * _STEP), horizon))
    return np.array(read)


@cache
def _table(requests: int) -> NDArray[np.float64]:
    return evidence_table(requests)


def alarm_rows(size: Size) -> Iterator[str]:
    """Yield the Markdown table of false findings."""
    what = f"{size.comparisons:,} comparisons of a version with itself, {FIELDS} fields, {size.requests} requests"
    yield f"| {what} | rule | a finding at any reading | at the last one | fields ever found |"
    yield "|---|---|---:|---:|---:|"
    for world in WORLDS:
        for who, alarms in zip(("microstax", "Diffy"), false_alarms(world, size), strict=True):
            yield f"| {world.name} | {who} | {alarms.ever:.2%} | {alarms.last:.2%} | {alarms.fields:.3%} |"


def power_rows(size: Size) -> Iterator[str]:
    """Yield the Markdown table of requests until drift is found."""
    rng = np.random.default_rng(SEED)
    heads = " | ".join(f"noise {noise:.0%}: microstax | Diffy" for noise in NOISES)
    yield f"| drift hits | {heads} |"
    yield f"|---|{'---:|' * 2 * len(NOISES)}"
    for drift in DRIFTS:
        cells = [_requests(until) for noise in NOISES for until in search(rng, drift, noise, size)]
        yield f"| {drift:.1%} | {' | '.join(cells)} |"


def _requests(until: float) -> str:
    if math.isinf(until):
        return "never"
    digits = 10 ** max(len(str(int(until))) - 2, 0)
    return f"{round(until / digits) * digits:,}"


def run() -> Iterator[tuple[str, str, str]]:
    """Yield the rows for `make bench`: a smaller simulation than `make bench-verdicts`."""
    ours, theirs = false_alarms(WORLDS[0], Size(500, 500, 1, 1))
    what = "comparisons of a version with itself that show any false finding"
    yield what, f"{ours.ever:.1%} (Diffy's rule {theirs.ever:.0%})", f"<= {ALPHA:.0%}"


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="simulate little, to see that it works")
    size = QUICK if parser.parse_args(arguments).quick else FULL
    for rows in (alarm_rows(size), power_rows(size)):
        for row in rows:
            print(row, flush=True)
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
