"""The installed command line with a state folder of its own, and a look at what it leaves behind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import CommandLine
from leftovers import still_there


@pytest.fixture
def gone() -> Callable[[str], list[str]]:
    """Wait until no process names a text; return those that still do."""
    return still_there


@pytest.fixture
def microstax(tmp_path: Path) -> Iterator[CommandLine]:
    """Give a command line; stop its control plane at the end, and see that nothing is left running."""
    made = CommandLine(tmp_path)
    yield made
    done = made("down")
    assert done.returncode in {0, 4}, done.stderr
    assert still_there(str(made.state)) == []
