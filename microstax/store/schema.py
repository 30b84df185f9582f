"""The tables of the database and the steps from one version of them to the next.

`PRAGMA user_version` holds the version. A step runs in a transaction of its own and is never changed once released:
a change is a new step at the end.
"""

import sqlite3
from typing import Final

from microstax.errors import StorageError

_FIRST: Final = """
CREATE TABLE environment (name TEXT PRIMARY KEY, spec TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT;
CREATE TABLE promotion (
    environment TEXT PRIMARY KEY REFERENCES environment ON DELETE CASCADE, record TEXT NOT NULL) STRICT;
CREATE TABLE overlay (
    name TEXT PRIMARY KEY, baseline TEXT NOT NULL REFERENCES environment ON DELETE RESTRICT,
    spec TEXT NOT NULL, manifest_diff TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT;
CREATE TABLE shadow (
    overlay TEXT PRIMARY KEY REFERENCES overlay ON DELETE CASCADE, settings TEXT NOT NULL,
    generation INTEGER NOT NULL, since_ms INTEGER NOT NULL, in_force TEXT NOT NULL) STRICT;
CREATE TABLE port (
    owner TEXT NOT NULL, service TEXT NOT NULL, purpose TEXT NOT NULL, port INTEGER NOT NULL,
    PRIMARY KEY (owner, service, purpose)) STRICT;
CREATE TABLE rule (id INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT) STRICT;
CREATE TABLE worker (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE aggregate (
    overlay TEXT NOT NULL REFERENCES overlay ON DELETE CASCADE, generation INTEGER NOT NULL, service TEXT NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (overlay, generation, service)) STRICT;
CREATE TABLE tally (
    overlay TEXT NOT NULL REFERENCES overlay ON DELETE CASCADE, generation INTEGER NOT NULL, service TEXT NOT NULL,
    name TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (overlay, generation, service, name)) STRICT;
CREATE TABLE counter (
    node TEXT NOT NULL, epoch TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (node, epoch, name)) STRICT;
CREATE TABLE pair (
    number INTEGER PRIMARY KEY AUTOINCREMENT, overlay TEXT NOT NULL REFERENCES overlay ON DELETE CASCADE,
    id TEXT NOT NULL, service TEXT NOT NULL, at_ms INTEGER NOT NULL, record BLOB NOT NULL, UNIQUE (overlay, id)) STRICT;
CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""

_KEPT: Final = "ALTER TABLE pair ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;"
_EXPIRING: Final = "ALTER TABLE shadow ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;"

_REFUSED: Final = """
CREATE TABLE refused (
    overlay TEXT PRIMARY KEY REFERENCES overlay ON DELETE CASCADE, generation INTEGER NOT NULL,
    body TEXT NOT NULL) STRICT;
"""

STEPS: Final[tuple[str, ...]] = (_FIRST, _KEPT, _EXPIRING, _REFUSED)
VERSION: Final = len(STEPS)


def prepare(connection: sqlite3.Connection, where: str) -> None:
    """Bring the database to this version's tables. Raises StorageError where a newer version wrote it."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise StorageError(
            f"{where} was written by a newer microstax (its tables are version {found}, this one knows {VERSION}): "
            "run that newer microstax, or name another state folder with --state."
        )
    for number, step in enumerate(STEPS[found:], start=found + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
