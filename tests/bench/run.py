"""Print the budgets with what this machine measures: every `run()` of the bench_*.py beside this file.

A row is (what, figure, budget). A budget that is missed is printed, never an exit code: clocks do not fail builds.
Name benches to run only these: `python tests/bench/run.py bench_diff bench_xds`.
"""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
APART = {"bench_production"}  # takes ten minutes and has a make target of its own


def rows(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the benches, each as it is measured; one that cannot run says why."""
    for name in names:
        print(f"... {name}", file=sys.stderr, flush=True)
        try:
            yield from importlib.import_module(name).run()
        except Exception as error:  # noqa: BLE001  # one bench that cannot run leaves the others their turn
            yield (name, f"could not run: {error}", "")


def main() -> None:
    """Run the named benches, or all of them but those that are APART."""
    sys.path.insert(0, str(HERE))
    names = sys.argv[1:] or sorted({path.stem for path in HERE.glob("bench_*.py")} - APART)
    print(f"{'what':<78} {'measured':>26}   budget")
    for what, figure, budget in rows(names):
        print(f"{what:<78} {figure:>26}   {budget}", flush=True)


if __name__ == "__main__":
    main()
