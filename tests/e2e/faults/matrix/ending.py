"""What must hold when everything is over: nothing pending, no mark on any copy, and Envoys that end cleanly."""

import re
import signal
from contextlib import suppress
from typing import Final

from matrix.faults import send
from matrix.stage import Stage, eventually
from microstax.control import layout
from microstax.errors import MicrostaxError

_ABORT: Final = re.compile(r"[Cc]aught (?!ENVOY_)\w+|[Pp]ure virtual|assert failure|Backtrace")
_CLEAN: Final = "it ended with exit code 0"
_PENDING_S: Final = 45.0


async def ending_wrong(stage: Stage) -> list[str]:
    """Say what does not hold."""
    wrong = []
    if (marked := (await stage.branch.say())["marked"]) or (marked := (await stage.baseline.say())["marked"]):
        wrong.append(f"{marked} requests had a mark of the tee on them")
    wrong += await _pending_wrong(stage)
    wrong += await _exit_wrong(stage)
    for log in stage.state.rglob("*.log*"):
        if found := _ABORT.search(log.read_text(errors="replace")):
            wrong.append(f"{log.name} says {found[0]!r}")
    return wrong


async def _pending_wrong(stage: Stage) -> list[str]:
    async def nothing_pending() -> bool:
        return not (await stage.report())["coverage"]["not_compared"].get("pending", 0)

    try:
        await eventually(nothing_pending, "pending", within_s=_PENDING_S)
    except TimeoutError:
        return [f"requests stay pending: {(await stage.report())['coverage']}"]
    return []


async def _exit_wrong(stage: Stage) -> list[str]:
    """Let the tee end and come back, twice: of the second one the control plane knows how it ended."""
    for _ in range(2):
        pid = await stage.tee_pid()
        send(pid, signal.SIGTERM)

        async def back(old: int = pid) -> bool:
            with suppress(MicrostaxError):
                return await stage.tee_pid() not in {0, old}
            return False

        await eventually(back, "the tee does not come back")
        await stage.ready()
    log = (stage.state / layout.LOG_FILE).read_text(errors="replace")
    ends = [line for line in log.splitlines() if "/tee.envoy: " in line]
    return [] if ends and _CLEAN in ends[-1] else [f"the tee did not end cleanly: {ends[-1:]}"]
