"""The command line and the control plane find each other, whatever the state folder is called."""

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.api.address import (
    MAX_SOCKET_PATH,
    management_address,
    prepare_folders,
    remove_sockets,
    socket_path,
    state_folder,
    tidy_folders,
)
from microstax.errors import FaultError, UsageError


def test_an_explicit_folder_wins_over_the_variable(tmp_path: Path) -> None:
    assert state_folder(str(tmp_path), {"MICROSTAX_STATE": "/elsewhere"}) == tmp_path
    assert state_folder(None, {"MICROSTAX_STATE": str(tmp_path)}) == tmp_path


def test_the_default_is_the_users_state_folder(tmp_path: Path) -> None:
    assert state_folder(None, {"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "microstax"
    assert state_folder(None, {}) == Path.home() / ".local/state/microstax"


def test_a_link_and_its_target_are_one_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert state_folder(str(tmp_path / "link"), {}) == state_folder(str(tmp_path / "real"), {})


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(UsageError, match="--state"):
        state_folder("a\0b", {})


def test_a_short_plain_folder_holds_its_own_sockets() -> None:
    assert socket_path(Path("/tmp/s"), "management.sock") == Path("/tmp/s/management.sock")
    assert management_address(Path("/tmp/s")) == "unix:/tmp/s/management.sock"


@given(
    folder=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
    name=st.from_regex(r"[a-z0-9-]{1,80}\.sock", fullmatch=True),
)
def test_every_socket_path_can_be_bound(folder: str, name: str) -> None:
    """Whatever the state folder is called, a socket's path fits and is made of plain characters."""
    path = socket_path(Path("/s") / folder.lstrip("/"), name)
    assert len(os.fsencode(path)) <= MAX_SOCKET_PATH
    assert str(path).isascii()
    assert " " not in str(path)


def test_long_names_stay_apart() -> None:
    state = Path("/tmp/s")
    assert socket_path(state, "a" * 70 + "1.sock") != socket_path(state, "a" * 70 + "2.sock")


def test_a_socket_of_a_long_folder_works_and_is_private(tmp_path: Path) -> None:
    state = tmp_path / ("long" * 40)
    prepare_folders(state)
    path = socket_path(state, "management.sock")
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert management_address(state) == f"unix:{path}"
        path.parent.chmod(0o755)
        with pytest.raises(FaultError, match="only you can enter"):
            management_address(state)
        tidy_folders(state)
        assert path.exists()
    finally:
        path.unlink()
        tidy_folders(state)
    assert not path.parent.exists()
    tidy_folders(state)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FaultError, match="--state"):
        prepare_folders(tmp_path / "file" / "state")


def test_a_folder_of_ours_is_closed_to_others(tmp_path: Path) -> None:
    for content in ((), ("lock", "state.db")):
        state = tmp_path / f"state{len(content)}"
        state.mkdir(mode=0o755)
        for name in content:
            (state / name).touch()
        prepare_folders(state)
        tidy_folders(state)
        assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_folder_with_other_things_in_it_keeps_its_mode(tmp_path: Path) -> None:
    """Whoever names a shared folder by mistake must not find everybody else locked out of it."""
    (tmp_path / "letter.txt").touch()
    tmp_path.chmod(0o755)
    prepare_folders(tmp_path)
    tidy_folders(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    tmp_path.chmod(0o1777)
    with pytest.raises(FaultError, match="others can write to it.*--state"):
        prepare_folders(tmp_path)
    tidy_folders(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


def test_sockets_that_were_left_are_removed(tmp_path: Path) -> None:
    prepare_folders(tmp_path)
    path = socket_path(tmp_path, "x.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    (tmp_path / "no.sock").touch()
    remove_sockets(tmp_path)
    assert not path.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["no.sock"]
