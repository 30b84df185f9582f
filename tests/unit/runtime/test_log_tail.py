"""The end of a log, whatever is in it."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microstax.runtime.logs import older_log, rotate, tail, tail_text


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.integers(1, 25))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_lines_of_both_parts(tmp_path: Path, lines: list[bytes], wanted: int) -> None:
    """Carriage returns and other bytes are no ends of lines; a rotation in between changes nothing."""
    path = tmp_path / "a.log"
    middle = len(lines) // 2
    path.write_bytes(b"".join(line + b"\n" for line in lines[:middle]))
    older_log(path).unlink(missing_ok=True)
    rotate(path, limit=0)
    with path.open("ab") as log:
        log.write(b"".join(line + b"\n" for line in lines[middle:]))
    assert tail(path, lines=wanted) == b"".join(line + b"\n" for line in lines[-wanted:])


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert tail(tmp_path / "none", lines=10) == b""
    assert tail_text(tmp_path / "none") == ""
    assert not rotate(tmp_path / "none")


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\ntwo\nthr")
    assert tail(tmp_path / "a.log", lines=2) == b"two\nthr"


def test_a_line_longer_than_a_chunk_is_whole(tmp_path: Path) -> None:
    line = b"x" * 200_000 + b"\n"
    (tmp_path / "a.log").write_bytes(b"first\n" + line)
    assert tail(tmp_path / "a.log", lines=1) == line


def test_text_for_an_error_is_indented_and_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"\xff broken\n" + b"y" * 5000 + b"\nlast\n")
    text = tail_text(tmp_path / "a.log", lines=3, limit=100)
    assert text.endswith("\n    last")
    assert len(text) < 120


def test_a_small_log_is_not_rotated(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"12345")
    assert not rotate(tmp_path / "a.log", limit=5)
    assert rotate(tmp_path / "a.log", limit=4)
    assert (tmp_path / "a.log").read_bytes() == b""
