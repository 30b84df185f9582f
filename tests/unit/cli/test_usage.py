"""Wrong usage: one sentence on stderr, exit code 2, and nothing is sent to anybody."""

from pathlib import Path

import pytest

from microstax.cli import failure
from microstax.cli.failure import EXIT_INTERRUPTED, run
from microstax.errors import EXIT_FAULT, InvalidFileError

WRONG = [
    ("statsu", "'microstax' has no command 'statsu': did you mean 'status'? See 'microstax --help'."),
    ("env promot x", "'microstax env' has no command 'promot': did you mean 'promote'? See 'microstax env --help'."),
    ("zebra", "'microstax' has no command 'zebra': it has up, down, status, demo"),
    ("env shadow x --enabel", "No such option '--enabel'. Did you mean '--enable'?"),
    ("env shadow x", "Say --enable to start mirroring or --disable to stop it."),
    ("env shadow x --enable --disable", "--enable and --disable exclude each other: give one of them."),
    ("env shadow x --enable --sample 200%", "'200%' is no share: write 25% or 0.25"),
    ("env shadow x --enable --max-body huge", "'huge' is no size: write bytes or a unit, like 4096, 64KiB or 1MB."),
    ("env shadow x --enable --max-rps 0", "0 is not in the range 1<=x<=1000000."),
    ("env shadow x --enable --control twin", "'twin' is not one of 'copy', 'self', 'none'."),
    ("env shadow x --disable --sample 5%", "--sample says how to mirror and has no meaning with --disable"),
    ("env shadow x --disable --ttl never", "--ttl says how to mirror and has no meaning with --disable"),
    ("env shadow x --disable --service s", "--service says how to mirror and has no meaning with --disable"),
    ("env shadow --enable", "Missing argument 'NAME': say of which overlay, or --disable-all for every one there is."),
    ("env shadow x --disable-all", "--disable-all is about every shadow there is: leave the name 'x' out."),
    ("env shadow --disable-all --disable", "--disable-all is about every shadow there is: leave --disable out."),
    ("env shadow --disable-all --enable", "--disable-all is about every shadow there is: leave --enable out."),
    ("env shadow --disable-all --sample 5%", "--sample says how to mirror and has no meaning with --disable-all"),
    ("env shadow x --enable --ttl soon", "'soon' is no time: write it like 30m, 24h or 7d, or never."),
    ("env shadow x --enable --ttl 0s", "'0s' is no time: write it like 30m, 24h or 7d, or never."),
    ("env shadow x --enable --max-total-rps 0", "0 is not in the range 1<=x<=1000000."),
    ("env shadow x --enable --strip-header :path", "--strip-header :path is no header but a part of the request line"),
    ("env shadow x --enable --strip-header Host", "--strip-header host would leave a request that no server can read"),
    ("env shadow x --enable --strip-header two,one", "'two,one' is no name of a header: write it like authorization"),
    ("env shadow x --enable --strip-header te", "--strip-header te is about one connection (RFC 9110, 7.6.1)"),
    (
        "env shadow x --enable --strip-header cookie --no-strip-headers",
        "--strip-header and --no-strip-headers contradict each other: leave one of them out.",
    ),
    ("env diffs", "Missing argument 'NAME'."),
    ("env diffs x y", "unexpected extra argument (y)"),
    ("env diffs x --wait soon", "'soon' is no duration: write it like 30s, 5m or 1h."),
    ("env diffs x --watch --gate", "cannot be used with --gate"),
    ("env diffs x --watch --wait 5m", "cannot be used with --wait"),
    ("env diffs x --watch --pair 1", "cannot be used with --pair"),
    ("env diffs x --watch -o html", "--watch can be printed as table or json, not as html."),
    ("env diffs x --pair 1 -o junit", "--pair can be printed as table or json, not as junit."),
    ("env diffs x --pair 1 --gate", "--pair shows one pair, which has no verdict"),
    ("env diffs x --kind colour", "'colour' is not one of 'status', 'shape', 'value', 'header', 'missing'"),
    ("ignore add --kind colour", "'colour' is not one of"),
    ("env diffs x -o yaml", "'yaml' is not one of"),
    ("env create x", "Missing option '--file'."),
    ("overlay create --file p --name n", "Missing option '--baseline'."),
    ("ignore add --reason why", "would ignore everything"),
    ("ignore add --path $.a --expires soon", "'soon' is no day: write it like 2027-03-01, or never."),
    ("ignore suggest", "Name an overlay, or a file of pairs with --pairs-file: one of the two."),
    ("ignore suggest x --pairs-file y", "Name an overlay, or a file of pairs with --pairs-file: one of the two."),
    ("ignore suggest x --expires 2027-02-30", "There is no day 2027-02-30: write one like 2027-03-01, or never."),
    ("env diffs x --alpha 0.6", "'0.6' is no error rate: write it like 0.05 or 5%; it is at most 0.5."),
    ("env diffs x --alpha nan", "'nan' is no error rate"),
    ("env diffs x --tolerance 200%", "'200%' is no share"),
    ("env diffs x --fail-on slower", "--fail-on says when a gate fails: add --gate."),
    ("env diffs x --gate --fail-on slow", "'slow' is nothing to fail on: write some of different,undecided,slower."),
    ("env diffs x --rules r.yaml --no-rules", "--rules and --no-rules exclude each other: give one of them."),
    ("env diffs x --rules r.yaml", "r.yaml: no such file; check the path given with --rules."),
    ("diff x --fail-on slower", "--fail-on says when a gate fails: add --gate."),
    ("ignore remove one", "'one' is not a valid integer"),
    ("completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'."),
]


@pytest.fixture(autouse=True)
def _nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROSTAX_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("line", "sentence"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_usage(line: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Error: ")
    assert shown.err.count("\n") == 1
    assert sentence in shown.err


FILES = [
    (None, "env.yaml: no such file; check the path given with --file."),
    (b"services: \xff\xfe", "env.yaml, line 1: is not UTF-8 text; save it as UTF-8."),
    (b"services:\n- name: a\n\0\0", "env.yaml, line 3: holds binary data, not YAML."),
    (b"#" * (4 * 1024 * 1024 + 1), "env.yaml: is larger than 4 MiB"),
]


@pytest.mark.parametrize(("content", "sentence"), FILES)
@pytest.mark.parametrize(
    "command", ["env create n --file", "env promote n --file", "overlay create --baseline b --name n --file"]
)
def test_a_file_that_cannot_be_used(
    command: str, content: bytes | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "env.yaml").write_bytes(content)
    assert run([*command.split(), "env.yaml"]) == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "create", "n", "--file", str(tmp_path)]) == 2
    assert "is a folder; name the YAML file in it." in capsys.readouterr().err


def test_nobody_at_the_management_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "list"]) == 4
    shown = capsys.readouterr().err
    assert shown.startswith("Error: No control plane answers at unix:")
    assert "start one with 'microstax up --detach'" in shown
    assert shown.count("\n") == 1


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def invoke(_arguments: object) -> int:
        raise error

    monkeypatch.setattr(failure, "_invoke", invoke)


def test_a_mistake_of_ours_names_a_file_and_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    failing(monkeypatch, KeyError("surprise"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run([]) == EXIT_FAULT
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    [trace] = tmp_path.glob("microstax-trace-*.txt")
    assert str(trace) in shown
    assert "KeyError: 'surprise'" in trace.read_text()
    assert trace.stat().st_mode & 0o077 == 0


def test_a_mistake_that_cannot_be_written_down_is_still_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    failing(monkeypatch, KeyError("surprise"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert run([]) == EXIT_FAULT
    assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert run([]) == EXIT_INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_sentence_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, InvalidFileError("bad \x1b[2Jname", file="a.yaml", line=3))
    assert run([]) == 2
    assert capsys.readouterr().err == "Error: a.yaml, line 3: bad \\x1b[2Jname\n"


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, OSError(28, "No space left on device"))
    assert run([]) == EXIT_FAULT
    assert capsys.readouterr().err == (
        "Error: The output cannot be written: No space left on device; free space or write elsewhere.\n"
    )
