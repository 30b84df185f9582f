"""Fuzz the targets one after the other, and print what that took and reached: `python fuzz.py --runs N [--target T]`.

An input that breaks a promise is kept in .fuzz/TARGET/, and how to make a case of it is printed. The corpus of a target
grows in .fuzz/TARGET/corpus from run to run; the one in the repository is what it begins with.
"""

import argparse
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hostile.target import NAMES

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
WORK: Final = ROOT / ".fuzz"
INPUT_S: Final = 20
"""A single input may take so long, on a busy machine; the longest are far below."""
MEMORY_MB: Final = 1024
_REACHED: Final = re.compile(r"#(\d+)\s+(INITED|DONE|pulse|NEW|REDUCE|RELOAD)\s+cov: (\d+) ft: (\d+)")
_STAT: Final = re.compile(r"stat::(\w+):\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of one target came to. `before` and `after` are edges of the code; `broken` is the input's file."""

    target: str
    inputs: int
    seconds: float
    peak_mb: int
    before: int
    after: int
    slowest_s: int
    broken: str | None


def fuzz(target: str, runs: int) -> Outcome:
    """Run one target in a process of its own, and copy what it says to stderr."""
    work = WORK / target
    corpus = work / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    folders = [corpus, *(path for kind in ("corpus", "regressions") if (path := HERE / kind / target).is_dir())]
    command = [
        sys.executable, str(HERE / "one_target.py"), target, str(work), f"-runs={runs}", f"-timeout={INPUT_S}",
        f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1", f"-artifact_prefix={work}/", *map(str, reversed(folders)),
    ]  # fmt: skip
    # libFuzzer writes what it finds into the first folder that it is given.
    command[-len(folders) :] = map(str, folders)
    began, said = time.monotonic(), []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", cwd=HERE) as process:
        for line in process.stderr or ():
            said.append(line)
            sys.stderr.write(line)
    return _outcome(target, "".join(said[-4000:]), "".join(said), time.monotonic() - began, process.returncode, work)


def _outcome(target: str, tail: str, said: str, seconds: float, code: int, work: Path) -> Outcome:
    reached = _REACHED.findall(said)
    stats = {name: int(value) for name, value in _STAT.findall(tail)}
    before = next((int(edges) for _, kind, edges, _ in reached if kind == "INITED"), 0)
    broken = None
    if code:
        written = re.search(r"Test unit written to (\S+)", tail)
        broken = written[1] if written else f"see the output (exit code {code})"
    return Outcome(
        target=target,
        inputs=stats.get("number_of_executed_units", int(reached[-1][0]) if reached else 0),
        seconds=seconds,
        peak_mb=stats.get("peak_rss_mb", 0),
        before=before,
        after=max((int(edges) for _, _, edges, _ in reached), default=0),
        slowest_s=stats.get("slowest_unit_time_sec", 0),
        broken=broken,
    )


def main() -> int:
    """Run what is asked for; return 1 if any promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each target")
    parser.add_argument("--target", choices=NAMES, action="append", help="only this one; may be given again")
    asked = parser.parse_args()
    outcomes = []
    for target in asked.target or NAMES:
        outcomes.append(fuzz(target, asked.runs))
        print(_row(outcomes[-1]), flush=True)
    print(f"\n| {'target':<10} |    inputs | inputs/s | peak MiB | slowest | edges, seeds only | edges |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(map(_row, outcomes)))
    broken = [one for one in outcomes if one.broken]
    for one in broken:
        print(
            f"{one.target}: a promise is broken by {one.broken}. Make a case of it: copy the file to "
            f"tests/fuzz/regressions/{one.target}/ under a name that says what it is, and mend the product."
        )
    return 1 if broken else 0


def _row(one: Outcome) -> str:
    rate = one.inputs / max(one.seconds, 0.001)
    slowest = f"{one.slowest_s} s" if one.slowest_s else "< 1 s"
    return (
        f"| {one.target:<10} | {one.inputs:>9,} | {rate:>8,.0f} | {one.peak_mb:>8} | {slowest:>7} | "
        f"{one.before:>17,} | {one.after:,} |{' BROKEN' if one.broken else ''}"
    )


if __name__ == "__main__":
    sys.exit(main())
