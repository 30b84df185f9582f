"""`microstax down` after the control plane was killed: all that it left ends, and nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SERVER = "import http.server as h, os; h.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()"  # noqa: E501  # one word of a command


def alive(pid: int) -> bool:
    """Tell whether a process runs: one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_down_ends_what_a_killed_control_plane_left(lonely: Any, free_port: Callable[[], int]) -> None:
    file = lonely.write(
        "shop.yaml",
        json.dumps({"services": {"shop": {"command": [sys.executable, "-c", SERVER], "port": free_port()}}}),
    )
    lonely.must("up", "--detach")
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "MICROSTAX_STATE": str(lonely.state)}) as innocent:
        lonely.must("env", "create", "shop", "--file", file)
        status = json.loads(lonely.must("status", "-o", "json"))
        services = json.loads(lonely.must("env", "show", "shop", "-o", "json"))["services"]
        pids = [one["pid"] for one in (*status["envoys"], *status["workers"], *services)]
        os.kill(status["pid"], signal.SIGKILL)
        assert all(map(alive, pids)), "Envoys and services do not depend on the control plane"
        done = lonely("down")
        assert (done.returncode, done.stderr) == (0, "")
        assert [pid for pid in pids if alive(pid)] == []
        assert innocent.poll() is None
        innocent.kill()
    assert list(lonely.state.glob("*.sock")) == []
    again = lonely("down")
    assert again.returncode == 4
    assert "No control plane answers" in again.stderr


def test_a_control_plane_that_dies_in_the_middle_says_so_and_leaves_nothing(
    lonely: Any, free_port: Callable[[], int]
) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    file = lonely.write("slow.yaml", json.dumps({"services": {"slow": {"command": command, "port": free_port()}}}))
    lonely.must("up", "--detach")
    with lonely.start("env", "create", "slow", "--file", file) as creating:
        record = lonely.state / "processes" / "slow~slow~service.json"
        while not record.exists():
            time.sleep(0.05)
        os.kill(json.loads(lonely.must("status", "-o", "json"))["pid"], signal.SIGKILL)
        _, told = creating.communicate(timeout=30)
    assert creating.returncode == 4
    assert "went away before it was done" in told
    pid = json.loads(record.read_text())["pid"]
    assert alive(pid)
    lonely.must("down")
    assert not alive(pid)


def test_down_does_not_take_the_folder_of_a_control_plane_that_hangs(lonely: Any) -> None:
    lonely.must("up", "--detach")
    pid = json.loads(lonely.must("status", "-o", "json"))["pid"]
    (lonely.state / "management.sock").unlink()
    done = lonely("down")
    assert done.returncode == 4
    assert f"process {pid}) does not answer" in done.stderr
    os.kill(pid, signal.SIGKILL)
    lonely("down")
