"""The desired state as rows: load all of it, write one change. Runs in the store's thread, inside a transaction."""

import json
import sqlite3
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from microstax.errors import StorageError
from microstax.model.environment import EnvironmentSpec, Promotion
from microstax.model.overlay import OverlaySpec
from microstax.model.shadow import ShadowSettings
from microstax.store import results
from microstax.store.documents import decode, encode
from microstax.store.state import (
    Change,
    DropEnvironment,
    DropOverlay,
    DropRule,
    EnvironmentRecord,
    OverlayRecord,
    PortKey,
    PutEnvironment,
    PutOverlay,
    PutPorts,
    PutRule,
    PutShadow,
    RuleRecord,
    ShadowRecord,
    State,
)


def load(db: sqlite3.Connection) -> State:
    """Return the state that the rows hold; raises StorageError where a row is not what we wrote."""
    try:
        return State(
            environments=MappingProxyType(_environments(db)),
            overlays=MappingProxyType(_overlays(db)),
            shadows=MappingProxyType(_shadows(db)),
            ports=MappingProxyType(
                {PortKey(*row[:3]): row[3] for row in db.execute("SELECT owner, service, purpose, port FROM port")}
            ),
            rules=MappingProxyType(
                {
                    number: decode(RuleRecord, record)
                    for number, record in db.execute("SELECT id, record FROM rule WHERE record IS NOT NULL")
                }
            ),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"The database holds a row that this microstax cannot read ({error}).") from error


def write_all(db: sqlite3.Connection, changes: Iterable[Change]) -> None:
    """Write changes in their order."""
    for change in changes:
        _write(db, change)


def _write(db: sqlite3.Connection, change: Change) -> None:
    match change:
        case PutEnvironment(record):
            _put_environment(db, record)
        case PutOverlay(record):
            _put_overlay(db, record)
        case PutShadow(record):
            _put_shadow(db, record)
        case PutPorts(ports):
            values = [(key.owner, key.service, key.purpose, port) for key, port in ports.items()]
            db.executemany("INSERT OR REPLACE INTO port VALUES (?, ?, ?, ?)", values)
        case PutRule(record):
            db.execute("INSERT OR REPLACE INTO rule VALUES (?, ?)", (record.id, encode(record)))
        case DropRule(number):
            db.execute("DELETE FROM rule WHERE id = ?", (number,))
        case DropEnvironment(name):
            db.execute("DELETE FROM port WHERE owner = ?", (name,))
            db.execute("DELETE FROM environment WHERE name = ?", (name,))
        case DropOverlay(name):
            db.execute("DELETE FROM port WHERE owner = ?", (name,))
            db.execute("DELETE FROM overlay WHERE name = ?", (name,))


def reserve_rule(db: sqlite3.Connection) -> int:
    """Return a new rule id; AUTOINCREMENT never gives an id twice, also not a deleted one's."""
    cursor = db.execute("INSERT INTO rule (record) VALUES (NULL)")
    db.execute("DELETE FROM rule WHERE id = ?", (cursor.lastrowid,))
    return int(cursor.lastrowid or 0)


def secret(db: sqlite3.Connection, name: str, fresh: bytes) -> bytes:
    """Return the stored secret, storing `fresh` where there is none."""
    db.execute("INSERT OR IGNORE INTO secret VALUES (?, ?)", (name, fresh))
    return bytes(db.execute("SELECT value FROM secret WHERE name = ?", (name,)).fetchone()[0])


def _environments(db: sqlite3.Connection) -> dict[str, EnvironmentRecord]:
    query = "SELECT name, spec, created_ms, record FROM environment LEFT JOIN promotion ON environment = name"
    return {name: _environment(*row) for name, *row in db.execute(query)}


def _environment(spec: str, created_ms: int, promotion: str | None) -> EnvironmentRecord:
    return EnvironmentRecord(
        spec=decode(EnvironmentSpec, spec),
        created_ms=created_ms,
        promotion=decode(Promotion, promotion) if promotion else None,
    )


def _overlays(db: sqlite3.Connection) -> dict[str, OverlayRecord]:
    query = "SELECT name, spec, created_ms, manifest_diff FROM overlay"
    return {
        name: OverlayRecord(spec=decode(OverlaySpec, spec), created_ms=created_ms, manifest_diff=manifest_diff)
        for name, spec, created_ms, manifest_diff in db.execute(query)
    }


def _shadows(db: sqlite3.Connection) -> dict[str, ShadowRecord]:
    query = "SELECT overlay, settings, generation, since_ms, in_force, expires_ms FROM shadow"
    return {
        overlay: ShadowRecord(
            overlay=overlay,
            settings=decode(ShadowSettings, settings),
            generation=generation,
            since_ms=since_ms,
            in_force=MappingProxyType(json.loads(in_force)),
            expires_ms=expires_ms,
        )
        for overlay, settings, generation, since_ms, in_force, expires_ms in db.execute(query)
    }


def _put_environment(db: sqlite3.Connection, record: EnvironmentRecord) -> None:
    # An upsert, not a replace: replacing deletes the row first, and the overlays that refer to it forbid that.
    _upsert(db, "environment", {"name": record.spec.name, "spec": encode(record.spec), "created_ms": record.created_ms})
    if record.promotion is None:
        db.execute("DELETE FROM promotion WHERE environment = ?", (record.spec.name,))
    else:
        _upsert(db, "promotion", {"environment": record.spec.name, "record": encode(record.promotion)})


def _put_overlay(db: sqlite3.Connection, record: OverlayRecord) -> None:
    row = {
        "name": record.spec.name,
        "baseline": record.spec.baseline,
        "spec": encode(record.spec),
        "manifest_diff": record.manifest_diff,
        "created_ms": record.created_ms,
    }
    _upsert(db, "overlay", row)


def _put_shadow(db: sqlite3.Connection, record: ShadowRecord) -> None:
    was = db.execute("SELECT generation FROM shadow WHERE overlay = ?", (record.overlay,)).fetchone()
    if was is not None and was[0] != record.generation:
        results.drop(db, record.overlay)
    row = {
        "overlay": record.overlay,
        "settings": encode(record.settings),
        "generation": record.generation,
        "since_ms": record.since_ms,
        "in_force": encode(record.in_force),
        "expires_ms": record.expires_ms,
    }
    _upsert(db, "shadow", row)


def _upsert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Insert a row or update the one with its key, which is the first column. Names are ours, values are bound."""
    key, *others = row
    marks = ", ".join("?" for _ in row)
    updates = ", ".join(f"{name} = excluded.{name}" for name in others)
    statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {updates}"  # noqa: S608
    db.execute(statement, tuple(row.values()))
