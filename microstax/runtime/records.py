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

    def read(self) -> dict[ProcessKey, Leader | None]:
        """Return the leader of every key that has a record of this boot: None if it does not run any more."""
        entries = filter(None, map(self._read, sorted(self._folder.glob("*.json"))))
        return {key: leader if _runs_for_us(leader) else None for key, leader in entries}

    def _read(self, path: Path) -> tuple[ProcessKey, Leader] | None:
        try:
            document = json.loads(path.read_bytes())
            key = parse_key(str(document["key"]))
            leader = Leader(
                ProcessIdentity(int(document["pid"]), int(document["start_ticks"])), str(document["digest"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # half a file after a power cut: the markers are still there
        return (key, leader) if key and document.get("boot") == self._boot else None

    def _path(self, key: ProcessKey) -> Path:
        return self._folder / f"{key.group}~{key.name}~{key.role}.json"


def _runs_for_us(leader: Leader) -> bool:
    try:
        owner = os.stat(f"/proc/{leader.identity.pid}").st_uid  # noqa: PTH116
    except OSError:
        return False
    return owner == os.geteuid() and is_alive(leader.identity)
