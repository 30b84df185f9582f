"""`microstax demo` as a user runs it: a right report, nobody who noticed, nothing left; also when interrupted."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from microstax.demo.commands import program
from microstax.demo.planted import PLANTED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

GUIDE = """\
$ microstax env promote production-cluster-01
$ microstax overlay create --baseline production-cluster-01 --file ./patch.yaml --name shadow-test
$ microstax env shadow shadow-test --enable
$ microstax env diffs shadow-test
"""
Gone = Callable[[str], list[str]]


def start(folder: Path) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if name != "MICROSTAX_STATE"}
    return subprocess.Popen(
        [*program(), "demo"],
        env={**environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_finds_all_that_is_planted_and_nothing_else(tmp_path: Path, gone: Gone) -> None:
    with start(tmp_path) as demo:
        out, err = demo.communicate()
    assert demo.returncode == 0, out + err
    assert [line for line in GUIDE.splitlines() if line not in out.splitlines()] == []
    assert f"Found:    {len(PLANTED)} of {len(PLANTED)} planted differences." in out
    assert "Missed:   0." in out
    assert "Invented: 0." in out
    assert " 0 failed or got a wrong answer." in out
    assert "FAIL" not in out
    assert err == ""
    assert gone(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, gone: Gone, number: signal.Signals) -> None:
    with start(tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "env shadow" in line:
                break
        demo.send_signal(number)
        time.sleep(0.3)
        demo.send_signal(number)  # an impatient user's, which must not leave half of it behind
        _out, err = demo.communicate()
    assert demo.returncode == 130, err
    assert "Traceback" not in err
    assert gone(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
