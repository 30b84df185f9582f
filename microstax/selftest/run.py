"""The self-test as a whole: what is found without a fault, then one fault after the other."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from microstax.diff import Policy
from microstax.model.record import StoredPair
from microstax.selftest.catalogue import FAULTS, Fault
from microstax.selftest.reading import findings
from microstax.selftest.result import SelfTest, Trial
from microstax.selftest.survey import Survey
from microstax.selftest.traffic import Traffic
from microstax.selftest.trials import Bench, absent, run_trial

RATES: Final = (1.0, 0.1, 0.01)
"""Shares of requests that a fault hits."""

Tell = Callable[[Trial], None]


def self_test(
    pairs: Iterable[StoredPair],
    *,
    policy: Policy | None = None,
    faults: Sequence[Fault] = FAULTS,
    rates: Sequence[float] = RATES,
    tell: Tell = lambda _: None,
) -> SelfTest:
    """Return what the report finds in unchanged pairs, and what it finds of each fault at each rate (0..1).

    `pairs` are of a baseline that was shadowed with itself. `tell` hears of every trial as it ends. Never raises for
    what the pairs hold.
    """
    chosen = policy or Policy()
    traffic = Traffic(pairs)
    document = traffic.report(traffic.clean, chosen)
    false = tuple(sorted(set(findings(document))))
    bench = Bench(traffic=traffic, policy=chosen, known=frozenset(false))
    trials = []
    for trial in _trials(bench, faults, rates):
        tell(trial)
        trials.append(trial)
    return SelfTest(
        pairs=traffic.total,
        not_compared=traffic.lost,
        verdict=document["verdict"],
        calibrated=document["calibrated"],
        false_findings=false,
        trials=tuple(trials),
    )


def _trials(bench: Bench, faults: Sequence[Fault], rates: Sequence[float]) -> Iterable[Trial]:
    survey = Survey(faults)
    for at, triples in bench.traffic.endpoints():
        for triple in triples:
            survey.add(at.endpoint, triple)
    for fault in faults:
        spot = survey.place_for(fault)
        for rate in rates[:1] if fault.only_always or spot is None else rates:
            yield absent(fault, rate) if spot is None else run_trial(bench, fault, spot, rate)
