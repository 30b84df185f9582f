"""`microstax` as a process with one state folder, as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENDS_WITHIN_S = 120.0
"""What a command may take on a machine with much else to do. None of them takes a tenth of that on an idle one."""


class CommandLine:
    """Runs commands in a folder; `variables` are set for all of them."""

    def __init__(self, folder: Path, state: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
        self.folder, self.state = folder, state or folder / "state"
        self.environ = {**os.environ, "MICROSTAX_STATE": str(self.state), **(variables or {})}

    def __call__(
        self, *words: str, timeout: float = ENDS_WITHIN_S, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which comes within `timeout` seconds."""
        process = self.start(*words, **variables)
        with process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start a command; what it says can be read from its pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "microstax", *words],
            cwd=self.folder,
            env={**self.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def must(self, *words: str, timeout: float = ENDS_WITHIN_S) -> str:
        """Run a command that has to succeed; return its stdout."""
        done = self(*words, timeout=timeout)
        assert done.returncode == 0, f"microstax {' '.join(words)}: {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """Run a command that has to succeed; return the document that it prints."""
        return json.loads(self.must(*words, "-o", "json"))

    def report(self, overlay: str) -> dict[str, Any]:
        """Return the report of now; empty while there is none."""
        done = self("env", "diffs", overlay, "-o", "json")
        assert done.returncode in {0, 3}, done.stderr
        found: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
        return found

    def write(self, name: str, text: str) -> str:
        """Write a file into the folder; return its name."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return name
