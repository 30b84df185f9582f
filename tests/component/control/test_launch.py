"""`up --detach` tells the truth: it answers, or it says why it does not."""

from pathlib import Path

import pytest

from microstax.api import methods
from microstax.api.address import management_address
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
    (tmp_path / DATABASE).write_bytes(b"garbage" * 1000)
    with pytest.raises(MicrostaxError, match="is damaged") as caught:
        detach(tmp_path)
    assert caught.value.exit_code == EXIT_FAULT


def test_a_process_that_dies_without_a_word_is_told_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "site"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text("import os\nprint('no luck today', flush=True)\nos._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with pytest.raises(MicrostaxError, match="(?s)ended before it was ready.*no luck today"):
        detach(tmp_path / "state")
