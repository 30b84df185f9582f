"""How a process is known to be ours: variables that it and everything it starts carry in their environment.

They are what is left when the control plane was killed: a process with our state folder, its key and the digest of
its spec in /proc/PID/environ was started by a control plane with the same state.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from microstax.runtime.port import ProcessKey, ProcessRole, ProcessSpec
from microstax.runtime.procfs import ProcessInfo, owned_environ, process_ids, process_info

STATE: Final = "MICROSTAX_STATE"
KEY: Final = "MICROSTAX_KEY"
SPEC: Final = "MICROSTAX_SPEC"
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class MarkedProcess:
    """A process that carries our markers."""

    info: ProcessInfo
    key: ProcessKey
    digest: str


def marker_variables(spec: ProcessSpec, *, state: Path) -> dict[str, str]:
    """Return the variables that mark a process of `spec`."""
    return {STATE: str(state), KEY: str(spec.key), SPEC: spec_digest(spec)}


def spec_digest(spec: ProcessSpec) -> str:
    """Return a digest of what runs: a spec that differs only in how it is watched has the same one."""
    runs: dict[str, object] = {
        "command": list(spec.command),
        "environ": dict(sorted(spec.environ.items())),
        "workdir": spec.workdir,
        "address": str(spec.address),
    }
    if spec.denied_ports:
        runs["denied_ports"] = sorted(spec.denied_ports)
    return hashlib.sha256(json.dumps(runs, sort_keys=True).encode()).hexdigest()[:16]


def check_key(key: ProcessKey) -> None:
    """Raise ValueError if a key cannot stand in a file's name."""
    if not (_PART.fullmatch(key.group) and _PART.fullmatch(key.name)):
        raise ValueError(f"not usable as the name of a process: {key}")


def parse_key(text: str) -> ProcessKey | None:
    """Return the key that `str(key)` wrote, or None if it is none."""
    group, slash, name = text.partition("/")
    stem, dot, role = name.rpartition(".")
    if dot and role in set(ProcessRole) - {ProcessRole.SERVICE}:
        return ProcessKey(group, stem, ProcessRole(role))
    return ProcessKey(group, name) if slash and group and name else None


def marked_processes(state: Path) -> list[MarkedProcess]:
    """Return all living processes that carry the markers of this state folder, oldest first."""
    found = []
    for pid in process_ids():
        environ = owned_environ(pid)
        if not environ or environ.get(STATE.encode()) != os.fsencode(state):
            continue
        key = parse_key(environ.get(KEY.encode(), b"").decode("utf-8", "replace"))
        info = process_info(pid)
        if key and info and info.alive:
            found.append(MarkedProcess(info, key, environ.get(SPEC.encode(), b"").decode("ascii", "replace")))
    return sorted(found, key=lambda one: (one.info.identity.start_ticks, one.info.identity.pid))
