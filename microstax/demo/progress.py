"""Progress for people: one line that is rewritten on a terminal, nothing in a pipe or when it is unwanted."""

import time
from typing import Final, TextIO

_ERASE_LINE: Final = "\r\x1b[2K"


class Progress:
    """The line. Times are seconds since it was made."""

    def __init__(self, err: TextIO, *, quiet: bool = False) -> None:
        self._err, self._started, self._shown = err, time.monotonic(), False
        self._live = err.isatty() and not quiet

    def step(self, text: str) -> None:
        """Show what goes on now in the place of what went on before."""
        if self._live:
            self._err.write(f"{_ERASE_LINE}[{time.monotonic() - self._started:4.1f} s] {text}")
            self._err.flush()
            self._shown = True

    def end(self) -> None:
        """Take the line away, before something else is printed."""
        if self._shown:
            self._err.write(_ERASE_LINE)
            self._err.flush()
            self._shown = False
