"""`python -m microstax.worker --control ADDRESS --id NAME`: started by the control plane, logs to stderr."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
import uuid

from microstax.runtime.core_dumps import withhold_own
from microstax.worker.worker import Worker

LEVELS = ("debug", "info", "warning", "error")


def main(arguments: list[str] | None = None) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m microstax.worker", description="Pair and compare mirrored traffic."
    )
    parser.add_argument("--control", required=True, help="the management API, such as unix:/run/microstax/api.sock")
    parser.add_argument("--id", required=True, help="the worker's name; every process adds a part of its own")
    parser.add_argument("--log-level", default="info", choices=LEVELS, help="the least that is logged (default: info)")
    options = parser.parse_args(arguments)
    withhold_own()
    logging.basicConfig(
        stream=sys.stderr,
        level=options.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    collect_garbage_seldom()
    # Deltas are counted per worker, and a process cannot know what its predecessor had sent.
    asyncio.run(_work(options.control, f"{options.id}-{uuid.uuid4().hex[:12]}"))


def collect_garbage_seldom() -> None:
    """Look for reference cycles less often: a pair makes dozens of objects and no cycle (6% of the time of a pair)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _work(control: str, worker_id: str) -> None:
    worker = Worker(control, worker_id)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await worker.run()


if __name__ == "__main__":
    main()
