"""A control plane of its own for the tests of a module, and the command line as a process."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import CommandLine
from leftovers import still_there
from loopback_ports import free_port as find_port


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
    left = still_there(str(made))
    shutil.rmtree(made)
    assert (stopped.returncode, left) == (0, [])


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a maker of ports that nobody listens on at the moment."""
    return find_port
