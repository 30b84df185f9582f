"""The soak: steady traffic through the real product for half an hour, while its parts are killed at random.

500 requests a second pass a tee whose shadow is on, into a branch and a control copy. Branch, worker, bridge and
control plane are killed with SIGKILL at times that a seed decides; the control plane is started again as a user would,
by `up`, and the rest comes back by itself. At the end: not one request failed, not one answer was another one, no
process grew, the account of the copies adds up, and nothing is left behind. Exit code 1 where one of these does not
hold.

`python tests/bench/soak.py --minutes 5 --charts` also writes tests/bench/charts/soak.json and soak.svg.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import chart_soak
import results
import soak_stage
from process_cost import rss_bytes
from product import Product
from programs import load_command
from trend import Reading, growth_per_s, longest_s

from microstax.runtime.marker import marked_processes

RATE: Final = 500.0
EVERY_S: Final = 5.0
CONNECTIONS: Final = 32
GROWTH_MIB: Final = 16.0
"""What a process's memory may grow by in its longest life, by the rate of all its lives."""
SETTLE_S: Final = 120.0
WATCHED: Final = ("tee", "bridge", "control plane", "worker")


class Soak:
    """One run. `readings` holds every process's memory, `told` the load's counts, each with its time."""

    def __init__(self, ours: Product, *, seconds: float, rate: float, plan: Sequence[soak_stage.Kill]) -> None:
        self._ours, self._seconds, self._rate = ours, seconds, rate
        self._plan = plan
        self.killed: list[soak_stage.Kill] = []
        self.readings: dict[str, list[Reading]] = {name: [] for name in WATCHED}
        self.told: list[dict[str, Any]] = []
        self._control_plane = int(ours.document("status")["pid"])

    def run(self, port: int) -> dict[str, Any]:
        """Send, kill and read until the time is over; return the load's summary."""
        options = {"rate": self._rate, "seconds": self._seconds, "connections": CONNECTIONS, "grace": 15}
        command = load_command(port, every=EVERY_S, **options)
        with tempfile.TemporaryFile("w+") as out, subprocess.Popen(command, stdout=out) as load:
            begun, due = time.monotonic(), 0.0
            waiting = list(self._plan)
            while load.poll() is None:
                now = time.monotonic() - begun
                if now >= due:
                    due += EVERY_S
                    self._read(now)
                if waiting and now >= waiting[0].at_s:
                    self._kill(waiting.pop(0), now)
                time.sleep(0.1)
            out.seek(0)
            *self.told, summary = [json.loads(line) for line in out]
        return dict(summary)

    def _read(self, now: float) -> None:
        found = {**soak_stage.pids(self._ours), "control plane": self._control_plane}
        for name in WATCHED:
            if name in found and (rss := rss_bytes([found[name]])):
                self.readings[name].append(Reading(round(now, 1), found[name], rss))
        if sys.stderr.isatty():
            print(f"\r... {now / 60:.1f} of {self._seconds / 60:g} minutes", end="", file=sys.stderr, flush=True)

    def _kill(self, kill: soak_stage.Kill, now: float) -> None:
        """Kill one; who is being started just now is spared."""
        if kill.who == "control plane":
            soak_stage.end(self._control_plane)
            self._ours.run("up", "--detach")
            self._control_plane = int(self._ours.document("status")["pid"])
        elif pid := soak_stage.pids(self._ours).get(kill.who):
            soak_stage.end(pid)
        else:
            return
        self.killed.append(soak_stage.Kill(round(now, 1), kill.who))


def account(ours: Product) -> dict[str, Any]:
    """Return the report's coverage once no copy is pending any more, or when waiting is over."""
    ends = time.monotonic() + SETTLE_S
    while True:
        coverage = dict(ours.document("env", "diffs", soak_stage.OVERLAY)["coverage"])
        if not coverage["not_compared"].get("pending") or time.monotonic() > ends:
            return coverage
        time.sleep(1)


def measure(
    *, minutes: float, rate: float, seed: int, spared: Collection[str] = (), pace: float = 1.0
) -> dict[str, Any]:
    """Run the soak; return everything that was found, with `wrong`: sentences, empty if all is well."""
    folder = Path(tempfile.mkdtemp(prefix="msx-soak-"))
    ours = Product(folder)
    ours.run("up", "--detach")
    try:
        port = soak_stage.build(ours)
        plan = soak_stage.kills(minutes * 60, seed, spared, pace)
        soak = Soak(ours, seconds=minutes * 60, rate=rate, plan=plan)
        summary = soak.run(port)
        coverage = account(ours)
    except RuntimeError:
        print(f"The logs of this soak are below {ours.state / 'logs'}.", file=sys.stderr)
        raise
    finally:
        ours.run("down")
    complaints = soak_stage.complaints(ours.state)
    left = [str(one.key) for one in marked_processes(ours.state)]
    found = {
        **results.about(),
        "minutes": minutes,
        "rate": rate,
        "seed": seed,
        "load": summary,
        "told": soak.told,
        "kills": [[one.at_s, one.who] for one in soak.killed],
        "memory_mib": {name: [[one.at_s, one.pid, _mib(one.rss)] for one in soak.readings[name]] for name in WATCHED},
        "growth_mib": {name: _growth(soak.readings[name]) for name in WATCHED},
        "coverage": coverage,
    }
    found["wrong"] = [*_wrong(found), *complaints, *(f"{name} runs after `down`" for name in left)]
    if not found["wrong"]:
        shutil.rmtree(folder)
    else:
        found["wrong"].append(f"the logs of this soak are below {ours.state / 'logs'}")
    return found


def _mib(size: float) -> float:
    return round(size / 2**20, 2)


def _growth(readings: Sequence[Reading]) -> float | None:
    """Return what memory grows by in the longest life, by its rate, in MiB; None where nobody lived long enough."""
    rate = growth_per_s(readings)
    return None if rate is None else round(rate * longest_s(readings) / 2**20, 1)


def _wrong(found: dict[str, Any]) -> Iterator[str]:
    load, coverage = found["load"], found["coverage"]
    for what in ("failed", "changed", "unanswered"):
        if load[what]:
            yield f"{load[what]} requests {what}: {'; '.join(load['problems'])}"
    for name, growth in found["growth_mib"].items():
        if growth is not None and growth > GROWTH_MIB:
            yield f"{name} grows by {growth} MiB in its longest life; at most {GROWTH_MIB:g} are flat"
    explained = coverage["paired"] + sum(coverage["not_compared"].values())
    if coverage["mirrored"] != explained:
        yield f"the account does not add up: {coverage['mirrored']} mirrored, {explained} explained"
    if coverage["not_compared"].get("pending"):
        yield f"{coverage['not_compared']['pending']} copies are still pending"
    for check in coverage.get("cross_checks", ()):
        if check["unexplained"]:
            yield f"{check['what']}: Envoy counted {check['envoy']}, and of that {check['unexplained']} are unexplained"
    if not coverage["paired"]:
        yield "nothing was compared"


def table(found: dict[str, Any]) -> Iterator[str]:
    """Yield the summary in Markdown."""
    load, coverage = found["load"], found["coverage"]
    killed = Counter(who for _, who in found["kills"])
    lost = ", ".join(f"{name} {count:,}" for name, count in coverage["not_compared"].items() if count)
    yield f"| soak of {found['minutes']:g} minutes at {found['rate']:g} requests/s, seed {found['seed']} | |"
    yield "|---|---|"
    yield f"| killed | {', '.join(f'{who} {count}' for who, count in sorted(killed.items())) or 'nobody'} |"
    yield f"| requests answered | {load['answered']:,} of {load['due']:,} |"
    yield f"| failed; other answers | {load['failed'] + load['unanswered']}; {load['changed']} |"
    yield f"| p50, p99, p99.9 | {load['p50_ms']:.2f}, {load['p99_ms']:.2f}, {load['p999_ms']:.2f} ms |"
    yield f"| copies | {coverage['mirrored']:,} mirrored, {coverage['paired']:,} compared; {lost or 'none lost'} |"
    for name, readings in found["memory_mib"].items():
        sizes, growth = [size for _, _, size in readings], found["growth_mib"][name]
        shown = "too short to tell" if growth is None else f"{growth:+.1f} MiB in the longest life"
        yield f"| memory of {name} | {min(sizes):.0f} to {max(sizes):.0f} MiB, {shown} |"
    yield f"| verdict | {'; '.join(found['wrong']) or 'all well'} |"


def main(arguments: Sequence[str]) -> int:
    """Run the soak, print the summary; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description="Kill parts of microstax at random under steady traffic.")
    minutes = float(os.environ.get("SOAK_MINUTES", "30"))
    parser.add_argument("--minutes", type=float, default=minutes, help="for how long (default %(default)s)")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides who is killed when (default %(default)s)")
    parser.add_argument("--spare", action="append", default=[], choices=list(soak_stage.EVERY_S), help="kill it never")
    parser.add_argument("--pace", type=float, default=1.0, help="kill so many times as often (default %(default)s)")
    parser.add_argument("--charts", action="store_true", help="write tests/bench/charts/soak.json and soak.svg")
    chosen = parser.parse_args(arguments)
    try:
        found = measure(
            minutes=chosen.minutes,
            rate=chosen.rate,
            seed=chosen.seed,
            spared=chosen.spare,
            pace=chosen.pace,
        )
    except RuntimeError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    if chosen.charts:
        results.keep("soak", found, chart_soak.picture(found))
    print("\n".join(table(found)))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
