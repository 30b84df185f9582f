"""`microstax down` where the control plane was killed: end what it left running, without starting another one."""

import asyncio
from pathlib import Path

from microstax.api.address import remove_sockets
from microstax.errors import FaultError
from microstax.runtime.local import LocalRuntime
from microstax.runtime.state import StateLock, lock_holder, was_used


def stop_leftovers(state_dir: Path) -> int:
    """End every process that a dead control plane left in a state folder; return how many services and Envoys.

    Raises FaultError while a control plane holds the folder: it lives, and either starts or hangs.
    """
    holder = lock_holder(state_dir)
    if holder is not None:
        raise FaultError(
            f"The control plane of {state_dir} (process {holder}) does not answer: try again when it has started, or "
            f"end it with 'kill -9 {holder}' and then what it started with 'microstax down'."
        )
    if not was_used(state_dir):
        return 0
    lock = StateLock(state_dir)
    lock.acquire()
    try:
        stopped = asyncio.run(_stop(state_dir))
        if stopped:
            remove_sockets(state_dir)
    finally:
        lock.release()
    return stopped


async def _stop(state_dir: Path) -> int:
    runtime = LocalRuntime(state_dir)
    found = await runtime.open()
    try:
        if found:
            await runtime.stop_all()
    finally:
        await runtime.detach()
    return len(found)
