"""The table of promises in tests/component/README.md names tests that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TABLE = (ROOT / "tests" / "component" / "README.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", TABLE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`?(tests/[\w/]+\.py)::([\w.]+)`", TABLE)))


def defined(path: Path) -> Iterator[str]:
    """Yield the names of the functions of a file, and `Class.method` for those of its classes."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{m.name}" for m in node.body if isinstance(m, ast.FunctionDef))


def test_every_line_of_the_checklist_has_a_promise_and_a_test() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 67))
    assert all("::" in tests for _, _, tests in ROWS)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_named_test_exists(file: str, name: str) -> None:
    assert name in set(defined(ROOT / file)), f"{file} has no {name}: correct tests/component/README.md"
