"""A file for each process that was started: which pid leads it. Survives the control plane, checked before use.

The markers alone cannot tell a leader from a child that made a session of its own, and programs that write their
title over their environment (nginx, PostgreSQL) lose their markers.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from microstax.runtime.marker import parse_key
from microstax.runtime.port import ProcessKey
from microstax.runtime.procfs import ProcessIdentity, boot_id, is_alive


@dataclass(frozen=True, slots=True)
class Leader:
    """A running process that was started for a spec with this digest."""

    identity: ProcessIdentity
    digest: str


class Records:
    """The records in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._boot = boot_id()

    def write(self, key: ProcessKey, leader: Leader) -> None:
        """Keep which process leads `key`; replaces the file as a whole."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = {
            "key": str(key),
            "pid": leader.identity.pid,
            "start_ticks": leader.identity.start_ticks,
            "boot": self._boot,
            "digest": leader.digest,
        }
        path = self._path(key)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(document))
        draft.replace(path)

    def remove(self, key: ProcessKey) -> None:
        """Forget a process."""
        self._path(key).unlink(missing_ok=True)

    def living(self) -> dict[ProcessKey, Leader]:
        """Return the leaders that still run; records of dead ones are removed."""
        found: dict[ProcessKey, Leader] = {}
        for path in sorted(self._folder.glob("*.json")):
            entry = self._read(path)
            if entry and is_alive(entry[1].identity) and _is_ours(entry[1].identity.pid):
                found[entry[0]] = entry[1]
            else:
                path.unlink(missing_ok=True)
        return found

    def _read(self, path: Path) -> tuple[ProcessKey, Leader] | None:
        try:
            document = json.loads(path.read_bytes())
            key = parse_key(document["key"])
            leader = Leader(
                ProcessIdentity(int(document["pid"]), int(document["start_ticks"])), str(document["digest"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # half a file after a power cut: the markers are still there
        return (key, leader) if key and document.get("boot") == self._boot else None

    def _path(self, key: ProcessKey) -> Path:
        return self._folder / f"{key.group}~{key.name}~{key.role}.json"


def _is_ours(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()  # noqa: PTH116
    except OSError:
        return False
