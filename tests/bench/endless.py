"""Traffic in which no path, member, header or value ever comes twice, and what a worker holds while it lasts.

Everything is on: traces are read, redacted and paired with controls (some of them: it would take most of the time),
pairs are compared and counted with signatures, deltas are cut as a worker does and merged as the control plane does.
"""

import gc
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from microstax.capture import Chunk, Collector, Command, Expected, Paired, Pairer, Redaction, Redactor
from microstax.diff import ServiceAggregate
from microstax.model.exchange import Exchange, Response, Side, Triple
from microstax.model.redaction import RedactionRules
from microstax.model.shadow import ControlMode
from microstax.testing import a_request, a_response, an_exchange, delimited, tap_trace
from microstax.worker.__main__ import collect_garbage_seldom
from microstax.worker.ledger import Ledger

CHUNK_PAIRS = 100
READ = 10
"""One in so many chunks is read from its bytes."""
PAIR_US = 100
"""From one request to the next: what is remembered for a time must be forgotten."""
DELTA_PAIRS = 5_000
"""What a worker has for a delta twice a second then."""
REPORTED_PAIRS = 500_000
_BEGUN_US = 1_795_503_600_000_000
_JSON = (("content-type", "application/json"),)
_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst")
_VERBS = ("GET", "PUT", "POST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Memory after so many pairs, and how large the service's results are when they are stored."""

    pairs: int
    resident_bytes: int
    stored_bytes: int
    took_s: float


def resident_bytes() -> int:
    """Return the memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(pairs: int, *, every: int = REPORTED_PAIRS) -> Iterator[Measured]:
    """Feed so many pairs and yield what is held after `every` of them."""
    rng, ledger, merged = random.Random(11), Ledger("bench"), ServiceAggregate.empty()
    collector = _collector()
    begun = time.monotonic()
    for at in range(0, pairs, CHUNK_PAIRS):
        traffic = [_exchanges(number, rng) for number in range(at, min(at + CHUNK_PAIRS, pairs))]
        for command in (*_commands(traffic, collector, at=at), *collector.tick(at * PAIR_US)):
            ledger.take(command, at_ms=at * PAIR_US // 1000)
        fed = at + len(traffic)
        if fed % DELTA_PAIRS == 0 or fed == pairs:
            _report(ledger, merged, at_ms=at * PAIR_US // 1000)
        if fed % every == 0 or fed == pairs:
            gc.collect()
            yield Measured(
                pairs=merged.pairs,
                resident_bytes=resident_bytes(),
                stored_bytes=merged.size_bytes(),
                took_s=time.monotonic() - begun,
            )


def _commands(traffic: list[list[Exchange]], collector: Collector, *, at: int) -> list[Command]:
    """Return what is captured of the traffic: one chunk in READ from its bytes, the others as if they had been read."""
    if at // CHUNK_PAIRS % READ == 0:
        data = delimited(tap_trace(one) for exchanges in traffic for one in exchanges)
        return collector.feed(Chunk(1, data, _BEGUN_US + at * PAIR_US), now_us=at * PAIR_US)
    return [
        Paired(
            Triple(id=base.id, service="catalog", overlay="shadow-test", baseline=base, branch=branch, control=control)
        )
        for base, branch, control in traffic
    ]


def _collector() -> Collector:
    rules = Redaction.of(RedactionRules(json_paths=("$.secret",)), key=bytes(32))
    collector = Collector(Pairer(), Redactor(rules))
    collector.watch({"catalog": (Expected(overlay="shadow-test", control=ControlMode.COPY),)}, rules)
    return collector


def _report(ledger: Ledger, merged: ServiceAggregate, *, at_ms: int) -> None:
    delta = ledger.cut(at_ms=at_ms, lag_ms=0, pending={})
    for service in delta.services if delta is not None else ():
        merged.merge(ServiceAggregate.from_bytes(service.aggregate))


def _exchanges(at: int, rng: random.Random) -> list[Exchange]:
    """Return one request's exchanges: its path is new, and a member, its value, or a header of each answer."""
    path = f"/p{at}/{_word(rng)}?id={at}&{_word(rng)}={at}"
    request = a_request(path, method=_VERBS[at % 3], headers=(("x-request-id", f"{at:032x}"),))
    name = _word(rng)
    return [
        an_exchange(
            side,
            id=f"id-{at}",
            request=request,
            response=_answer(name, at % 3, rng),
            started_us=_BEGUN_US + at * PAIR_US,
            latency_us=rng.randrange(1_000, 90_000),
        )
        for side in Side
    ]


def _answer(name: str, kind: int, rng: random.Random) -> Response:
    """Return an answer whose member `name` has another value on each side (0), or another name (1), or a header (2)."""
    token, number = rng.getrandbits(128), rng.random()
    member = _word(rng) if kind == 1 else name
    value = number if kind else f'"{token:032x}"'
    body = f'{{"{member}":{value},"list":[{{"{name}":1}}],"secret":"{token}","v":{number}}}'
    return a_response(body.encode(), headers=(*_JSON, (f"x-{_word(rng)}", name)) if kind == 2 else _JSON)


def _word(rng: random.Random) -> str:
    """Return a name of 12 letters, which does not look like an id."""
    return f"{rng.getrandbits(48):012x}".translate(_LETTERS)


def main(pairs: int) -> None:
    """Print what is held while `pairs` are fed, and how much it grew after the first fifth."""
    collect_garbage_seldom()
    print(f"{'pairs':>12} {'resident':>12} {'results stored':>16} {'pairs/s so far':>16}")
    first: Measured | None = None
    last: Measured | None = None
    for last in measure(pairs, every=min(REPORTED_PAIRS, max(pairs // 10, 1))):
        if first is None and last.pairs >= pairs // 5:
            first = last
        resident, stored = last.resident_bytes / 2**20, last.stored_bytes / 2**20
        print(
            f"{last.pairs:>12,} {resident:>8.1f} MiB {stored:>12.2f} MiB {last.pairs / last.took_s:>16,.0f}", flush=True
        )
    if first is None or last is None:
        sys.exit("no pairs")
    grown = (last.resident_bytes - first.resident_bytes) / 2**20
    print(f"grown by {grown:+.1f} MiB from {first.pairs:,} to {last.pairs:,} pairs")
