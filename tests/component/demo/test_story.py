"""What the demo does when a step fails: it stops what it started, says what went wrong, and leaves the logs."""

import io
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from microstax.demo import commands
from microstax.demo.stage import OVERLAY
from microstax.demo.story import BASELINE, run_demo
from microstax.errors import FaultError, RefusedError

SCRIPT = """#!{python}
import json, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
code, out, err = json.load(open({answers!r})).get(" ".join(words[:2]), [0, "", ""])
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
NOT_RUNNING = [4, "", "Error: no control plane is running.\n"]


class ScriptedCommandLine:
    """A `microstax` that answers each command (its first two words) as told: exit code, stdout, stderr."""

    def __init__(self, folder: Path) -> None:
        self.path, self._log, self._answers = folder / "microstax", folder / "log", folder / "answers"
        script = SCRIPT.format(python=sys.executable, log=str(self._log), answers=str(self._answers))
        self.path.write_text(script)
        self.path.chmod(stat.S_IRWXU)
        self.answer({})

    def answer(self, answers: dict[str, list[object]]) -> None:
        self._answers.write_text(json.dumps({"status": NOT_RUNNING, **answers}))

    @property
    def ran(self) -> list[str]:
        return [" ".join(json.loads(line)) for line in self._log.read_text().splitlines()]


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedCommandLine:
    made = ScriptedCommandLine(tmp_path)
    monkeypatch.setattr(commands, "program", lambda: [str(made.path)])
    return made


@pytest.fixture
def demo(tmp_path: Path) -> Callable[[], tuple[BaseException, str, str]]:
    """Run a demo that fails; return the error, what was printed, and what went to stderr."""

    def run() -> tuple[BaseException, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with pytest.raises((FaultError, RefusedError)) as caught:
            run_demo(state=tmp_path / "state", out=out, err=err)
        return caught.value, out.getvalue(), err.getvalue()

    return run


def test_a_step_that_fails_ends_the_demo_in_its_own_words(
    scripted: ScriptedCommandLine, demo: Callable[[], tuple[BaseException, str, str]], tmp_path: Path
) -> None:
    scripted.answer({"overlay create": [2, "", "Error: patch.yaml, line 3: services[0].command: no.\n"]})
    error, out, err = demo()
    assert "exit code 2" in str(error)
    assert "patch.yaml, line 3" in str(error)
    assert f"$ microstax env promote {BASELINE}\n" in out
    assert str(tmp_path / "state") in err
    assert scripted.ran[-3:] == [f"overlay delete {OVERLAY}", f"env delete {BASELINE}", "down"]
    assert not any("shadow" in words.split() for words in scripted.ran)


def test_a_control_plane_that_does_not_start_is_what_the_user_reads(
    scripted: ScriptedCommandLine, demo: Callable[[], tuple[BaseException, str, str]]
) -> None:
    scripted.answer({"up --detach": [4, "", "Error: Envoy is missing.\n"], "down": [4, "", "Error: nothing runs.\n"]})
    error, _out, _err = demo()
    assert "Envoy is missing" in str(error)


def test_somebody_elses_control_plane_is_left_alone(
    scripted: ScriptedCommandLine, demo: Callable[[], tuple[BaseException, str, str]]
) -> None:
    scripted.answer({"status": [0, "control plane\n", ""]})
    error, out, _err = demo()
    assert isinstance(error, RefusedError)
    assert "unset MICROSTAX_STATE" in str(error)
    assert (scripted.ran, out) == (["status"], "")


def test_a_report_without_traffic_is_no_proof(
    scripted: ScriptedCommandLine,
    demo: Callable[[], tuple[BaseException, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("microstax.demo.story.PATIENCE_S", 0.5)
    monkeypatch.setattr("microstax.demo.story.SETTLE_S", 0.5)
    monkeypatch.setattr("microstax.demo.story.LOOK_EVERY_S", 0.1)
    scripted.answer({"env diffs": [3, "", "No request was mirrored yet.\n"]})
    error, out, _err = demo()
    assert "exit code 3" in str(error)
    assert f"$ microstax env diffs {OVERLAY}" in out
    assert scripted.ran[-1] == "down"
