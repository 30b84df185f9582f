"""`up --detach` tells the truth: it answers, or it says why it does not."""

from pathlib import Path

import pytest

from microstax.api import methods
from microstax.api.address import MANAGEMENT_SOCKET, management_address, socket_path
from microstax.api.client import Client
from microstax.control.launch import detach
from microstax.control.layout import LOG_FILE
from microstax.errors import EXIT_FAULT, MicrostaxError
from microstax.runtime.state import StateLock, lock_holder
from microstax.store.sqlite import DATABASE


def test_it_returns_when_calls_are_answered_and_refuses_a_second_one(tmp_path: Path) -> None:
    state = tmp_path / "state"
    told = detach(state)
    try:
        with Client(management_address(state)) as client:
            pid = client.call(methods.GET_STATUS, methods.GET_STATUS.request()).pid
            assert f"(process {pid})" in told
            with pytest.raises(MicrostaxError, match=f"process {pid}"):
                detach(state)
    finally:
        with Client(management_address(state)) as client:
            assert list(client.stream(methods.SHUTDOWN, methods.SHUTDOWN.request()))[-1].done
    lock = StateLock(state)
    while lock_holder(state) is not None:
        pass
    lock.acquire()
    lock.release()
    assert "Traceback" not in (state / LOG_FILE).read_text()


def test_it_says_why_it_cannot_start(tmp_path: Path) -> None:
    tmp_path /= "long" * 20
    tmp_path.mkdir(mode=0o700)
    (tmp_path / DATABASE).write_bytes(b"garbage" * 1000)
    with pytest.raises(MicrostaxError, match="is damaged") as caught:
        detach(tmp_path)
    assert caught.value.exit_code == EXIT_FAULT
    folder = socket_path(tmp_path, "x" * 60).parent
    assert folder != tmp_path, "a long state folder has its sockets elsewhere"
    assert not folder.exists()


def test_a_process_that_dies_without_a_word_is_told_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "site"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text("import os\nprint('no luck today', flush=True)\nos._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with pytest.raises(MicrostaxError, match="(?s)ended with exit code 3 before it was ready.*no luck today"):
        detach(tmp_path / "state")


def test_what_another_control_plane_logged_is_no_reason_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "site"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    (tmp_path / LOG_FILE).write_text("an old story\n")
    with pytest.raises(MicrostaxError, match="ended by signal 9 before it was ready.*is empty") as caught:
        detach(tmp_path)
    assert "an old story" not in caught.value.message


def test_a_start_that_hangs_is_ended_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os, time\nprint('deep in thought', os.getpid(), flush=True)\ntime.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    with pytest.raises(MicrostaxError, match="(?s)not ready after 0.8 s and was ended.*deep in thought") as caught:
        detach(tmp_path / "state", timeout_s=0.8)
    assert caught.value.exit_code == EXIT_FAULT
    pid = int((tmp_path / "state" / LOG_FILE).read_text().split()[-1])
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (
            "import microstax.control.serve as s\ns.run = lambda *a, **k: 1 / 0\n",
            r"could not start \(ZeroDivisionError",
        ),
        ("raise SystemExit('no such module')\n", "no such module"),
        ("import sys\nsys.modules['microstax.control.layout'] = None\n", "ModuleNotFoundError: import of microstax"),
    ],
)
def test_nobody_sees_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str, sentence: str) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(mistake)
    monkeypatch.setenv("PYTHONPATH", str(site))
    with pytest.raises(MicrostaxError, match=sentence) as caught:
        detach(tmp_path / "state")
    assert "Traceback" not in caught.value.message
    assert caught.value.exit_code == EXIT_FAULT


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).mkdir()
    with pytest.raises(MicrostaxError, match=r"Is a directory\).*--state"):
        detach(tmp_path)


def test_a_socket_that_cannot_be_replaced(tmp_path: Path) -> None:
    (tmp_path / MANAGEMENT_SOCKET).mkdir()
    with pytest.raises(MicrostaxError, match=r"management\.sock cannot be made \(Is a directory\).*--state"):
        detach(tmp_path)
