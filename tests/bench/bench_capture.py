"""From a tap's bytes to counted results on one core, and how many mirrored requests a real Envoy makes pairs of."""

import time
from random import Random
from statistics import median

from bench_diff import body
from capture_lab import complete_pairs

from microstax.capture import Chunk, Collector, Expected, Pairer, Redaction, Redactor
from microstax.model.exchange import Headers, Side
from microstax.testing import a_request, a_response, an_exchange, delimited, tap_trace
from microstax.worker.__main__ import collect_garbage_seldom
from microstax.worker.ledger import Ledger

PAIRS = 20_000
RUNS = 5
CHUNK_BYTES = 64 * 1024
REQUEST_HEADERS: Headers = (
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
    ("user-agent", "shop/1.0"),
    ("x-forwarded-proto", "http"),
)
HEADERS: Headers = (
    ("content-type", "application/json"),
    ("date", "Tue, 24 Nov 2026 07:00:00 GMT"),
    ("server", "shop"),
    ("cache-control", "max-age=60"),
    ("vary", "accept-encoding"),
)


def traffic(*, equal: bool) -> list[Chunk]:
    """Return the chunks in which the traces of PAIRS requests come, as a poller hands them on."""
    rng, traces = Random(7), []
    for number in range(PAIRS):
        ids = (("x-request-id", f"{rng.getrandbits(128):032x}"),)
        request = a_request(f"/products/{number % 500}?page=2", headers=(*REQUEST_HEADERS, *ids))
        before = body(rng, at=number)
        after = before if equal else body(rng, price=8.5, at=number + 1)
        for side, content in ((Side.BASELINE, before), (Side.BRANCH, after)):
            response = a_response(content, headers=(*HEADERS, ("content-length", str(len(content)))))
            started_us = time.time_ns() // 1000
            one = an_exchange(side, id=f"id-{number}", request=request, response=response, started_us=started_us)
            traces.append(tap_trace(one))
    data = delimited(traces)
    now_us = time.time_ns() // 1000
    return [Chunk(1, data[start : start + CHUNK_BYTES], now_us) for start in range(0, len(data), CHUNK_BYTES)]


def pairs_per_second(*, equal: bool) -> float:
    """Return how many pairs come from bytes to counts in a second of CPU: the median of RUNS."""
    return median(_pairs_per_second(equal=equal) for _ in range(RUNS))


def _pairs_per_second(*, equal: bool) -> float:
    chunks, ledger = traffic(equal=equal), Ledger("bench")
    rules = Redaction.with_fresh_key()
    collector = Collector(Pairer(), Redactor(rules))
    collector.watch({"catalog": (Expected(overlay="shadow-test"),)}, rules)
    begun = time.process_time()
    for chunk in chunks:
        for command in collector.feed(chunk, now_us=1):
            ledger.take(command, at_ms=1)
    took = time.process_time() - begun
    if ledger.pairs != PAIRS:
        raise RuntimeError(f"{ledger.pairs} of {PAIRS} pairs")
    return PAIRS / took


def run() -> list[tuple[str, str, str]]:
    """Return the rows of the table of budgets."""
    collect_garbage_seldom()
    equal, differing = pairs_per_second(equal=True), pairs_per_second(equal=False)
    return [
        ("decode + redact + pair + diff + count, 1 KiB JSON, equal, by CPU time", f"{equal:,.0f} pairs/s", ">= 15,000"),
        ("the same, differing in 12 values", f"{differing:,.0f} pairs/s", ">= 8,000"),
        *complete_pairs(),
    ]


if __name__ == "__main__":
    for row in run():
        print("{:<78} {:>26}   {}".format(*row))
