"""The demo's folders come and go as they should, and an interrupt ends it once."""

import io
import signal
from pathlib import Path

import pytest

from microstax.demo.stage import folders, terminable, undisturbed
from microstax.errors import FaultError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interrupt_ends_the_demo_and_the_next_ones_do_not_end_its_cleaning(number: signal.Signals) -> None:
    cleaned = []

    def demo() -> None:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            cleaned.append(number)

    with pytest.raises(KeyboardInterrupt), terminable():
        demo()
    assert cleaned == [number]


def test_cleaning_up_is_not_disturbed_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with terminable(), undisturbed():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_nothing_stays_of_a_demo_that_ended(homes: Path) -> None:
    with folders(None, keep=False, err=io.StringIO()) as (home, state):
        assert home.parent == homes
        assert state.parent == home
    assert list(homes.iterdir()) == []


def test_nothing_stays_of_a_demo_that_was_interrupted(homes: Path) -> None:
    with pytest.raises(KeyboardInterrupt), folders(None, keep=True, err=io.StringIO()):
        raise KeyboardInterrupt
    assert list(homes.iterdir()) == []


def test_the_logs_stay_of_a_demo_that_failed_and_the_user_is_told_where(homes: Path) -> None:
    err = io.StringIO()
    with pytest.raises(FaultError), folders(None, keep=False, err=err) as (home, state):
        raise FaultError("no")
    assert home.exists()
    assert str(state) in err.getvalue()


def test_a_state_folder_of_the_user_stays_with_what_is_in_it(tmp_path: Path) -> None:
    state = tmp_path / "mine"
    state.mkdir()
    (state / "thing").touch()
    with folders(state, keep=False, err=io.StringIO()) as (home, folder):
        assert folder == state
        assert home == state / "demo"
    assert [path.name for path in state.iterdir()] == ["thing"]
