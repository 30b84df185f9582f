"""The quick start of README.md, with exactly its files and commands: two servers that know nothing of microstax."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from loopback_ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Two servers of your own")[2].partition("\n## ")[0]
FILES = ("server.py", "env.yaml", "patch.yaml")
README_PORTS = ("9000", "9001", "9002")


def block_after(heading: str) -> str:
    found = re.search(rf"^`{re.escape(heading)}`.*?\n\n```\w+\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no block for {heading}"
    return found[1]


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.split()[1:] for line in lines if line.startswith("microstax ")]


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[list[int]]:
    """Write README.md's files with ports that are free, and start both servers."""
    chosen = [free_port() for _ in range(3)]
    for name in FILES:
        text = block_after(name)
        for written, port in zip(README_PORTS, chosen, strict=True):
            text = text.replace(written, str(port))
        (tmp_path / name).write_text(text, encoding="utf-8")
    servers = [
        subprocess.Popen([sys.executable, str(tmp_path / "server.py"), str(chosen[version]), str(version)])
        for version in (1, 2)
    ]
    yield chosen
    for server in servers:
        server.terminate()
        server.wait()


def test_the_quick_start_shows_the_known_difference(microstax: Any, ports: list[int]) -> None:
    *setting_up, diffs, down = commands()
    assert (diffs[:2], down) == (["env", "diffs"], ["down"])
    for words in setting_up:
        microstax.must(*words)
    for number in range(1, 301):
        with urlopen(f"http://127.0.0.1:{ports[0]}/users/{number}", timeout=10) as answer:
            assert f'"id": {number},'.encode() in answer.read()
    overlay = diffs[2]
    deadline = time.monotonic() + 20
    while (report := microstax.report(overlay)).get("verdict") != "different" and time.monotonic() < deadline:
        time.sleep(0.2)
    [service] = report["services"]
    [endpoint] = service["endpoints"]
    assert (service["service"], endpoint["endpoint"]) == ("users", "GET /users/{id}")
    shapes = {
        (shape["kind"], shape["path"], shape["baseline"], shape["branch"]): shape
        for shape in endpoint["shape"]
        if shape["verdict"] == "different"
    }
    assert {kind_path[:2] for kind_path in shapes} == {("type", "$.id"), ("missing", "$.address.city")}
    different = [value["path"] for value in endpoint["values"] if value["verdict"] == "different"]
    assert different == []
    assert "$.id" in microstax.must(*diffs)
    for shape in shapes.values():
        assert '"address"' in microstax.must("env", "diffs", overlay, "--pair", shape["pair"])
    microstax.must(*down)
