"""How long a user waits for `microstax --help`, beside what the interpreter alone takes."""

import statistics
import subprocess
import sys
import time

RUNS = 20
BUDGET = "< 150 ms"


def median_ms(*command: str) -> float:
    """Return the median wall time of a command in milliseconds."""
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def run() -> list[tuple[str, str, str]]:
    """Return the rows of the table of budgets."""
    median_ms(sys.executable, "-m", "microstax", "--help")  # the bytecode is compiled once
    bare = median_ms(sys.executable, "-c", "pass")
    top = median_ms(sys.executable, "-m", "microstax", "--help")
    deep = median_ms(sys.executable, "-m", "microstax", "env", "diffs", "--help")
    return [
        ("microstax --help, median of 20", f"{top:.0f} ms (python: {bare:.0f} ms)", BUDGET),
        ("microstax env diffs --help, median of 20", f"{deep:.0f} ms", BUDGET),
    ]
