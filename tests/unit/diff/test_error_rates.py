"""The simulation behind the error rates judges as the product does, and Diffy as it describes itself."""

import bench_verdicts
import diffy
import numpy as np
import pytest

from microstax.diff.evidence import e_bh, log_evidence
from microstax.diff.verdict import Counts, Policy, judge


def test_judging_many_at_once_is_judging_them_one_by_one() -> None:
    rng = np.random.default_rng(3)
    table = bench_verdicts.evidence_table(60)
    b, c = rng.integers(0, 20, (2, 30, 60))
    b[:4] += 15  # some of them drift
    family = rng.random((30, 60)) < 0.9
    many = bench_verdicts.e_bh_of_many(table[b, c], family, 0.05)
    for column in range(60):
        members = np.flatnonzero(family[:, column])
        evidences = [log_evidence(int(b[row, column]), int(c[row, column])) for row in members]
        assert many[members, column].tolist() == e_bh(evidences, 0.05)
        judged = judge([_counts(int(b[row, column]), int(c[row, column])) for row in members], Policy())
        assert many[members, column].tolist() == [judgement.verdict == "different" for judgement in judged]
    assert not many[~family].any()
    assert many.any()


def _counts(b: int, c: int) -> Counts:
    return Counts(pairs=400, triples=400, branch_only=b, control_only=c, both=0, alone=0)


@pytest.mark.parametrize("world", bench_verdicts.WORLDS, ids=lambda world: world.name)
def test_hardly_any_comparison_of_a_version_with_itself_shows_a_finding(world: bench_verdicts.World) -> None:
    ours, theirs = bench_verdicts.false_alarms(world, bench_verdicts.QUICK, seed=2)
    assert ours.last <= ours.ever <= bench_verdicts.ALPHA
    assert theirs.ever > 0.5


def test_drift_is_found_where_a_threshold_hides_it() -> None:
    rng = np.random.default_rng(4)
    ours, theirs = bench_verdicts.search(rng, drift=0.1, noise=0.3, size=bench_verdicts.QUICK)
    assert ours < 5_000
    assert theirs == np.inf


@pytest.mark.parametrize(
    ("raw", "noise", "requests", "reported"),
    [
        (151, 100, 1_000, True),
        (150, 100, 1_000, False),
        (100, 151, 1_000, False),
        (300, 0, 1_000_000, False),
        (301, 0, 1_000_000, True),
        (1_000, 1_000, 1_000, False),
        (0, 0, 1_000, False),
    ],
)
def test_diffy_reports_what_exceeds_both_of_its_thresholds(
    *, raw: int, noise: int, requests: int, reported: bool
) -> None:
    assert diffy.reports(np.array(raw), np.array(noise), np.array(requests)) == reported


def test_both_tables_are_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_verdicts, "QUICK", bench_verdicts.Size(3, 50, 1, 1_000))
    bench_verdicts.main(["--quick"])
    alarms, power, _ = capsys.readouterr().out.split("\n\n")
    assert len(alarms.splitlines()) == 2 + 2 * len(bench_verdicts.WORLDS)
    assert len(power.splitlines()) == 2 + len(bench_verdicts.DRIFTS)
    for table in (alarms, power):
        assert len({line.count("|") for line in table.splitlines()}) == 1
