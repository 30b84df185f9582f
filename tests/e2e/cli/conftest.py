"""A control plane of its own for the tests of a module, and the command line as a process."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class CommandLine:
    """`microstax` as a user runs it, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "microstax", *words],
            cwd=self.folder,
            env={**os.environ, "MICROSTAX_STATE": str(self.state), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def must(self, *words: str) -> str:
        """Run a command that has to succeed; return its stdout."""
        done = self(*words)
        assert done.returncode == 0, f"microstax {' '.join(words)} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path: unix sockets have no room for more."""
    made = Path(tempfile.mkdtemp(prefix="msx-cli-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def lonely(folder: Path) -> CommandLine:
    """Return the command line without a control plane."""
    return CommandLine(folder)


@pytest.fixture(scope="module")
def microstax() -> Iterator[CommandLine]:
    """Return the command line beside a control plane, which ends with the module and leaves no process."""
    made = Path(tempfile.mkdtemp(prefix="msx-cli-"))
    line = CommandLine(made)
    started = line("up", "--detach")
    assert started.returncode == 0, started.stderr
    yield line
    stopped = line("down")
    ends = time.monotonic() + 5
    while (left := processes_of(made)) and time.monotonic() < ends:
        time.sleep(0.05)
    shutil.rmtree(made)
    assert (stopped.returncode, left) == (0, [])


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and int(process.name) != os.getpid():
            found.append(f"{process.name} {words}")
    return found


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a maker of ports that nobody listens on at the moment."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
