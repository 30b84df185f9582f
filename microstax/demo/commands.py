"""The installed command line, run as a user runs it: printed word for word, then started as a process of its own."""

import os
import shlex
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import orjson

from microstax.api.address import STATE_VARIABLE
from microstax.errors import EXIT_DONE, EXIT_UNDECIDED, FaultError

PROGRAM: Final = "microstax"
COMMAND_TIMEOUT_S: Final = 90.0


class CommandFailedError(FaultError):
    """A command of the demo ended with an exit code that it must not end with."""


class CommandLine:
    """Runs `microstax` with one state folder, in one working folder.

    With `live`, what shown commands say on stderr goes to this process's own, where a terminal shows their progress.
    """

    def __init__(self, *, state: Path, folder: Path, out: TextIO, live: bool = False) -> None:
        self.environ = {**os.environ, STATE_VARIABLE: str(state)}
        self._folder, self._out, self._live = folder, out, live
        self._program = program()

    def show(self, *words: str, accept: Collection[int] = (EXIT_DONE,)) -> None:
        """Print a command, run it, and print what it prints."""
        print(f"$ {shlex.join([PROGRAM, *words])}", file=self._out, flush=True)
        self._out.write(self._run(words, accept=accept, stderr=None if self._live else subprocess.PIPE))
        print(file=self._out, flush=True)

    def run(self, *words: str, accept: Collection[int] = (EXIT_DONE,), apart: bool = False) -> str:
        """Run a command and return its stdout. `apart` keeps Ctrl-C from it, for commands that clean up.

        Raises CommandFailedError, with the command's own words, for any exit code that is not in `accept`.
        """
        return self._run(words, accept=accept, apart=apart)

    def _run(
        self,
        words: Sequence[str],
        *,
        accept: Collection[int],
        apart: bool = False,
        stderr: int | None = subprocess.PIPE,
    ) -> str:
        shown = shlex.join([PROGRAM, *words])
        try:
            done = subprocess.run(
                [*self._program, *words],
                cwd=self._folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                check=False,
                timeout=COMMAND_TIMEOUT_S,
                start_new_session=apart,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandFailedError(f"'{shown}' did not end within {COMMAND_TIMEOUT_S:.0f} s.") from error
        if done.returncode not in accept:
            said = (done.stderr or done.stdout).strip() or "its own words are above."
            raise CommandFailedError(f"'{shown}' ended with exit code {done.returncode}: {said}")
        return done.stdout

    def document(self, *words: str) -> Any | None:
        """Run a command with `-o json` and return what it printed; None where it says that there is nothing yet."""
        text = self.run(*words, "-o", "json", accept=(EXIT_DONE, EXIT_UNDECIDED))
        return orjson.loads(text) if text.strip() else None


def program() -> Sequence[str]:
    """Return how to start the command line that this process belongs to: its script, or its module."""
    script = Path(sys.executable).with_name(PROGRAM)
    return [str(script)] if os.access(script, os.X_OK) else [sys.executable, "-m", PROGRAM]
