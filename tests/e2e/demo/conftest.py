"""The installed command line with a state folder of its own, and a look at what it leaves behind."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from microstax.demo.commands import program


class CommandLine:
    """`microstax` as a process, in one folder, with one state."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder, self.state = folder, state
        self.environ = {**os.environ, "MICROSTAX_STATE": str(state)}

    def run(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program(), *words],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def must(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"microstax {' '.join(words)}: {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.must(*words, "-o", "json"))

    def report(self, overlay: str) -> dict[str, Any]:
        """Return the report of now; one without a pair is an answer, too."""
        done = self.run("env", "diffs", overlay, "-o", "json")
        assert done.returncode in {0, 3}, done.stderr
        found: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
        return found


def processes_with(text: str) -> list[str]:
    """Return the command lines of the processes of this machine that name `text` in arguments or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if int(folder.name) != os.getpid() and text.encode() in words + (folder / "environ").read_bytes():
                found.append(f"{folder.name} {words.replace(bytes(1), b' ').decode(errors='replace')}")
        except OSError:
            continue
    return found


@pytest.fixture
def gone() -> Callable[[str], list[str]]:
    """Wait until no process names a text; return those that still do."""
    return still_there


def still_there(text: str, *, within_s: float = 10.0) -> list[str]:
    """Wait until no process names `text`; return those that still do."""
    deadline = time.monotonic() + within_s
    while (left := processes_with(text)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.fixture
def microstax(tmp_path: Path) -> Iterator[CommandLine]:
    """Give a command line; stop its control plane at the end, and see that nothing is left running."""
    state = tmp_path / "state"
    made = CommandLine(tmp_path, state)
    yield made
    done = made.run("down")
    assert done.returncode in {0, 4}, done.stderr
    assert still_there(str(state)) == []
