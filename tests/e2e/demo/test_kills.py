"""kill -9 of the worker, the branch and the control plane under traffic: no user notices, and the report adds up."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microstax.demo.users import Users
from microstax.demo.workspace import write_files

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

BASELINE, OVERLAY = "production-cluster-01", "shadow-test"


def wait_for(what: Callable[[], Any], *, within_s: float = 20.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"waited {within_s} s in vain"
        time.sleep(0.2)
    return found


def adds_up(coverage: dict[str, Any]) -> bool:
    return bool(coverage["mirrored"] == coverage["paired"] + sum(coverage["not_compared"].values()))


def kill(pid: int) -> None:
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


def test_nobody_notices_a_kill_and_the_report_adds_up(microstax: Any, tmp_path: Path) -> None:
    workspace = write_files(tmp_path, sys.executable)
    microstax.must("up", "--detach")
    microstax.must("env", "create", BASELINE, "--file", "env.yaml")
    microstax.must("env", "promote", BASELINE)
    microstax.must("overlay", "create", "--baseline", BASELINE, "--file", "patch.yaml", "--name", OVERLAY)

    def paired() -> int:
        report = microstax.report(OVERLAY)
        return int(report["coverage"]["paired"]) if report else 0

    with Users({name: workspace.url(name) for name in workspace.ports}, rate=100) as users:
        microstax.must("env", "shadow", OVERLAY, "--enable")
        wait_for(lambda: paired() > 100)

        [worker] = microstax.json("status")["workers"]
        kill(worker["pid"])
        before = paired()
        wait_for(lambda: paired() > before + 100)

        [branch] = [one for one in microstax.json("overlay", "show", OVERLAY)["services"] if one["name"] == "catalog"]
        kill(branch["pid"])
        before = paired()
        wait_for(lambda: paired() > before + 100)

        kill(microstax.json("status")["pid"])
        time.sleep(1.0)
        microstax.must("up", "--detach")
        before = wait_for(paired)
        wait_for(lambda: paired() > before + 100)
        requests = users.stop()

    assert (requests.failed, requests.failures) == (0, ())
    coverage = microstax.report(OVERLAY)["coverage"]
    assert adds_up(coverage), coverage
    # What the killed ones took with them is counted, not forgotten.
    assert sum(coverage["not_compared"].values()) > 0
    assert coverage["blocked_calls"] > 0
