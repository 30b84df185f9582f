"""Run a self-test on pairs from a file or from a baseline, with progress on stderr."""

from dataclasses import dataclass, replace

from microstax.cli.connection import Settings
from microstax.cli.selftest_stage import Wish, captured
from microstax.diff import Policy
from microstax.offline import pair_file
from microstax.selftest import SelfTest, Trial, self_test
from microstax.selftest.reading import findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How sure a finding must be; None is the default."""

    alpha: float | None
    tolerance: float | None

    def policy(self) -> Policy:
        """Return it as the report takes it."""
        policy = Policy()
        return replace(policy, alpha=self.alpha or policy.alpha, tolerance=self.tolerance or policy.tolerance)


def prove_file(settings: Settings, file: str, judging: Judging) -> SelfTest:
    """Test with exported pairs; raises InvalidFileError."""
    with pair_file(file) as (_, pairs):
        return self_test(list(pairs), policy=judging.policy(), tell=_teller(settings))


def prove_live(settings: Settings, wish: Wish, judging: Judging) -> SelfTest:
    """Test on a baseline; raises MicrostaxError. What the live report found beside the pairs' own counts as well."""
    with settings.client() as client:
        found = captured(settings, client, wish)
    result = self_test(found.pairs, policy=judging.policy(), tell=_teller(settings))
    false = {*result.false_findings, *findings(found.document)}
    return replace(result, false_findings=tuple(sorted(false)), verdict=found.document["verdict"])


def _teller(settings: Settings) -> "_Teller":
    return _Teller(settings)


@dataclass(slots=True)
class _Teller:
    """Says on a terminal which fault is being tried."""

    settings: Settings
    said: str = ""

    def __call__(self, trial: Trial) -> None:
        """Take note of a trial that ended."""
        if trial.fault != self.said:
            self.said = trial.fault
            self.settings.say(f"{trial.says}: {trial.verdict}")
