"""microstax beside what people would use in its place, in one run: latency, CPU a request and memory.

No proxy, plain Envoy, Envoy with a mirror written by hand, nginx with `mirror`, and microstax with its shadow off and
at 1%, 10% and 100%; each mirror into a healthy branch and into one that accepts and never answers. Everybody meets the
same load: a fixed rate (a third of what microstax answers and copies here at capacity) in an open loop, and as much as
is answered in a closed loop. They take turns, round after round, so that what else the machine does meets all of them;
figures are medians of the rounds. Then uploads beside a branch that reads nothing.

`python tests/bench/bench_beside.py --charts` also writes tests/bench/charts/beside.json and beside.svg.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import chart_beside
import contestants
import product
import results
from beside_figures import Case, figures, table
from process_cost import forget_peak, peak_bytes
from product import Product
from programs import load, measured, server

from microstax.demo.workspace import free_ports

ROUNDS: Final = 5
SECONDS: Final = 4.0
CAPACITY_SECONDS: Final = 2.5
CONNECTIONS: Final = 32
UPLOADS: Final = 200
UPLOAD_MB: Final = (1, 5)
UPLOAD_SECONDS: Final = 10.0
SHARES: Final = ("1%", "10%", "100%")
HEALTHY, HUNG = "healthy", "hung"


@contextmanager
def staged(folder: Path) -> Iterator[tuple[list[Case], Product]]:
    """Start everybody; give the cases in the order of their turns, and the product."""
    with ExitStack() as stack:
        baseline, healthy, hung = free_ports(3)
        stack.enter_context(server(baseline))
        stack.enter_context(server(healthy))
        stack.enter_context(server(hung, fault="hang"))
        branches = {HEALTHY: healthy, HUNG: hung}
        cases = [Case("no proxy", "", baseline, {})]
        [port] = free_ports(1)
        pids = stack.enter_context(contestants.running_envoy(folder / "plain", port, baseline, None))
        cases.append(Case("plain Envoy", "", port, {"proxy": pids}))
        for kind, branch in branches.items():
            [port] = free_ports(1)
            pids = stack.enter_context(contestants.running_envoy(folder / f"mirror-{kind}", port, baseline, branch))
            cases.append(Case("Envoy, mirror by hand", kind, port, {"proxy": pids}))
        if binary := contestants.nginx_binary():
            for kind, branch in branches.items():
                [port] = free_ports(1)
                running = contestants.running_nginx(binary, folder / f"nginx-{kind}", port, baseline, branch)
                cases.append(Case("nginx, mirror", kind, port, {"proxy": stack.enter_context(running)}))
        ours = stack.enter_context(product.running("msx-bench-beside-"))
        for kind, branch in branches.items():
            ours.environment(kind, baseline)
            ours.overlay(f"next-{kind}", kind, branch)
        cases += _ours(ours)
        yield cases, ours


def _ours(ours: Product) -> list[Case]:
    found = ours.processes()
    apart = {"worker": [found["worker"]], "control plane": [found["control plane"]]}
    groups = {kind: {"proxy": [found[f"tee~{kind}"]], **apart} for kind in (HEALTHY, HUNG)}
    return [
        Case("microstax, off", "", ours.ports[HEALTHY], groups[HEALTHY]),
        *(
            Case(f"microstax, {share}", kind, ours.ports[kind], groups[kind], share=share)
            for kind in (HEALTHY, HUNG)
            for share in SHARES
        ),
    ]


@contextmanager
def _switched(ours: Product, case: Case, *options: str) -> Iterator[None]:
    """Have the shadow of a case of ours on for the block."""
    if not case.share:
        yield
        return
    ours.shadow(f"next-{case.branch}", "--sample", case.share, *options)
    try:
        yield
    finally:
        ours.unshadow(f"next-{case.branch}")


def _turn(ours: Product, case: Case, rate: float) -> None:
    """Measure a case once at the fixed rate and once at capacity."""
    with _switched(ours, case):
        measured(case.port, {}, seconds=0.5, rate=rate, connections=CONNECTIONS)  # connections and code get warm
        before = ours.mirrored(case.branch, f"next-{case.branch}") if case.share else 0
        found = measured(case.port, case.groups, seconds=SECONDS, rate=rate, connections=CONNECTIONS)
        if case.share:
            found["mirrored"] = ours.mirrored(case.branch, f"next-{case.branch}") - before
        case.fixed.append(found)
        found = measured(case.port, case.groups, seconds=CAPACITY_SECONDS, connections=CONNECTIONS)
        case.closed.append(found)


def _uploads(ours: Product, cases: Sequence[Case]) -> None:
    """Send UPLOADS bodies to everybody who stands beside the hung branch, and to those who stand beside none."""
    for case in cases:
        if case.branch == HEALTHY or case.share not in ("", "100%"):
            continue
        with _switched(ours, case, "--unsafe-methods", "--methods", "GET,POST", "--max-body", "1MiB"):
            for size in UPLOAD_MB:
                options = {"requests": UPLOADS, "upload": size * 1_000_000, "seconds": UPLOAD_SECONDS, "grace": 0}
                case.uploads[size] = load(case.port, connections=CONNECTIONS, **options)["answered"]


def measure(*, rounds: int = ROUNDS, only: str = "") -> dict[str, Any]:
    """Return all figures, as results.py writes them; with `only`, of the contestants whose name has that in it."""
    with tempfile.TemporaryDirectory(prefix="msx-bench-beside-") as name, staged(Path(name)) as (cases, ours):
        Path(name).chmod(0o755)
        full = next(case for case in cases if case.share == "100%" and case.branch == HEALTHY)
        capacity = ours.capacity(HEALTHY, f"next-{HEALTHY}", full.port, connections=CONNECTIONS)
        rate = float(round(capacity / 3, -1))
        chosen = [case for case in cases if only in case.name]
        for case in chosen:
            forget_peak(pid for pids in case.groups.values() for pid in pids)
        for nth in range(rounds):
            for case in chosen:
                print(f"... round {nth + 1} of {rounds}: {case.name} {case.branch}", file=sys.stderr, flush=True)
                _turn(ours, case, rate)
        for case in chosen:
            case.peak = {group: peak_bytes(pids) for group, pids in case.groups.items()}
        _uploads(ours, chosen)
    binary = contestants.nginx_binary()
    versions = {"nginx": contestants.nginx_version(binary) if binary else None}
    return {
        **results.about(**versions),
        "rate": rate,
        "rounds": rounds,
        "seconds": SECONDS,
        "connections": CONNECTIONS,
        "uploads": UPLOADS,
        "workers": contestants.WORKERS,
        "cases": [figures(case) for case in chosen],
    }


def run() -> list[tuple[str, str, str]]:
    """Return the rows of the table of budgets."""
    found = measure(rounds=3)
    print("\n".join(table(found)), file=sys.stderr)
    rows = []
    for case in found["cases"]:
        beside = f" beside a {case['branch']} branch" if case["branch"] else ""
        figure = (
            f"p50 {case['p50_ms']:.2f} p99 {case['p99_ms']:.2f} ms, {sum(case['cpu_us'].values()):.0f} us, "
            f"{case['capacity']['rate']:,}/s"
        )
        rows.append((f"{case['name']}{beside}, at {found['rate']:,.0f}/s; CPU; capacity", figure, ""))
    return rows


def main(arguments: Sequence[str]) -> int:
    """Measure and print the table; with --charts, keep the figures and draw them."""
    parser = argparse.ArgumentParser(description="Measure microstax beside what people would use in its place.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of everybody (default %(default)s)")
    parser.add_argument("--charts", action="store_true", help="write tests/bench/charts/beside.json and beside.svg")
    parser.add_argument("--only", default="", metavar="TEXT", help="only contestants with this in their name")
    chosen = parser.parse_args(arguments)
    found = measure(rounds=chosen.rounds, only=chosen.only)
    if chosen.charts:
        results.keep("beside", found, chart_beside.picture(found))
    print("\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
