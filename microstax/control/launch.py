"""`microstax up --detach`: the control plane in the background, and the truth about whether it came up."""

import json
import os
import select
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from microstax.api.address import prepare_folders
from microstax.control.guard import Limits
from microstax.control.layout import LOG_FILE
from microstax.errors import EXIT_FAULT, FaultError, MicrostaxError

READY_VARIABLE: Final = "MICROSTAX_READY_FD"
START_TIMEOUT_S: Final = 60.0
"""Far more than it takes: a second, or a few where many processes are to be started again on a busy machine."""
_END_S: Final = 10.0
_TAIL: Final = 2_000
_TRACEBACK: Final = "Traceback (most recent call last)"


class StartError(MicrostaxError):
    """The background process could not start, for the reason that it gave."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # that of the error that the process had


def detach(
    state_dir: Path, *, listen: str | None = None, limits: Limits | None = None, timeout_s: float = START_TIMEOUT_S
) -> str:
    """Start a control plane in the background and wait until it answers; return the sentence that says so.

    It has a session of its own, so that it outlives the terminal; it logs to control-plane.log in the state folder.
    Raises MicrostaxError with its own words and exit code where it cannot start; one that is not ready after
    `timeout_s` is ended.
    """
    prepare_folders(state_dir)
    log_path = state_dir / LOG_FILE
    options = {"listen": listen, "limits": asdict(limits) if limits else None}
    read_end, write_end = os.pipe()
    try:
        with _open_log(log_path) as log:
            written = log.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", "microstax.control.background", str(state_dir), json.dumps(options)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(write_end,),
                env={**os.environ, READY_VARIABLE: str(write_end)},
            )
    finally:
        os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read() if select.select([pipe], [], [], timeout_s)[0] else None
    if answer is None:
        process.terminate()
        _end(process)
        raise FaultError(
            f"The control plane was not ready after {timeout_s:g} s and was ended. {_last_words(log_path, written)} "
            "What it had started goes on: 'microstax up' takes it over, 'microstax down' ends it."
        )
    if not answer or not json.loads(answer)["ready"]:
        code = _end(process) if answer else process.wait()
        raise _why_not(answer) if answer else FaultError(_silent_end(code, log_path, written))
    process.returncode = 0  # it is meant to go on; without this the destructor would complain that it does
    return f"microstax runs in the background (process {process.pid}); its log is {log_path}."


def _open_log(path: Path) -> Any:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    except OSError as error:
        raise FaultError(
            f"{path} cannot be written ({error.strerror}): give yourself access to it, or name another "
            "state folder with --state."
        ) from error


def _end(process: subprocess.Popen[bytes]) -> int:
    """Give a process some time to end by itself, then end it; return its exit code."""
    try:
        return process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _silent_end(code: int, log_path: Path, written: int) -> str:
    """Return what is known of a process that ended without a word; `written` is how long its log was before it."""
    how = f"with exit code {code}" if code >= 0 else f"by signal {-code}"
    return f"The control plane ended {how} before it was ready. {_last_words(log_path, written)}"


def _last_words(log_path: Path, written: int) -> str:
    end = log_path.read_bytes()[written:][-_TAIL:].decode("utf-8", "replace").rstrip()
    if _TRACEBACK in end:
        end = end.splitlines()[-1]
    said = f"says:\n{end}" if end else "is empty."
    return f"Its log, {log_path}, {said}"


def _why_not(answer: bytes) -> MicrostaxError:
    told = json.loads(answer)
    return StartError(told["message"], exit_code=int(told.get("exit_code", EXIT_FAULT)))
