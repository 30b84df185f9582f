"""The protocol does no I/O: only the named modules may know of gRPC, of an event loop or of a clock."""

import ast
from pathlib import Path

import pytest

import microstax.xds

FOLDER = Path(microstax.xds.__file__).parent
WITH_IO = {"__init__", "connection", "nodes", "server"}
PURE = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in WITH_IO)
FORBIDDEN = {"asyncio", "grpc", "socket", "subprocess", "sqlite3", "time", "random", "secrets", "threading"}


def imported(path: Path) -> set[str]:
    """Return the top-level names of everything that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("module", PURE)
def test_the_protocol_does_no_io(module: str) -> None:
    names = imported(FOLDER / f"{module}.py")
    assert not {name.partition(".")[0] for name in names} & FORBIDDEN
    assert not names & {f"microstax.xds.{stem}" for stem in WITH_IO}


@pytest.mark.parametrize("module", [*PURE, *sorted(WITH_IO)])
def test_the_library_knows_nothing_of_the_product_but_its_errors(module: str) -> None:
    ours = {name for name in imported(FOLDER / f"{module}.py") if name.startswith("microstax")}
    allowed = ("microstax.xds", "microstax.errors", "microstax.generated.wire")
    assert all(name.startswith(allowed) for name in ours)
