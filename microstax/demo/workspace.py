"""The demo's folder: copies of the shop's env.yaml and patch.yaml with this machine's Python and free ports in them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Final

import yaml

from microstax.runtime.ports import free_port

ENV_FILE: Final = "env.yaml"
PATCH_FILE: Final = "patch.yaml"

_PORT: Final = re.compile(r"^(\s+port: )\d+$", re.MULTILINE)
_PYTHON: Final = re.compile(r"^(\s+command: \[)python,", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with the two files in it. `ports` says at which port of 127.0.0.1 each service is called."""

    folder: Path
    ports: dict[str, int]

    def url(self, service: str) -> str:
        """Return where users call a service."""
        return f"http://127.0.0.1:{self.ports[service]}"


def write_files(folder: Path, python: str) -> Workspace:
    """Write both files into `folder`: the shop then runs with the interpreter `python`, at ports that are free now."""
    environment = _packaged(ENV_FILE)
    ports = free_ports(len(_PORT.findall(environment)))
    environment = with_python(with_ports(environment, ports), python)
    (folder / ENV_FILE).write_text(environment, encoding="utf-8")
    (folder / PATCH_FILE).write_text(with_python(_packaged(PATCH_FILE), python), encoding="utf-8")
    services = yaml.safe_load(environment)["services"]
    return Workspace(folder, {service["name"]: service["port"] for service in services})


def with_ports(text: str, ports: Sequence[int]) -> str:
    """Return an env.yaml with its ports replaced, in their order."""
    nth = count()
    return _PORT.sub(lambda match: f"{match[1]}{ports[next(nth)]}", text)


def with_python(text: str, python: str) -> str:
    """Return the file with the interpreter in the place of `python`; its path may hold anything a path can."""
    quoted = json.dumps(python)
    return _PYTHON.sub(lambda match: f"{match[1]}{quoted},", text)


def free_ports(number: int) -> list[int]:
    """Return different loopback ports that nobody listens on now, and that no connection takes by chance."""
    chosen: set[int] = set()
    while len(chosen) < number:
        chosen.add(free_port(chosen))
    return list(chosen)


def _packaged(name: str) -> str:
    return (files("microstax.demo.shop") / name).read_text(encoding="utf-8")
