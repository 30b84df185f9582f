"""Record the bodies that bench_differs.py compares: `python tests/bench/record_bodies.py` writes bodies.msgpack.zst.

The demo's catalog and its second version answer the same requests of the demo's users, in real processes; half of the
pairs are the two answers, the other half the first version's with a fault of the self-test. A few awkward ones are
written by hand: what JSON allows and parsers lose.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import msgpack
import zstandard
from aiohttp import ClientSession

from microstax.demo.traffic import calls
from microstax.demo.workspace import free_ports
from microstax.diff.json_text import compact, parse
from microstax.selftest import FAULTS
from microstax.selftest.catalogue import Fault
from microstax.selftest.edits import holders
from microstax.selftest.spots import Target
from microstax.selftest.survey import members_of

FILE: Final = Path(__file__).with_name("bodies.msgpack.zst")
PAIRS: Final = 1_000
SEED: Final = 20_261_124
AWKWARD: Final = (
    (b'{"total":1,"at":"x"}', b'{"total":1.0,"at":"x"}'),
    (b'{"total":1,"ok":true}', b'{"total":1,"ok":1}'),
    (b'{"id":12345678901234567890123}', b'{"id":12345678901234567890124}'),
    (b'{"role":"user","role":"admin"}', b'{"role":"admin"}'),
    (b'{"items":[]}', b'{"items":[{"id":1}]}'),
    (b'{"items":[{"id":1,"n":2},{"id":2,"n":3}]}', b'{"items":[{"id":2,"n":3},{"id":1,"n":4}]}'),
    (b'{"tags":["a","a","b"]}', b'{"tags":["a","b","b"]}'),
    (b'{"a":{"b":{"c":1}}}', b'{"a":{"b":1}}'),
    (b"[1,2,3]", b"[3,2,1]"),
    (b'{"a":null}', b"{}"),
)
"""Whole numbers with a point, booleans as numbers, integers above 64 bits, members that repeat, order, multiplicity."""


async def record() -> list[list[bytes]]:
    """Return pairs of bodies, [path, first version's, second version's]."""
    ports = dict(zip(("pricing", "inventory", "v1", "v2"), free_ports(4), strict=True))
    variables = {f"{name.upper()}_SERVICE_{part}": value for name in ("pricing", "inventory")
                 for part, value in (("HOST", "127.0.0.1"), ("PORT", str(ports[name])))}  # fmt: skip
    words = {"pricing": ["pricing"], "inventory": ["inventory"], "v1": ["catalog"], "v2": ["catalog", "--v2"]}
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "microstax.demo.shop", *words[name],
            env={**os.environ, **variables, "PORT": str(port)}, stdout=asyncio.subprocess.DEVNULL,
        )
        for name, port in ports.items()
    ]  # fmt: skip
    try:
        async with ClientSession() as session:
            for port in ports.values():
                await _ready(session, f"http://127.0.0.1:{port}/healthz")
            return [await _pair(session, path, ports) for path in islice(_paths(), PAIRS - len(AWKWARD))]
    finally:
        for process in processes:
            process.terminate()
            await process.wait()


def _paths() -> Iterator[str]:
    for call in calls(SEED):
        if call.service == "catalog" and call.method == "GET":
            yield call.path


async def _pair(session: ClientSession, path: str, ports: dict[str, int]) -> list[bytes]:
    bodies = []
    for version in ("v1", "v2"):
        async with session.get(f"http://127.0.0.1:{ports[version]}{path}") as answer:
            bodies.append(await answer.read())
    return [path.encode(), *bodies]


async def _ready(session: ClientSession, url: str) -> None:
    while True:
        try:
            async with session.get(url):
                return
        except OSError:
            await asyncio.sleep(0.1)


def with_faults(pairs: list[list[bytes]]) -> Iterator[list[bytes]]:
    """Yield the pairs, every second one with a fault in place of the second version's answer."""
    faults = cycle([fault for fault in FAULTS if fault.target is Target.MEMBER])
    for at, (path, first, second) in enumerate(pairs):
        yield [path, first, second if at % 2 else _faulty(first, faults)]


def _faulty(body: bytes, faults: Iterator[Fault]) -> bytes:
    members = list(members_of(parse(body)))
    for fault in islice(faults, 2 * len(FAULTS)):
        for steps, value in members:
            document = parse(body)
            if fault.fits(value) and fault.edit is not None:
                done = [fault.edit(holder, str(steps[-1])) for holder in holders(document, steps)]
                if any(done):
                    return compact(document)
    return body


def main() -> None:
    """Write the file."""
    pairs = [*with_faults(asyncio.run(record())), *([b"", *pair] for pair in AWKWARD)]
    packed: Any = msgpack.packb(pairs)
    FILE.write_bytes(zstandard.ZstdCompressor(level=19).compress(packed))
    print(f"{FILE.name}: {len(pairs)} pairs, {len(packed):,} bytes, {FILE.stat().st_size:,} compressed")


if __name__ == "__main__":
    main()
