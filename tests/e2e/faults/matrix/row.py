"""One row: a fault under traffic, and everything that must hold all the same."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matrix.kinds import EVERYTHING, STEADY
from matrix.result import MEMORY_MIB, Result, Slice, p99
from matrix.stage import Stage, eventually, resident_mib
from matrix.table import Row
from microstax.errors import MicrostaxError

_SETTLE_S: Final = 0.3
"""What a slice begins with and is not measured of: copies of the slice before are under way."""
_CALM_S: Final = 30.0
_READ_S: Final = 1.2
"""A worker reads Envoy's counters once a second."""
_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a row looks: `everything_s` at all kinds of requests at once, then `slices` pairs of slices."""

    everything_s: float = 3.0
    slices: int = 3
    slice_s: float = 1.0


@dataclass(frozen=True, slots=True)
class _Account:
    """The tee's count of copies, and the report's; their difference stays as long as both go on."""

    since: str
    counted: int
    mirrored: int
    paired: int
    not_compared: dict[str, int]

    @property
    def adds_up(self) -> bool:
        return self.mirrored == self.paired + sum(self.not_compared.values())

    @property
    def offset(self) -> int:
        return self.counted - self.mirrored


async def run_row(stage: Stage, row: Row, pace: Pace) -> Result:
    """Run a row on a stage that is well, and leave it well. Raises what the stage itself raises."""
    began = time.monotonic()
    await stage.ready()
    await stage.users.say(take=True)
    account = await _quiet_account(stage)
    pid = await stage.tee_pid()
    resident, held = resident_mib(pid), await stage.held_mib()
    windows: list[tuple[bool, float, float]] = []
    async with _peak(pid) as peak:
        await stage.users.say(mix=STEADY)
        async with AsyncExitStack() as faults:
            for fault in row.faults:
                await faults.enter_async_context(fault.begin(stage))
            await stage.users.say(mix=EVERYTHING)
            await asyncio.sleep(pace.everything_s)
            await stage.users.say(mix=STEADY)
            windows += [await _slice(stage, pace, on=nth % 2 == 1) for nth in range(2 * pace.slices)]
        await asyncio.sleep(0.5)
        await stage.users.say(mix={}, settle=True)
    found = await stage.users.say(take=True)
    wrong = [] if row.breaks_tee else await _tee_wrong(stage, pid)
    grown = await _memory_after(stage, held)
    wrong += await _account_wrong(stage, account, row)
    if grown > MEMORY_MIB:
        wrong.append(f"Envoy holds {grown:.0f} MiB more than before")
    kinds = Counter(what for _, _, what, _ in found["problems"])
    lost = kinds["failed"] if row.breaks_tee else 0
    failed = kinds["failed"] - lost
    wrong += _examples(found["problems"]) if failed or kinds["changed"] else []
    slices = _slices(found["done"], windows)
    now = await _account(stage)
    mirrored = now.counted - account.counted if now.counted >= account.counted else now.counted
    if not mirrored and not row.breaks_account:
        wrong.append("nothing was mirrored")
    return Result(
        name=row.name,
        title=row.title,
        requests=len(found["done"]) + len(found["problems"]),
        late=found["late"],
        failed=failed,
        changed=kinds["changed"],
        lost=lost,
        p99_off_ms=p99(slices, mirroring=False),
        p99_on_ms=p99(slices, mirroring=True),
        memory_mib=grown,
        peak_mib=max(peak) - resident,
        mirrored=mirrored,
        wrong=wrong,
        took_s=time.monotonic() - began,
    )


async def _slice(stage: Stage, pace: Pace, *, on: bool) -> tuple[bool, float, float]:
    await stage.mirroring(on=on)
    await asyncio.sleep(_SETTLE_S)
    began = time.monotonic()
    await asyncio.sleep(pace.slice_s)
    return on, began, time.monotonic()


def _slices(done: Sequence[Any], windows: Sequence[tuple[bool, float, float]]) -> list[Slice]:
    steady = [(due, took) for kind, due, took in done if kind in STEADY]
    return [
        Slice(mirroring=on, took_ms=tuple(took for due, took in steady if began <= due < ended))
        for on, began, ended in windows
    ]


@asynccontextmanager
async def _peak(pid: int) -> AsyncIterator[list[float]]:
    """Look at a process's memory four times a second."""
    seen = [resident_mib(pid)]

    async def look() -> None:
        while True:
            seen.append(resident_mib(pid))
            await asyncio.sleep(0.25)

    task = asyncio.get_running_loop().create_task(look())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _tee_wrong(stage: Stage, pid: int) -> list[str]:
    """Say where the tee is not the process that it was."""
    if not Path(f"/proc/{pid}").exists():
        return [f"the tee (process {pid}) is gone"]
    now = await stage.tee_pid()
    return [] if now == pid else [f"the tee was process {pid} and is {now}"]


async def _memory_after(stage: Stage, before: float) -> float:
    """Return how much more the tee holds than before, once it has freed what it will, or after some time."""
    grown = 0.0
    for _ in range(40):
        grown = await stage.held_mib() - before
        if grown <= MEMORY_MIB / 2:
            break
        await asyncio.sleep(0.5)
    return grown


async def _account(stage: Stage) -> _Account:
    report = await stage.report()
    coverage = report["coverage"]
    counted = await stage.mirrored()
    return _Account(report["since"], counted, coverage["mirrored"], coverage["paired"], coverage["not_compared"])


async def _quiet_account(stage: Stage) -> _Account:
    """Return the account once it stands still: nobody asks anything, and the report has what was counted."""
    while True:
        before = await _account(stage)
        await asyncio.sleep(_READ_S)
        if before == (now := await _account(stage)) or now.offset == before.offset == 0:
            return now


async def _account_wrong(stage: Stage, before: _Account, row: Row) -> list[str]:
    """Say where the report does not add up, or has not what Envoy counted."""
    wrong: list[str] = []

    async def holds() -> bool:
        wrong.clear()
        try:
            now = await _account(stage)
        except MicrostaxError as error:
            wrong.append(f"there is no report: {error}")
            return False
        if not now.adds_up:
            wrong.append(f"the report does not add up: {now}")
        if row.breaks_account:
            return not wrong
        if now.since != before.since:
            wrong.append(f"the report began anew: {before.since} became {now.since}")
        elif now.offset != before.offset:
            counted, reported = now.counted - before.counted, now.mirrored - before.mirrored
            wrong.append(f"Envoy mirrored {counted}, the report has {reported}")
        return not wrong

    try:
        await eventually(holds, "the account", within_s=_CALM_S)
    except TimeoutError:
        return wrong
    return []


def _examples(problems: Sequence[Any]) -> list[str]:
    shown = [f"{kind}: {what}: {text}" for kind, _, what, text in problems[:_EXAMPLES]]
    more = len(problems) - len(shown)
    return [*shown, f"and {more} more"] if more > 0 else shown
