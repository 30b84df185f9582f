"""The stage of the soak: a baseline of two services, an overlay with one of them, and who is killed when.

The branch asks the baseline's other service through the bridge, so that the bridge carries calls when it is killed. The
tee is the one process that nobody kills: it is production's way.
"""

import os
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import product
from product import Product
from programs import HERE

from microstax.control import layout
from microstax.demo.workspace import free_ports
from microstax.runtime.marker import marked_processes

BASELINE, OVERLAY, OTHER = "production", "next", "prices"
EVERY_S: Final = {"branch": 20.0, "worker": 150.0, "bridge": 150.0, "control plane": 300.0}
"""The mean time between two kills of each."""
_QUIET_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Kill:
    """Who is killed, seconds after the load began."""

    at_s: float
    who: str


def kills(seconds: float, seed: int, spared: Collection[str] = (), pace: float = 1.0) -> list[Kill]:
    """Return when to kill whom, `pace` times as often as EVERY_S says.

    A Poisson process each, the same for the same seed; everybody at least once.
    """
    found = [one for one in _all_kills(seconds, Random(seed), pace) if one.who not in spared]
    return sorted(found, key=lambda one: one.at_s)


def _all_kills(seconds: float, rng: Random, pace: float) -> Iterator[Kill]:
    for who, mean_s in EVERY_S.items():
        times, at = [], 0.0
        while (at := at + rng.expovariate(pace / mean_s)) < seconds - _QUIET_S:
            times.append(max(at, _QUIET_S))
        for time in times or [rng.uniform(seconds / 3, seconds / 2)]:
            yield Kill(round(time, 2), who)


def build(ours: Product) -> int:
    """Start baseline and overlay, switch the shadow on; return the port that users call."""
    ports = free_ports(2)
    command = f"[{sys.executable!r}, {str(HERE / 'answers.py')!r}]"
    caller = f"[{sys.executable!r}, {str(HERE / 'answers.py')!r}, --ask, {OTHER}]"
    services = [
        f"  - {{name: {product.SERVICE}, command: {command}, port: {ports[0]}}}\n",
        f"  - {{name: {OTHER}, command: {command}, port: {ports[1]}}}\n",
    ]
    (ours.folder / "env.yaml").write_text("services:\n" + "".join(services))
    (ours.folder / "patch.yaml").write_text(f"services:\n  - {{name: {product.SERVICE}, command: {caller}}}\n")
    ours.run("env", "create", BASELINE, "--file", "env.yaml")
    ours.run("env", "promote", BASELINE)
    ours.ports[BASELINE] = ports[0]
    ours.run("overlay", "create", "--baseline", BASELINE, "--file", "patch.yaml", "--name", OVERLAY)
    ours.run("env", "shadow", OVERLAY, "--enable", "--control", "copy", *product.UNLIMITED)
    return ports[0]


def pids(ours: Product) -> dict[str, int]:
    """Return who runs now, by the names of EVERY_S and `tee`; the control plane as its lock says."""
    keys = {
        "tee": layout.envoy_key(layout.tee_node(BASELINE)),
        "bridge": layout.envoy_key(layout.bridge_node(OVERLAY)),
        "worker": layout.worker_key(),
        "branch": layout.service_key(OVERLAY, product.SERVICE),
    }
    running = {one.key: one.info.identity.pid for one in marked_processes(ours.state)}
    return {name: running[key] for name, key in keys.items() if key in running}


def end(pid: int) -> None:
    """Kill one process as the kernel would under memory pressure."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def complaints(state: Path) -> list[str]:
    """Return the lines of Envoys' logs that an Envoy writes only when it goes down wrongly, its backtrace included."""
    signs = (" critical ", "assert failure", "Pure virtual", "panic:")
    found = []
    for path in sorted(state.glob("logs/**/*.log")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [f"{path.relative_to(state)}: {line[:200]}" for line in lines if any(sign in line for sign in signs)]
    return found
