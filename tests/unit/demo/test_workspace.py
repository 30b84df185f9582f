"""The demo's files are real ones: they parse, they run with this interpreter, and no two demos share a port."""

import stat
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from microstax.blueprint import parse_environment, parse_patch
from microstax.demo.commands import program
from microstax.demo.workspace import free_ports, with_ports, with_python, write_files

SHOP = files("microstax.demo.shop")
SERVICES = {"storefront", "catalog", "pricing", "inventory", "reviews", "orders"}


def test_the_packaged_files_are_valid_as_they_are() -> None:
    environment = parse_environment("shop", (SHOP / "env.yaml").read_text(), file="env.yaml", directory="/")
    patch = parse_patch((SHOP / "patch.yaml").read_text(), file="patch.yaml")
    assert {service.name for service in environment.services} == SERVICES
    assert [service.name for service in patch.services] == ["catalog"]
    assert patch.services[0].command[-1] == "--v2"


@pytest.mark.parametrize("python", ["/usr/bin/python3", '/home/a b/"q"/py: {x}, [y]\\z/python', "/home/ü/python"])
def test_the_written_files_name_the_interpreter_whatever_its_path_is(tmp_path: Path, python: str) -> None:
    workspace = write_files(tmp_path, python)
    environment = parse_environment("shop", (tmp_path / "env.yaml").read_text(), file="env.yaml", directory="/")
    patch = parse_patch((tmp_path / "patch.yaml").read_text(), file="patch.yaml")
    assert {service.command[0] for service in (*environment.services, *patch.services)} == {python}
    assert workspace.ports == {service.name: service.port for service in environment.services}
    assert set(workspace.ports) == SERVICES


def test_comments_survive() -> None:
    text = (SHOP / "env.yaml").read_text()
    changed = with_python(with_ports(text, range(20_000, 20_006)), "/usr/bin/python3")
    assert [line for line in changed.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith("#")
    ]
    assert "port: 20005" in changed


def test_ports_are_all_different() -> None:
    assert len(set(free_ports(50))) == 50


def test_the_command_line_is_the_one_of_this_interpreter() -> None:
    words = program()
    first = Path(words[0])
    assert first.parent == Path(sys.executable).parent
    assert first.stat().st_mode & stat.S_IXUSR
