"""`microstax up`: put the parts together, serve until told to stop, stop what was started.

Ctrl-C, SIGTERM and `microstax down` all mean the same: everything that was started with this state folder is stopped,
and remembered; the next `up` starts it again. Only kill -9 leaves Envoys, services and the worker running, and the
next `up` takes them over as they are.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from microstax.api.address import prepare_folders, tidy_folders
from microstax.control.guard import Limits
from microstax.control.running import ControlPlane
from microstax.errors import EXIT_DONE
from microstax.runtime.core_dumps import withhold_own
from microstax.runtime.state import StateLock

_log: Final = logging.getLogger(__name__)


def run(
    state_dir: Path,
    *,
    listen: str | None = None,
    limits: Limits | None = None,
    ready: Callable[[], None] | None = None,
) -> int:
    """Serve with the state folder until told to stop; return the exit code. `ready` is called once calls are answered.

    `listen` is a host:port for the management API beside its unix socket; above `limits` mirroring pauses. Raises
    MicrostaxError where it cannot start: another control plane with this state folder, a database that cannot be used,
    no Envoy.
    """
    # gRPC's C core writes to stderr in its own way; what goes wrong is in our errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    withhold_own()
    prepare_folders(state_dir)
    lock = StateLock(state_dir)
    lock.acquire()
    try:
        _log_to_stderr()
        asyncio.run(_serve(state_dir, listen=listen, limits=limits, ready=ready))
    finally:
        tidy_folders(state_dir)  # also where it could not start
        lock.release()
    return EXIT_DONE


async def _serve(
    state_dir: Path, *, listen: str | None, limits: Limits | None, ready: Callable[[], None] | None
) -> None:
    plane = ControlPlane(state_dir, listen=listen, limits=limits)
    async with plane.serving():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, plane.ask_to_stop)
        _log.info("microstax serves %s; Ctrl-C stops it and all that it started", plane.address)
        if ready is not None:
            ready()
        await plane.asked_to_stop()
        _log.info("stopping")
        await plane.stop_everything()
    plane.tidy()
    _log.info("stopped")


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("microstax").setLevel(logging.INFO)
