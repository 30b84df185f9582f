"""What a branch costs that floods its bridge with refused calls: control plane, Envoy, disk; and what a fence costs."""

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_first_pair import _Machine, _server

from microstax.api.address import management_address
from microstax.api.client import Client
from microstax.api.methods import GET_OVERLAY, GET_STATUS
from microstax.runtime import fenced

SECONDS = 20.0
CALLERS = 4
_TICKS = os.sysconf("SC_CLK_TCK")
STARTS = 10


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def _flood(port: int, sent: list[int]) -> Iterator[None]:
    """Send unsafe calls as fast as they are answered, every one with a path of its own."""
    stop = threading.Event()

    def run() -> None:
        one = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not stop.is_set():
            sent[0] += 1
            one.request("POST", f"/orders/{sent[0]}?q={'x' * 40}", headers={"User-Agent": "flood"})
            one.getresponse().read()
        one.close()

    threads = [threading.Thread(target=run) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _latency_ms(client: Client, seconds: float) -> float:
    """Return the median time of a status call in so many seconds."""
    took = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        client.call(GET_STATUS, GET_STATUS.request())
        took.append(time.monotonic() - began)
        time.sleep(0.1)
    return statistics.median(took) * 1000


def _measure(machine: _Machine) -> Iterator[tuple[str, str, str]]:
    with Client(management_address(machine.state)) as client:
        status = client.call(GET_STATUS, GET_STATUS.request())
        envoy = next(one.pid for one in status.envoys if one.role == "bridge")
        overlay = client.call(GET_OVERLAY, GET_OVERLAY.request(name="flood"))
        port = int(next(one.url for one in overlay.services if one.name == "orders").rpartition(":")[2])
        quiet_ms, size = _latency_ms(client, 3), _size(machine.state)
        cpu, rss, plane_rss = _cpu_s(status.pid), _rss_mib(envoy), _rss_mib(status.pid)
        sent = [0]
        with _flood(port, sent):
            flooded_ms = _latency_ms(client, SECONDS)
        share = (_cpu_s(status.pid) - cpu) / SECONDS
        yield "refused calls a second in a branch's flood", f"{sent[0] / SECONDS:,.0f}", ""
        yield "control plane's CPU meanwhile (status asked 10 times a second)", f"{share:.0%} of a core", "< 25%"
        yield "status call, median, before and in the flood", f"{quiet_ms:.1f} -> {flooded_ms:.1f} ms", ""
        grown = _rss_mib(envoy) - rss
        yield "bridge Envoy's memory, growth", f"{grown:.1f} MiB", "< 16 MiB"
        yield "control plane's memory, growth", f"{_rss_mib(status.pid) - plane_rss:.1f} MiB", "< 16 MiB"
        yield "disk, growth", f"{(_size(machine.state) - size) / 1024:.0f} KiB", "< 1 MiB"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _starts() -> Iterator[tuple[str, str, str]]:
    """Yield what denying ports adds to the start of a process."""
    plain = [sys.executable, "-I", "-S", "-c", ""]
    program = [sys.executable, "-I", "-S", fenced.__file__, "20001,20002", "/bin/true", "true"]
    took = {}
    for name, command in (("python", plain), ("fenced", program)):
        times = []
        for _ in range(STARTS):
            began = time.monotonic()
            subprocess.run(command, check=True)
            times.append(time.monotonic() - began)
        took[name] = statistics.median(times) * 1000
    figure = f"{took['fenced']:.0f} ms (an empty Python: {took['python']:.0f} ms)"
    yield "start of a process that denied ports are taken from", figure, ""


def run() -> list[tuple[str, str, str]]:
    """Measure on one control plane."""
    with tempfile.TemporaryDirectory(prefix="microstax-bench-") as name, _server() as baseline, _server() as branch:
        machine = _Machine(Path(name), baseline, branch)
        text = (machine.folder / "env.yaml").read_text()
        orders = f"{{name: orders, url: 'http://127.0.0.1:{branch}', port: {machine.port + 1}}}]"
        (machine.folder / "env.yaml").write_text(text.replace("]", f", {orders}"))
        machine.microstax("up", "--detach")
        try:
            machine.microstax("env", "promote", "bench", "--file", "env.yaml")
            machine.microstax("overlay", "create", "--baseline", "bench", "--file", "patch.yaml", "--name", "flood")
            machine.microstax("env", "shadow", "flood", "--enable")
            rows = list(_measure(machine))
        finally:
            machine.microstax("down")
    return [*rows, *(_starts() if fenced.can_deny_ports() else ())]


if __name__ == "__main__":
    print(*run(), sep="\n")
