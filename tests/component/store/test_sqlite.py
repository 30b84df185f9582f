"""What only a store on disk can do wrong."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from microstax.errors import StorageError
from microstax.model.shadow import DEFAULT_TTL_MS
from microstax.store import schema
from microstax.store.port import PairLimits
from microstax.store.sqlite import SqliteStore, explain
from microstax.store.state import PutRule, RuleRecord

ENDLESS_WRITER = """
import asyncio, sys
from pathlib import Path
from microstax.store.sqlite import SqliteStore
from microstax.store.state import PutRule, RuleRecord

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    number = 0
    while True:
        number += 1
        await store.commit(PutRule(RuleRecord(id=number)))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_the_file_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        await store.commit(PutRule(RuleRecord(id=1)))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
    await store.close()
    assert modes
    assert set(modes.values()) == {0o600}, modes


async def test_kill_9_of_the_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: ASYNC220  # the test has nothing else to do while it reads
        [sys.executable, "-c", ENDLESS_WRITER, str(tmp_path / "state.db")], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [int(next(writer.stdout)) for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    store = SqliteStore(tmp_path / "state.db")
    state = await store.open()
    await store.close()
    assert set(acknowledged) <= set(state.rules)


async def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.executescript(f"{schema.STEPS[0]} PRAGMA user_version = 1;")
    services = '"services":[]'
    connection.execute("INSERT INTO environment VALUES ('prod', ?, 1)", (f'{{"name":"prod",{services}}}',))
    overlay = f'{{"name":"b","baseline":"prod",{services}}}'
    connection.execute("INSERT INTO overlay VALUES ('b', 'prod', ?, '', 1)", (overlay,))
    connection.execute("INSERT INTO shadow VALUES ('b', '{\"enabled\":true}', 1, 1, '{}')")
    connection.execute("INSERT INTO pair (overlay, id, service, at_ms, record) VALUES ('b', 'p', 'catalog', 1, x'00')")
    connection.commit()
    connection.close()
    store = SqliteStore(path)
    state = await store.open()
    settings = state.shadows["b"].settings
    assert (settings.enabled, settings.recheck_rps, settings.keep_pairs) == (True, 0, 0)
    assert (state.shadows["b"].expires_ms, settings.ttl_ms, settings.strip_headers) == (0, DEFAULT_TTL_MS, ())
    limits = PairLimits(max_age_ms=1, spare_kept=True)
    assert await store.prune_pairs("b", limits, now_ms=100, referenced=()) == 1
    await store.close()


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    store = SqliteStore(path)
    with pytest.raises(StorageError, match=r"newer microstax \(its tables are version 99"):
        await store.open()
    await store.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all" * 100)
    store = SqliteStore(path)
    with pytest.raises(StorageError, match=r"state\.db is damaged"):
        await store.open()
    await store.close()


async def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    """SQLite's own limit on pages gives the same error as a disk without space."""
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    await store.commit(PutRule(RuleRecord(id=1)))
    assert store._connection is not None
    pages = await store._run(lambda: store._connection.execute("PRAGMA page_count").fetchone()[0])  # type: ignore[union-attr]
    await store._run(lambda: store._connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())  # type: ignore[union-attr]
    with pytest.raises(StorageError, match=r"disk of .* is full"):
        await store.commit(*(PutRule(RuleRecord(id=n, reason="x" * 500)) for n in range(2, 100)))
    await store._run(lambda: store._connection.execute("PRAGMA max_page_count = 100000").fetchone())  # type: ignore[union-attr]
    await store.commit(PutRule(RuleRecord(id=2)))
    await store.close()
    again = SqliteStore(tmp_path / "state.db")
    assert set((await again.open()).rules) == {1, 2}
    await again.close()


def test_an_io_error_on_a_full_disk_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a database on a full disk fails with SQLITE_IOERR_SHMSIZE, "disk I/O error"."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert "check the disk" in explain(tmp_path / "state.db", error)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=0))
    assert "is full" in explain(tmp_path / "state.db", error)


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "nowhere" / "state.db")
    with pytest.raises(StorageError, match="cannot be opened"):
        await store.open()
    await store.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    with pytest.raises(StorageError, match="closed"):
        await store.prune_pairs("x", PairLimits(), now_ms=0, referenced=())
    await store.close()


async def test_what_is_there_can_be_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    assert store._connection is not None
    connection = store._connection
    await store._run(lambda: connection.execute("PRAGMA query_only = ON").fetchall())
    assert (await store.results("x", 1)).counts == {}
    assert await store.last_delta_ms() == 0
    with pytest.raises(StorageError, match="cannot be written"):
        await store.commit(PutRule(RuleRecord(id=1)))
    await store.close()


@pytest.mark.parametrize("another", [False, True])
async def test_a_database_that_was_taken_away_is_told_until_it_is_back(tmp_path: Path, *, another: bool) -> None:
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    await store.commit(PutRule(RuleRecord(id=1)))
    names = [path.name for path in tmp_path.iterdir()]
    (tmp_path / "away").mkdir()
    for name in names:
        (tmp_path / name).rename(tmp_path / "away" / name)
    if another:
        (tmp_path / "state.db").write_bytes(b"")
    with pytest.raises(StorageError, match=r"was moved away, deleted or replaced.*put it back"):
        await store.commit(PutRule(RuleRecord(id=2)))
    assert await store.last_delta_ms() == 0
    for name in names:
        (tmp_path / "away" / name).rename(tmp_path / name)
    await store.commit(PutRule(RuleRecord(id=3)))
    await store.close()
    again = SqliteStore(tmp_path / "state.db")
    assert set((await again.open()).rules) == {1, 3}
    await again.close()
