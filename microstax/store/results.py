"""Results as rows: apply a delta once, read, page and prune. Runs in the store's thread, inside a transaction."""

import sqlite3
from collections.abc import Collection

from microstax.store.port import (
    KEPT,
    KEPT_BYTES,
    Applied,
    CounterReading,
    DeltaRecord,
    ExamplePair,
    Grown,
    Merge,
    PairLimits,
    PairPage,
    PairRow,
    Results,
    Room,
    ServiceResult,
    TallyKey,
    evicted,
)


def apply_delta(db: sqlite3.Connection, delta: DeltaRecord, merge: Merge) -> Applied | None:
    """Merge a delta; None where this worker's sequence is not new."""
    if not _is_new(db, delta):
        return None
    for result in delta.results:
        if _current(db, result.overlay, result.generation):
            _add_result(db, result, merge)
    for node, epoch in {(reading.node, reading.epoch) for reading in delta.readings}:
        # An Envoy's earlier life has nothing more to say.
        db.execute("DELETE FROM counter WHERE node = ? AND epoch <> ?", (node, epoch))
    return Applied(tuple(grown for reading in delta.readings for grown in _read_counter(db, reading)))


def read(db: sqlite3.Connection, overlay: str, generation: int) -> Results:
    """Return a generation's aggregates and counts."""
    where = (overlay, generation)
    aggregates = db.execute("SELECT service, body FROM aggregate WHERE overlay = ? AND generation = ?", where)
    return Results(
        aggregates={service: bytes(body) for service, body in aggregates}, counts=counts(db, overlay, generation)
    )


def counts(db: sqlite3.Connection, overlay: str, generation: int) -> dict[tuple[str, str], int]:
    """Return a generation's counts."""
    query = "SELECT service, name, count FROM tally WHERE overlay = ? AND generation = ?"
    return {(service, name): count for service, name, count in db.execute(query, (overlay, generation))}


def last_delta_ms(db: sqlite3.Connection) -> int:
    """Return when the newest delta was made."""
    return int(db.execute("SELECT coalesce(max(at_ms), 0) FROM worker").fetchone()[0])


def pair(db: sqlite3.Connection, overlay: str, pair_id: str) -> bytes | None:
    """Return one pair's record."""
    row = db.execute("SELECT record FROM pair WHERE overlay = ? AND id = ?", (overlay, pair_id)).fetchone()
    return bytes(row[0]) if row else None


def pairs(db: sqlite3.Connection, overlay: str, *, after: int, limit: int) -> PairPage:
    """Return the page of pairs after row number `after`."""
    query = "SELECT number, record FROM pair WHERE overlay = ? AND number > ? ORDER BY number LIMIT ?"
    found = db.execute(query, (overlay, after, limit + 1)).fetchall()
    page = found[:limit]
    return PairPage(tuple(bytes(record) for _, record in page), page[-1][0] if len(found) > limit else None)


def prune(db: sqlite3.Connection, overlay: str, limits: PairLimits, *, now_ms: int, referenced: Collection[str]) -> int:
    """Delete the pairs that `evicted` names, and what workers of that age said last."""
    db.execute("DELETE FROM worker WHERE at_ms < ?", (now_ms - limits.max_age_ms,))
    query = "SELECT id, at_ms, length(record), kept FROM pair WHERE overlay = ?"
    rows = [PairRow(pair_id, at_ms, size, bool(kept)) for pair_id, at_ms, size, kept in db.execute(query, (overlay,))]
    gone = evicted(rows, limits, now_ms=now_ms, referenced=referenced)
    db.executemany("DELETE FROM pair WHERE overlay = ? AND id = ?", [(overlay, pair_id) for pair_id in gone])
    return len(gone)


def note_refused(db: sqlite3.Connection, overlay: str, generation: int, body: str) -> None:
    """Write a generation's list of refused calls, if it is there."""
    if _current(db, overlay, generation):
        db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", (overlay, generation, body))


def refused(db: sqlite3.Connection, overlay: str, generation: int) -> str:
    """Return a generation's list of refused calls."""
    query = "SELECT body FROM refused WHERE overlay = ? AND generation = ?"
    row = db.execute(query, (overlay, generation)).fetchone()
    return str(row[0]) if row else ""


def drop(db: sqlite3.Connection, overlay: str) -> None:
    """Delete all results of an overlay."""
    for statement in (
        "DELETE FROM aggregate WHERE overlay = ?",
        "DELETE FROM tally WHERE overlay = ?",
        "DELETE FROM pair WHERE overlay = ?",
        "DELETE FROM refused WHERE overlay = ?",
    ):
        db.execute(statement, (overlay,))


def _is_new(db: sqlite3.Connection, delta: DeltaRecord) -> bool:
    row = db.execute("SELECT sequence FROM worker WHERE id = ?", (delta.worker_id,)).fetchone()
    if row is not None and delta.sequence <= row[0]:
        return False
    db.execute("INSERT OR REPLACE INTO worker VALUES (?, ?, ?)", (delta.worker_id, delta.sequence, delta.at_ms))
    return True


def _current(db: sqlite3.Connection, overlay: str, generation: int) -> bool:
    row = db.execute("SELECT generation FROM shadow WHERE overlay = ?", (overlay,)).fetchone()
    return row is not None and row[0] == generation


def _add_result(db: sqlite3.Connection, result: ServiceResult, merge: Merge) -> None:
    key = (result.overlay, result.generation, result.service)
    if result.aggregate:
        where = "overlay = ? AND generation = ? AND service = ?"
        row = db.execute(f"SELECT body FROM aggregate WHERE {where}", key).fetchone()  # noqa: S608  # a constant
        merged = merge(bytes(row[0]) if row else None, result.aggregate)
        db.execute("INSERT OR REPLACE INTO aggregate VALUES (?, ?, ?, ?)", (*key, merged))
    for name, count in result.counts.items():
        _count(db, TallyKey(*key, name), count)
    for one in result.examples:
        _insert(db, one, kept=False)
    if result.kept:
        _keep(db, result)


def _keep(db: sqlite3.Connection, result: ServiceResult) -> None:
    """Take in pairs whatever they show, as many as there is room for."""
    keys = [TallyKey(result.overlay, result.generation, result.service, name) for name in (KEPT, KEPT_BYTES)]
    count, size = (_counted(db, key) for key in keys)
    room = Room(most=result.keep, count=count, size=size)
    for one in result.kept:
        if room.admits(one.record) and _insert(db, one, kept=True):
            room.take(one.record)
    for key, grown in zip(keys, (room.count - count, room.size - size), strict=True):
        _count(db, key, grown)


def _insert(db: sqlite3.Connection, one: ExamplePair, *, kept: bool) -> bool:
    """Store a pair; tell whether it is new."""
    statement = "INSERT OR IGNORE INTO pair (overlay, id, service, at_ms, record, kept) VALUES (?, ?, ?, ?, ?, ?)"
    return db.execute(statement, (one.overlay, one.id, one.service, one.at_ms, one.record, kept)).rowcount > 0


def _counted(db: sqlite3.Connection, key: TallyKey) -> int:
    where = "overlay = ? AND generation = ? AND service = ? AND name = ?"
    values = (key.overlay, key.generation, key.service, key.name)
    row = db.execute(f"SELECT count FROM tally WHERE {where}", values).fetchone()  # noqa: S608  # a constant
    return int(row[0]) if row else 0


def _count(db: sqlite3.Connection, key: TallyKey, count: int) -> None:
    db.execute(
        "INSERT INTO tally VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (overlay, generation, service, name) DO UPDATE SET count = count + excluded.count",
        (key.overlay, key.generation, key.service, key.name, count),
    )


def _read_counter(db: sqlite3.Connection, reading: CounterReading) -> list[Grown]:
    key = (reading.node, reading.epoch, reading.name)
    row = db.execute("SELECT value FROM counter WHERE node = ? AND epoch = ? AND name = ?", key).fetchone()
    last = row[0] if row else 0
    grown = reading.value - last if reading.value >= last else reading.value
    db.execute("INSERT OR REPLACE INTO counter VALUES (?, ?, ?, ?)", (*key, reading.value))
    current = [one for one in reading.tallies if _current(db, one.overlay, one.generation)] if grown else []
    for tally in current:
        _count(db, tally, grown)
    return [Grown(reading.node, tally, grown) for tally in current]
