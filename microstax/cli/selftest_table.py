"""A self-test's result as text, at most 80 columns wide."""

from collections.abc import Iterator
from typing import Final

from microstax.cli.listing import aligned
from microstax.report.text import visible
from microstax.selftest import SelfTest, Trial, TrialVerdict

_HEADERS: Final = ("FAULT", "RATE", "HIT", "AFTER", "VERDICT")


def lines(result: SelfTest) -> Iterator[str]:
    """Yield the lines: what was found without a fault, the table of faults, what went wrong, and the share."""
    yield from _unchanged(result)
    yield ""
    tried = [trial for trial in result.trials if trial.spot is not None]
    if tried:
        yield from aligned([list(_HEADERS), *_rows(tried)])
        yield ""
        yield "HIT: requests of the endpoint that had the fault. AFTER: how many it took to find it."
        yield ""
    for trial in tried:
        yield from _problems(trial)
    yield from _nowhere(result)
    yield _share(result)


def _unchanged(result: SelfTest) -> Iterator[str]:
    pairs = f"{result.pairs:,} pair{'' if result.pairs == 1 else 's'}"
    yield f"Without a fault: {result.verdict}, {pairs}, {_count(len(result.false_findings), 'false finding')}."
    for finding in result.false_findings:
        pair = f" (pair {finding.pair})" if finding.pair else ""
        yield f"  false: {visible(str(finding))}{pair}"
    if not result.calibrated:
        yield "No control measured the noise: differences of values cannot be judged (--control copy or self)."


def _rows(tried: list[Trial]) -> Iterator[list[str]]:
    before = ""
    for trial in tried:
        name = "" if trial.fault == before else trial.says
        before = trial.fault
        after = "" if trial.found_after is None else f"{trial.found_after:,}"
        yield [name, f"{trial.rate:.0%}", f"{trial.hits:,}/{trial.requests:,}", after, _verdict(trial)]


def _verdict(trial: Trial) -> str:
    if trial.verdict is not TrialVerdict.UNDECIDED:
        return trial.verdict.value
    return f"undecided, {trial.needs:,} more" if trial.needs else "undecided"


def _problems(trial: Trial) -> Iterator[str]:
    where = visible(f"{trial.says} in {trial.rate:.0%} of {trial.spot}")
    if trial.verdict is TrialVerdict.MISSED:
        yield f"Missed: {where}"
    for other in trial.others:
        yield f"Not a fault that was put in: {visible(str(other))}, with {where}"


def _nowhere(result: SelfTest) -> Iterator[str]:
    absent = dict.fromkeys(trial.says for trial in result.trials if trial.spot is None)
    if absent:
        yield f"Nothing in this traffic has a place for: {', '.join(absent)}."


def _share(result: SelfTest) -> str:
    found = result.decided - result.count(TrialVerdict.MISSED)
    open_ = result.count(TrialVerdict.UNDECIDED)
    waiting = f"; {open_} need more traffic" if open_ else ""
    if result.share is None:
        return f"This traffic decides nothing{waiting}: send more, and wait longer with --wait."
    return f"Detected {found} of {result.decided} faults that this traffic can decide ({result.share:.1%}){waiting}."


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
