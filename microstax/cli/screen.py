"""The terminal: how wide it is, whether it shows colour, and the screen that `--watch` redraws."""

import os
import shutil
import sys
from types import TracebackType
from typing import Final, Self

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""The alternate screen, no cursor: what stood on the terminal comes back afterwards."""
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_CLEAR_LINE: Final = "\x1b[K"
_CLEAR_BELOW: Final = "\x1b[J"


def is_terminal() -> bool:
    """Tell whether stdout is a terminal."""
    return sys.stdout.isatty()


def width() -> int:
    """Return the columns of the terminal; 80 in a pipe, unless COLUMNS says otherwise."""
    return shutil.get_terminal_size((80, 24)).columns if is_terminal() else int_of("COLUMNS", 80)


def int_of(variable: str, default: int) -> int:
    """Return a positive whole number from the environment, or the default."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() and int(value) > 0 else default


def colour() -> bool:
    """Tell whether to use colour: on a terminal, unless NO_COLOR (no-color.org) is set or it is a dumb one."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """The alternate screen while it is entered; whatever happens, the terminal is given back."""

    def __enter__(self) -> Self:
        self._write(_ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write(_LEAVE)

    def draw(self, text: str) -> None:
        """Show the text from the top; what does not fit is cut, and the last line says so. No flicker: overwrites."""
        rows = shutil.get_terminal_size((80, 24)).lines
        lines = text.rstrip("\n").split("\n")
        if len(lines) > rows:
            hidden = len(lines) - rows + 1
            lines = [*lines[: rows - 1], f"... {hidden} more lines: enlarge the window or leave out --watch"]
        self._write(_HOME + f"{_CLEAR_LINE}\r\n".join(lines) + _CLEAR_LINE + _CLEAR_BELOW)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
