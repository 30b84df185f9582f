"""Starting a process and holding on to it: its own session, its output straight into its log, our markers on it.

Its end is seen through a pidfd, which works alike for our children and for processes of an earlier control plane.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from microstax.blueprint.commands import expand_variables
from microstax.errors import ServiceFailedError
from microstax.runtime import core_dumps, fenced
from microstax.runtime.fenced import can_deny_ports
from microstax.runtime.logs import open_log
from microstax.runtime.marker import marker_variables, spec_digest
from microstax.runtime.port import ProcessRole, ProcessSpec
from microstax.runtime.procfs import ProcessIdentity, process_info
from microstax.runtime.records import Leader

_OURS: Final = frozenset({ProcessRole.ENVOY, ProcessRole.WORKER})


class RunningProcess:
    """A process that leads a service: a child of ours, or one that was adopted. Belongs to one event loop."""

    def __init__(self, leader: Leader, child: subprocess.Popen[bytes] | None = None) -> None:
        """Begin to watch. Raises ProcessLookupError if the process is gone already (and was no child)."""
        self.leader = leader
        self.exited = asyncio.Event()
        self._child = child
        self._descriptor: int | None = os.pidfd_open(leader.identity.pid)
        asyncio.get_running_loop().add_reader(self._descriptor, self._ended)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.leader.identity.pid

    def reap(self) -> str:
        """Collect a process that ended; return how it ended as a clause. Call only after `exited`."""
        self._close()
        if self._child is None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)  # it became our child if we are a container's first process
            return "it ended (an earlier control plane started it, so its exit code is unknown)"
        code = self._child.wait()
        if code < 0:
            return f"it was ended by signal {-code}"
        return f"it ended with exit code {code}"

    def abandon(self) -> None:
        """Stop watching and leave the process running."""
        self._close()
        if self._child is not None and self._child.returncode is None:
            self._child.returncode = 0  # so that the destructor does not call the process forgotten: it is left alone

    def _ended(self) -> None:
        self._close()
        self.exited.set()

    def _close(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def launch(spec: ProcessSpec, *, state: Path, log: Path) -> RunningProcess:
    """Start the command of `spec`. Raises ServiceFailedError if that is not possible at all."""
    environ = process_environ(spec, state=state)
    words = expand_variables(spec.command, environ)
    program = find_program(spec, words[0], environ)
    started, arguments = _fenced(spec, program, words)
    try:
        descriptor = open_log(log)
    except OSError as error:
        raise ServiceFailedError(f"The log of {spec.key} cannot be written: {error.strerror}: {log}.") from error
    try:
        child = subprocess.Popen(
            arguments,
            executable=started,
            cwd=spec.workdir,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        hint = " (a script begins with '#!' and its interpreter)" if error.errno == errno.ENOEXEC else ""
        raise ServiceFailedError(f"{spec.key} cannot be started: {error.strerror}: {program}{hint}.") from error
    finally:
        os.close(descriptor)
    (core_dumps.withhold if spec.key.role in _OURS else core_dumps.allow)(child.pid)
    info = process_info(child.pid)  # a zombie at worst: nobody else collects our children
    identity = info.identity if info else ProcessIdentity(child.pid, 0)
    try:
        return RunningProcess(Leader(identity, spec_digest(spec)), child)
    except OSError as error:
        child.kill()
        child.wait()
        raise ServiceFailedError(f"{spec.key} cannot be watched: {error.strerror}.") from error


def _fenced(spec: ProcessSpec, program: str, words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return what to execute with which words: the program itself, or what denies ports and then becomes it."""
    if not spec.denied_ports or not can_deny_ports():
        return program, words
    ports = ",".join(map(str, sorted(spec.denied_ports)))
    # Isolated and without site-packages: it starts in some 15 ms, and no variable of the service's can lead it astray.
    return sys.executable, [sys.executable, "-I", "-S", fenced.__file__, ports, program, *words]


def process_environ(spec: ProcessSpec, *, state: Path) -> dict[str, str]:
    """Return a process's whole environment: ours, `PORT`, the spec's, our markers."""
    port = {} if spec.address is None else {"PORT": str(spec.address.port)}
    unbuffered = {"PYTHONUNBUFFERED": "1"}  # or a Python service's log shows nothing until 8 KiB are full
    return {**unbuffered, **os.environ, **port, **spec.environ, **marker_variables(spec, state=state)}


def find_program(spec: ProcessSpec, word: str, environ: Mapping[str, str]) -> str:
    """Return the path of the program that `word` names. Raises ServiceFailedError if there is none."""
    folder = Path(spec.workdir or Path.cwd())
    if not folder.is_dir():
        raise ServiceFailedError(f"{spec.key} cannot be started: its folder {folder} does not exist.")
    if "/" not in word:
        found = shutil.which(word, path=environ.get("PATH", os.defpath))
        if found is None:
            raise ServiceFailedError(
                f"{spec.key} cannot be started: the command {word!r} is not found in PATH. Install it, or write its "
                "whole path."
            )
        return os.path.abspath(found)  # noqa: PTH100  # Path.absolute keeps '..'
    path = folder / word
    if path.is_dir():
        raise ServiceFailedError(f"{spec.key} cannot be started: {path} is a folder, not a program.")
    if not path.is_file():
        raise ServiceFailedError(f"{spec.key} cannot be started: there is no file {path}.")
    if not os.access(path, os.X_OK):
        raise ServiceFailedError(f"{spec.key} cannot be started: {path} is not executable (chmod +x).")
    return str(path)
