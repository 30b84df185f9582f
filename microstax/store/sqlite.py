"""The store on disk: one SQLite file, one connection, one thread that uses it.

WAL with `synchronous=FULL`: a commit is on the disk when it returns, so neither kill -9 nor a power failure takes back
what was acknowledged; the few commits a second that there are make its price invisible. The event loop never waits in
a call of SQLite's: each method is a function that runs in the store's own thread, as one transaction.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from microstax.errors import StorageError
from microstax.store import results, rows
from microstax.store.port import Applied, DeltaRecord, Merge, PairLimits, PairPage, Results
from microstax.store.schema import prepare
from microstax.store.state import Change, State

T = TypeVar("T")
DATABASE: Final = "state.db"
_ROOM_BYTES: Final = 64 * 1024
"""The write-ahead log's shared memory takes 32 KiB at once."""
_READING: Final = "BEGIN"
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
)


class SqliteStore:
    """Implements Store in `path`; the file has mode 0600, its folder must exist."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    async def open(self) -> State:
        """Open or make the database; raises StorageError where it is damaged, unreadable or of a newer version."""
        return await self._run(self._open)

    async def close(self) -> None:
        """Finish, write the log back into the database and close it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        self._thread.shutdown(wait=False)

    async def commit(self, *changes: Change) -> None:
        """Write all changes in one transaction."""
        await self._transact(lambda db: rows.write_all(db, changes))

    async def next_rule_id(self) -> int:
        """Reserve an id."""
        return await self._transact(rows.reserve_rule)

    async def apply_delta(self, delta: DeltaRecord, merge: Merge) -> Applied | None:
        """Apply a delta in one transaction, once."""
        return await self._transact(lambda db: results.apply_delta(db, delta, merge))

    async def results(self, overlay: str, generation: int) -> Results:
        """Read a generation's results."""
        return await self._read(lambda db: results.read(db, overlay, generation))

    async def counts(self, overlay: str, generation: int) -> Mapping[tuple[str, str], int]:
        """Read a generation's counts."""
        return await self._read(lambda db: results.counts(db, overlay, generation))

    async def last_delta_ms(self) -> int:
        """Read the newest delta's time."""
        return await self._read(results.last_delta_ms)

    async def pair(self, overlay: str, pair_id: str) -> bytes | None:
        """Read one pair."""
        return await self._read(lambda db: results.pair(db, overlay, pair_id))

    async def pairs(self, overlay: str, *, after: int = 0, limit: int = 100) -> PairPage:
        """Read a page of pairs."""
        return await self._read(lambda db: results.pairs(db, overlay, after=after, limit=limit))

    async def prune_pairs(self, overlay: str, limits: PairLimits, *, now_ms: int, referenced: Collection[str]) -> int:
        """Delete what is over the limits."""
        return await self._transact(lambda db: results.prune(db, overlay, limits, now_ms=now_ms, referenced=referenced))

    async def note_refused(self, overlay: str, generation: int, body: str) -> None:
        """Write the list of refused calls."""
        await self._transact(lambda db: results.note_refused(db, overlay, generation, body))

    async def refused(self, overlay: str, generation: int) -> str:
        """Read the list of refused calls."""
        return await self._read(lambda db: results.refused(db, overlay, generation))

    async def forget_node(self, node: str) -> None:
        """Delete a node's counters."""
        await self._transact(lambda db: db.execute("DELETE FROM counter WHERE node = ?", (node,)))

    async def forget_mirrors(self, overlay: str) -> None:
        """Delete the counters of an overlay's mirrors."""
        # An overlay's name is a DNS label: nothing in it is special to GLOB.
        await self._transact(lambda db: db.execute("DELETE FROM counter WHERE name GLOB ?", (f"*/{overlay}",)))

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """Read or store a secret."""
        return await self._transact(lambda db: rows.secret(db, name, fresh))

    def _open(self) -> State:
        # SQLite makes its files with the mode of the database, so the database is there, with its mode, before.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._path.chmod(0o600)
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            self._connection.execute(pragma).fetchall()
        prepare(self._connection, str(self._path))
        self._identity = _identity(self._path)
        return rows.load(self._connection)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # Without the write lock, so that reading goes on where writing cannot.
        return await self._transact(work, begin=_READING)

    async def _transact(self, work: Callable[[sqlite3.Connection], T], *, begin: str = "BEGIN IMMEDIATE") -> T:
        def transaction() -> T:
            db = self._connection
            if db is None:
                raise StorageError(f"{self._path} is closed: the control plane is shutting down.")
            if begin != _READING:
                self._check_in_place()
            db.execute(begin)
            try:
                result = work(db)
            except BaseException:
                _roll_back(db)
                raise
            try:
                db.execute("COMMIT")
            except sqlite3.Error:
                _roll_back(db)
                raise
            return result

        return await self._run(transaction)

    def _check_in_place(self) -> None:
        """Raise StorageError where our file is no longer at its path: what SQLite writes to it nobody would find."""
        if _identity(self._path) != self._identity:
            raise StorageError(
                f"{self._path} was moved away, deleted or replaced while it is in use, so nothing more can be "
                "remembered: put it back, or begin anew with 'microstax down' and 'microstax up'."
            )

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StorageError(explain(self._path, error)) from error
        except OSError as error:
            raise StorageError(
                f"{self._path} cannot be opened ({error.strerror}): give yourself access to it, or name another state "
                "folder with --state."
            ) from error


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _roll_back(db: sqlite3.Connection) -> None:
    # A full disk makes SQLite roll back by itself; then there is nothing left to roll back.
    if db.in_transaction:
        db.execute("ROLLBACK")


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _ROOM_BYTES
    except OSError:
        return False


def explain(path: Path, error: sqlite3.Error) -> str:
    """Return the sentence for a failure of SQLite's: what is wrong with which file, and what to do."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_IOERR and _is_full(path):
        code = sqlite3.SQLITE_FULL  # what SQLite calls it where its shared memory finds no room
    match code:  # the low byte is the primary code (https://www.sqlite.org/rescode.html)
        case sqlite3.SQLITE_FULL:
            return f"The disk of {path} is full, so nothing more can be remembered: free some space; nothing is lost."
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"{path} cannot be written ({error}): give yourself write access to it and its folder."
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return f"{path} is damaged ({error}): move it away to start anew, or restore it from a copy."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"{path} is locked by another program: close what else has it open."
        case _:
            return f"{path} cannot be read or written ({error}): check the disk and the file."
