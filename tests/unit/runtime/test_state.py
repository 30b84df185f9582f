"""One control plane a state folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from microstax.errors import FaultError, RefusedError
from microstax.runtime.state import StateLock, lock_holder, watch_holder

HOLD = """
import sys, time
from pathlib import Path
from microstax.runtime.state import StateLock
lock = StateLock(Path(sys.argv[1])); lock.acquire(); print("held", flush=True); time.sleep(60)
"""


def test_a_second_one_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    first = StateLock(tmp_path)
    first.acquire()
    with pytest.raises(RefusedError, match=rf"\(process {os.getpid()}\) already runs .*microstax down"):
        StateLock(tmp_path).acquire()
    assert lock_holder(tmp_path) == os.getpid()
    first.release()
    first.release()
    assert lock_holder(tmp_path) is None
    StateLock(tmp_path).acquire()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lock_holder(tmp_path) == holder.pid
        holder.kill()
        holder.wait()
    lock = StateLock(tmp_path)
    lock.acquire()
    lock.release()


def test_a_holder_is_watched_until_it_has_ended(tmp_path: Path) -> None:
    with watch_holder(tmp_path) as ended:
        assert ended(0.0), "nobody holds it"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with watch_holder(tmp_path) as ended:
            assert not ended(0.01)
            holder.kill()
            assert ended(10.0)


def test_a_folder_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FaultError, match="--state"):
        StateLock(tmp_path / "file").acquire()


def test_nobody_holds_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "none") is None
