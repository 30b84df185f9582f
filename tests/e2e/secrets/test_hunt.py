"""The search for canaries finds them in every form: without that, finding none would mean nothing."""

import base64
import json
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgpack
import pytest
from secret_hunt import compressed, files, holds, layers, needles

CANARY = "cnry" + secrets.token_hex(6)
FORMS = {
    "plain": CANARY.encode(),
    "JSON": json.dumps({"a": [CANARY]}).encode(),
    "JSON escapes": "".join(f"\\u{ord(letter):04x}" for letter in CANARY).encode(),
    "percent escapes": "".join(f"%{ord(letter):02x}" for letter in CANARY).encode(),
    "percent escapes, twice": quote("".join(f"%{ord(letter):02x}" for letter in CANARY)).encode(),
    "hex": CANARY.encode().hex().encode(),
    "UTF-16": CANARY.encode("utf-16"),
    **{f"base64 at {at}": base64.b64encode(b"x" * at + CANARY.encode() + b"y" * at) for at in range(6)},
    "msgpack": msgpack.packb({"a": {b"b": [1, CANARY]}}),
    **{name: b"\0" * 7 + data for name, data in compressed(b"q" * 99 + CANARY.encode()).items()},
    "zstd in msgpack in gzip": compressed(msgpack.packb([compressed(CANARY.encode())["zstd"]]))["gzip"],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_found(form: str) -> None:
    data = b"before " + FORMS[form] + b" after" if form != "msgpack" else FORMS[form]
    assert holds(data, needles(CANARY))
    assert not holds(data, needles("cnry" + secrets.token_hex(6)))


def test_it_is_found_in_a_database_and_in_its_log(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE blobs (body BLOB)")
        db.execute("INSERT INTO blobs VALUES (?)", (compressed(CANARY.encode())["zstd"],))
        db.commit()
        found = {name for name, data in files(tmp_path) if holds(data, needles(CANARY))}
    assert found >= {"state.db (values)", "state.db-wal"}


def test_damaged_bytes_are_looked_at_as_far_as_they_go() -> None:
    for data in compressed(CANARY.encode() * 1000).values():
        assert list(layers(data[: len(data) // 2]))
