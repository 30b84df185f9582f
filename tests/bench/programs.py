"""Start the programs of a measurement and end them: servers, the load, and any other, each by its own pid."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from process_cost import cpu_s

HERE: Final = Path(__file__).resolve().parent
END_S: Final = 15.0


@contextmanager
def started(command: Sequence[str], *, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the block; SIGTERM ends it, and SIGKILL what does not end."""
    with (log or Path("/dev/null")).open("ab") as told:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def server(port: int, *, fault: str = "none", delay_ms: float = 0.0) -> Iterator[int]:
    """Run a server of answers.py; give its pid once it listens."""
    words = ["--port", str(port), "--fault", fault, "--delay-ms", str(delay_ms)]
    process = subprocess.Popen([sys.executable, str(HERE / "answers.py"), *words], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != b"ready":
            raise RuntimeError(f"the server on port {port} did not start")
        yield process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def load_command(port: int, **options: float) -> list[str]:
    """Return the command of steady.py with options such as rate=500."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, str(HERE / "steady.py"), "--port", str(port), *words]


def load(port: int, **options: float) -> dict[str, Any]:
    """Run the load to its end; return its summary."""
    done = subprocess.run(load_command(port, **options), capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"the load did not run: {done.stderr[-500:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(port: int, groups: dict[str, list[int]], **options: float) -> dict[str, Any]:
    """Run the load; return its summary with `cpu_us`, the CPU a request of each group of processes."""
    before = {name: cpu_s(pids) for name, pids in groups.items()}
    found = load(port, **options)
    answered = max(1, found["answered"])
    found["cpu_us"] = {name: (cpu_s(pids) - before[name]) / answered * 1e6 for name, pids in groups.items()}
    return found


def until(what: str, found: Any, *, seconds: float = 30.0) -> Any:
    """Call `found` until it returns something true; raise TimeoutError that names `what` after `seconds`."""
    ends = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > ends:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return value
