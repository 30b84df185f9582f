"""What a verdict is made from, and what it is: the counts of one discrepancy, a policy, a judgement."""

from dataclasses import dataclass
from typing import Final

from microstax.model.report import Verdict

NEARLY_ALL: Final = 0.9
_LEAST_ALPHA: Final = 1e-12
_MOST_TOLERANCE: Final = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How sure a verdict must be.

    `alpha` bounds the share of false findings of a report. Below `min_pairs` an endpoint is not called same.
    `tolerance` is the excess rate over noise that does not matter (0..1); `shift_tolerance` is how much more often a
    number may move one way than the other where it moves anyway (0..1). `latency_tolerance` is the relative change of
    a latency that does not matter, and `latency_floor_ms` the absolute one.
    """

    alpha: float = 0.05
    min_pairs: int = 100
    tolerance: float = 0.01
    latency_tolerance: float = 0.10
    latency_floor_ms: float = 1.0
    shift_tolerance: float = 0.10

    @classmethod
    def asked(cls, *, min_pairs: int = 0, alpha: float = 0.0, tolerance: float = 0.0) -> "Policy":
        """Return the policy with what somebody asked for; 0 asks for the default."""
        given = {"min_pairs": min_pairs, "alpha": alpha, "tolerance": tolerance}
        return cls(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]  # as above

    @property
    def error(self) -> float:
        """Return alpha as logarithms take it; of an alpha that is no number, the least."""
        return min(max(_LEAST_ALPHA, self.alpha), 1.0)

    def excess(self, *, two_sided: bool = False) -> float:
        """Return the excess rate that does not matter, as it can be tested: a rate of 1 is all there is."""
        return min(max(0.0, self.shift_tolerance if two_sided else self.tolerance), _MOST_TOLERANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is known about one discrepancy (see Tally), in an endpoint with `pairs` of which `triples` have a control.

    `calibrated`: the service has a control; where it has none, `reversed` is how often the opposite was seen (something
    extra where this is about what is missing): of noise, either is seen alike. `is_value`: it is about what a value, a
    header or an order says, not about whether something is there. `contexts` is how many distinct inputs the endpoint
    had, `hottest` holds (branch_only + alone, control_only) of the inputs that showed it most often. `two_sided`:
    `branch_only` and `control_only` are two directions, and drift is an excess of either.
    """

    pairs: int
    triples: int
    branch_only: int
    control_only: int
    both: int
    alone: int
    formatted: int = 0
    reversed: int = 0
    varies: bool = False
    is_value: bool = False
    calibrated: bool = True
    contexts: int = 0
    hottest: tuple[tuple[int, int], ...] = ()
    two_sided: bool = False

    @property
    def is_sampled(self) -> bool:
        """Tell whether a good share of the pairs has no control (`--control self`), and not just one that failed.

        Of two directions it does not matter: only triples have one.
        """
        return not self.two_sided and 0 < self.triples < NEARLY_ALL * self.pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on.

    `needs` estimates how many more pairs of the endpoint decide, where it is undecided; None where more of the same
    would not. `log_evidence` is ln E as it decides, with the hottest input cut down; None where nothing measured the
    noise. `excess` is the excess rate of the branch over the noise (of one direction over the other, where
    `two_sided`), `excess_high` the upper end of its anytime-valid interval. `one_input`: nearly all of the evidence
    comes from a single input, which does not decide alone.
    """

    verdict: Verdict
    needs: int | None = None
    log_evidence: float | None = None
    excess: float | None = None
    excess_high: float | None = None
    one_input: bool = False
