"""The command: `python tests/e2e/faults/run.py`, or `make faults`.

Prints a row for every fault and ends with 1 if one fails: a request failed or got another answer than the baseline's,
Envoy's memory did not come back, Envoy ended, or the report does not add up. A p99 above the budget alone is `over`.
"""

import argparse
import asyncio
import json
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import aiohttp

from matrix import result
from matrix.ending import ending_wrong
from matrix.kinds import EVERYTHING
from matrix.result import Result
from matrix.row import Pace, run_row
from matrix.stage import Stage, tidy_up
from matrix.table import ROWS, Row
from microstax.errors import MicrostaxError


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run the fault matrix on a stage of its own.")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="rows of these names (commas; * stands for anything)"
    )
    parser.add_argument("--short", action="store_true", help="the most telling rows only")
    parser.add_argument("--slices", type=int, default=3, metavar="N", help="pairs of slices a row (default 3)")
    parser.add_argument("--slice", type=float, default=1.0, metavar="S", help="seconds of a slice (default 1)")
    parser.add_argument("--everything", type=float, default=3.0, metavar="S", help="seconds of all kinds (default 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown at the end")
    parser.add_argument("--list", action="store_true", help="print the rows' names and end")
    return parser.parse_args(arguments)


def chosen(asked: argparse.Namespace) -> list[Row]:
    """Return the rows to run."""
    words = [word for word in asked.only.split(",") if word]
    rows = [row for row in ROWS if row.short or not asked.short]
    return [row for row in rows if not words or any(fnmatchcase(row.name, word) for word in words)]


async def run(rows: Sequence[Row], pace: Pace) -> list[Result]:
    """Run rows one after the other on one stage; print each as it ends."""
    await tidy_up()
    results: list[Result] = []
    print(result.heading(), flush=True)
    async with Stage() as stage:
        await warm_up(stage)
        await stage.users.say(stay=True)
        staying = True
        for row in rows:
            if row.breaks_tee and staying:
                await stage.users.say(leave=True)
                staying = False
            results.append(await _run(stage, row, pace))
            print(result.line(results[-1]), flush=True)
        wrong = await ending_wrong(stage)
    if wrong:
        results.append(Result(name="ending", title="at the end", requests=0, failed=0, changed=0, wrong=wrong))
        print(result.line(results[-1]), flush=True)
    return results


async def _run(stage: Stage, row: Row, pace: Pace) -> Result:
    """Run a row; one that cannot be run to its end fails, and costs no other row."""
    try:
        return await run_row(stage, row, pace)
    except (OSError, RuntimeError, AssertionError, MicrostaxError, aiohttp.ClientError, sqlite3.Error) as error:
        traceback.print_exc()
        await stage.users.say(mix={}, settle=True)
        found = await stage.users.say(take=True)
        asked = len(found["done"]) + len(found["problems"])
        wrong = [f"it could not be run to its end: {error!r}"]
        return Result(name=row.name, title=row.title, requests=asked, failed=0, changed=0, wrong=wrong)


async def warm_up(stage: Stage) -> None:
    """Let everything be used once, so that memory before a fault is that of an Envoy at work."""
    await stage.users.say(mix=EVERYTHING)
    await asyncio.sleep(6)
    await stage.users.say(mix={}, settle=True)
    await stage.users.say(take=True)


def main(arguments: Sequence[str]) -> int:
    """Run, print, and return the exit code."""
    asked = options(arguments)
    rows = chosen(asked)
    if asked.list:
        print("\n".join(row.name for row in rows))
        return 0
    if not rows:
        print(f"no row is called {asked.only!r}: --list prints them", file=sys.stderr)
        return 2
    began = time.monotonic()
    pace = Pace(everything_s=asked.everything, slices=asked.slices, slice_s=asked.slice)
    results = asyncio.run(_interruptible(rows, pace))
    failing = [one.title for one in results if one.wrong]
    if asked.json:
        asked.json.write_text(json.dumps([one.document() for one in results], indent=2) + "\n")
    if asked.markdown:
        print("\n" + result.markdown(results))
    took = time.monotonic() - began
    print(f"\n{len(results)} rows in {took:.0f} s: {len(failing)} fail{': ' if failing else ''}{'; '.join(failing)}")
    return 1 if failing else 0


async def _interruptible(rows: Sequence[Row], pace: Pace) -> list[Result]:
    """Let SIGTERM mean what Ctrl-C means: everything is taken down."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(rows, pace)
