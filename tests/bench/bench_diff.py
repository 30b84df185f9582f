"""Comparing and counting, one core: microseconds a pair on 1 KiB JSON answers, and memory without an end of new names.

Decoding and pairing are measured beside; together all must reach 15,000 equal and 8,000 differing pairs a second.
"""

import argparse
import gc
import json
import random
import time

import endless

from microstax.diff import ServiceAggregate
from microstax.model.exchange import Exchange, Headers, Request, Response, Side, Triple

PAIRS = 20_000
ENDLESS_PAIRS = 90_000
HEADERS: Headers = (
    ("content-type", "application/json"),
    ("content-length", "1024"),
    ("date", "Tue, 24 Nov 2026 07:00:00 GMT"),
    ("server", "shop"),
    ("cache-control", "max-age=60"),
    ("etag", '"abc"'),
    ("vary", "accept-encoding"),
)
REQUEST_HEADERS: Headers = (("accept", "application/json"), ("user-agent", "shop/1.0"), ("x-request-id", "1"))


def body(rng: random.Random, *, price: float = 9.5, at: int = 0) -> bytes:
    """Return about 1 KiB of JSON: a page of nine products."""
    items = [
        {"id": f"sku-{number}", "name": f"Product number {number}", "price": price + number, "tags": ["new", "sale"]}
        for number in range(10)
    ]
    page = {"items": items, "total": len(items), "page": {"next": "/products?page=2", "size": 10}}
    noise = {"generated_at": f"2026-11-24T07:00:{at % 60:02}Z", "request": f"{rng.getrandbits(128):032x}"}
    return json.dumps(page | noise, separators=(",", ":")).encode()


def exchange(side: Side, path: str, content: bytes, latency_us: int) -> Exchange:
    """Return one exchange as the collector makes it."""
    request = Request(method="GET", path=path, authority="shop", headers=REQUEST_HEADERS)
    response = Response(status=200, headers=HEADERS, body=content)
    return Exchange(
        id="", side=side, service="catalog", overlay="o", request=request, response=response, latency_us=latency_us
    )


def triples(*, equal: bool, control: bool, number: int = PAIRS) -> list[Triple]:
    """Return pairs with 200 distinct paths; differing ones differ in two noisy fields, and the branch in a third."""
    rng = random.Random(7)
    same = body(rng)
    made = []
    for at in range(number):
        path = f"/products/{at % 200}?page=2"
        bodies = [same] * 3 if equal else [body(rng, at=at), body(rng, at=at + 1, price=9.25), body(rng, at=at + 2)]
        sides = (Side.BASELINE, Side.BRANCH, Side.CONTROL)
        base, branch, other = (
            exchange(side, path, content, rng.randrange(1_000, 9_000))
            for side, content in zip(sides, bodies, strict=True)
        )
        made.append(
            Triple(
                id=f"pair-{at}",
                service="catalog",
                overlay="o",
                baseline=base,
                branch=branch,
                control=other if control else None,
            )
        )
    return made


def microseconds_a_pair(work: list[Triple]) -> float:
    """Return what comparing and counting one pair takes, in microseconds of CPU, with a flush every 1,000 pairs."""
    aggregate = ServiceAggregate.empty()
    gc.collect()
    gc.freeze()  # the pairs were made in advance: a worker does not hold them, so its collector does not walk them
    began = time.process_time()
    for at, triple in enumerate(work, 1):
        aggregate.add(triple)
        if at % 1_000 == 0:
            aggregate.to_bytes()
            aggregate = aggregate.fresh()
    cost = (time.process_time() - began) / len(work) * 1e6
    gc.unfreeze()
    return cost


def delta_bytes(work: list[Triple]) -> tuple[int, int]:
    """Return the bytes of the first and the last delta of 1,000 pairs: what was told once is not told again."""
    sizes = []
    aggregate = ServiceAggregate.empty()
    for at, triple in enumerate(work, 1):
        aggregate.add(triple)
        if at % 1_000 == 0:
            sizes.append(aggregate.size_bytes())
            aggregate = aggregate.fresh()
    return sizes[0], sizes[-1]


def run() -> list[tuple[str, str, str]]:
    """Return the rows (what, figure, budget)."""
    rows = []
    for equal, budget in ((True, "< 20 us"), (False, "< 70 us")):
        for control in (False, True):
            cost = microseconds_a_pair(triples(equal=equal, control=control))
            name = f"compare and count, {'equal' if equal else 'differing'} 1 KiB answers"
            rows.append((f"{name}{', with control' if control else ''}", f"{cost:.1f} us", "" if control else budget))
    begun, settled = delta_bytes(triples(equal=False, control=True))
    sizes = f"{begun / 1024:.1f} -> {settled / 1024:.1f} KiB"
    rows.append((f"delta of 1,000 differing pairs, the first -> after {PAIRS:,}", sizes, ""))
    first, *_, last = endless.measure(ENDLESS_PAIRS, every=ENDLESS_PAIRS // 3)
    figure = f"{first.resident_bytes / 2**20:.1f} -> {last.resident_bytes / 2**20:.1f} MiB"
    what = f"worker's memory, {first.pairs:,} -> {last.pairs:,} pairs, all paths, keys and values new"
    rows.append((what, figure, "flat"))
    rows.append((f"results of a service after {last.pairs:,} such pairs", f"{last.stored_bytes / 2**20:.2f} MiB", ""))
    return rows


def main() -> None:
    """Print the rows; with `--memory N` what is held while N endless pairs are fed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=int, metavar="N", help="feed N pairs in which nothing comes twice")
    pairs = parser.parse_args().memory
    if pairs:
        endless.main(pairs)
        return
    for what, figure, budget in run():
        print(f"{what:<78} {figure:>26}   {budget}")


if __name__ == "__main__":
    main()
