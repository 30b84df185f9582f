"""What production notices of a broken branch: the baseline's p99 with everything mirrored into it, against no shadow.

Six branches: one that accepts and never answers, one that falls over every hundred requests, one that resets every
connection, one that takes 100 times as long, one that answers 10 MB, and one that is not there. Traffic is steady, at a
third of what is answered and mirrored at capacity; the shadow goes on and off in turns, and each slice with it is
held against the one before without it, so that what else the machine does cancels. Every answer is compared. A copy of
every request is asked for; how many were made is shown, since the control plane lowers the share for a branch that does
not keep up. The baseline's service takes 5 ms, without CPU: `--service-ms 0` shows what is added where a service takes
no time at all.

Ten minutes with the default options: `make bench-production`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any, Final

import product
from process_cost import forget_peak, peak_bytes, rss_bytes
from product import Product
from programs import load, server

from microstax.demo.workspace import free_ports

BASELINE: Final = "production"
SERVICE_MS: Final = 5.0
SLOWER: Final = 100
TURNS: Final = 5
SECONDS: Final = 9.0
CONNECTIONS: Final = 128
CAPACITY_CONNECTIONS: Final = 256
FAULTS: Final = {
    "hung": "accepts and never answers",
    "crashing": "falls over every 100 requests",
    "resetting": "resets every connection",
    "slow": "takes 100 times as long",
    "large": "answers 10 MB",
    "dead": "nobody listens",
}
BUDGET: Final = 1.10
BUDGET_MIB: Final = 64
_SERVED: Final = {
    "hung": "hang",
    "crashing": "crash",
    "resetting": "reset",
    "slow": "none",
    "large": "large",
    "dead": "none",
}


def measure(*, faults: Sequence[str], turns: int, seconds: float, service_ms: float) -> dict[str, Any]:
    """Return, by fault, every turn's figures without and with the shadow; and the tee's memory."""
    with ExitStack() as stack:
        baseline, healthy, *ports = free_ports(2 + len(faults))
        stack.enter_context(server(baseline, delay_ms=service_ms))
        stack.enter_context(server(healthy))
        ours = stack.enter_context(product.running("msx-bench-production-"))
        port = ours.environment(BASELINE, baseline)
        ours.overlay("healthy", BASELINE, healthy)
        for fault, branch in zip(faults, ports, strict=True):
            delay_ms = max(service_ms, 1.0) * SLOWER if fault == "slow" else 0.0
            with ExitStack() as here:  # the dead one lives until its overlay is made
                stays = here if fault == "dead" else stack
                stays.enter_context(server(branch, fault=_SERVED[fault], delay_ms=delay_ms))
                ours.overlay(fault, BASELINE, branch)
        tee = [ours.processes()[f"tee~{BASELINE}"]]
        capacity = ours.capacity(BASELINE, "healthy", port, connections=CAPACITY_CONNECTIONS)
        rate = float(round(capacity / 3, -1))
        begun = rss_bytes(tee)
        forget_peak(tee)
        found = {fault: [_turn(ours, fault, port, rate, seconds) for _ in range(turns)] for fault in faults}
        return {
            "rate": rate,
            "faults": found,
            "memory": {"begun": begun, "peak": peak_bytes(tee), "end": rss_bytes(tee)},
        }


def _turn(ours: Product, fault: str, port: int, rate: float, seconds: float) -> dict[str, Any]:
    options = {"rate": rate, "seconds": seconds, "connections": CONNECTIONS}
    print(f"... {fault}", file=sys.stderr, flush=True)
    without = load(port, **options)
    ours.shadow(fault)
    try:
        load(port, rate=rate, seconds=0.5)  # the shares have come to every thread
        before = ours.mirrored(BASELINE, fault)
        beside = load(port, **options)
        beside["mirrored"] = ours.mirrored(BASELINE, fault) - before
    finally:
        ours.unshadow(fault)
    return {"off": without, "on": beside}


def rows(found: dict[str, Any], service_ms: float) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table of budgets."""
    bad = changed = answered = 0
    for fault, turns in found["faults"].items():
        off, on = (median(turn[which]["p99_ms"] for turn in turns) for which in ("off", "on"))
        ratios = sorted(turn["on"]["p99_ms"] / turn["off"]["p99_ms"] for turn in turns)
        share = median(turn["on"]["mirrored"] / turn["on"]["sent"] for turn in turns)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        figure = f"{median(ratios):.2f} ({spread}; {off:.2f} -> {on:.2f} ms; {share:.0%} mirrored)"
        what = f"baseline p99 at {found['rate']:,.0f}/s of {service_ms:g} ms, branch {FAULTS[fault]}, against no shadow"
        yield what, figure, f"<= {BUDGET:.2f}"
        for turn in turns:
            bad += turn["on"]["failed"] + turn["on"]["unanswered"]
            changed += turn["on"]["changed"]
            answered += turn["on"]["answered"]
    yield "  answers that failed or were other ones meanwhile", f"{bad + changed} of {answered:,}", "0"
    memory = {name: size / 2**20 for name, size in found["memory"].items()}
    figure = f"{memory['begun']:.0f} -> {memory['end']:.0f} MiB, peak {memory['peak']:.0f}"
    yield "  the tee's memory over all of that", figure, f"flat, under +{BUDGET_MIB} MiB"


def run(turns: int = TURNS, seconds: float = SECONDS, service_ms: float = SERVICE_MS) -> list[tuple[str, str, str]]:
    """Return the rows of the table of budgets."""
    found = measure(faults=tuple(FAULTS), turns=turns, seconds=seconds, service_ms=service_ms)
    return list(rows(found, service_ms))


def main(arguments: Sequence[str]) -> int:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(description="Measure what production notices of a broken branch.")
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="only this one; may be repeated")
    parser.add_argument("--turns", type=int, default=TURNS, help="off and on, so often (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="each of the two (default %(default)s)")
    parser.add_argument("--service-ms", type=float, default=SERVICE_MS, help="time to an answer (default %(default)s)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    chosen = parser.parse_args(arguments)
    faults = tuple(chosen.fault or FAULTS)
    found = measure(faults=faults, turns=chosen.turns, seconds=chosen.seconds, service_ms=chosen.service_ms)
    if chosen.output == "json":
        print(json.dumps(found))
        return 0
    for what, figure, budget in rows(found, chosen.service_ms):
        print(f"{what:<92} {figure:>44}   {budget}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
