"""A worker process on a real tee under steady load: how many mirrored requests become pairs, and what of the rest.

Both servers answer with the request's own path, so a pair of two different requests shows as a difference.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from microstax.model.exchange import NotCompared

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "stage"))
sys.path.insert(0, str(HERE.parent / "e2e" / "capture"))
sys.path.insert(0, str(HERE.parent / "component" / "worker"))

RATE = 1000
SECONDS = 15
CONNECTIONS = 50
TIMEOUT_MS = 3_000
SETTLE_S = 12.0
RUNS = 5


@dataclass(frozen=True)
class Case:
    """What is under load: `services` on each of some Envoys, RATE requests a second in all, answers of about `size`."""

    name: str = "one service, 1 KiB"
    services: int = 1
    envoys: int = 1
    size: int = 1_024


CASES = (
    Case(),
    Case("three services on one tee, 1 KiB", services=3),
    Case("one service, 4 KiB", size=4_096),
    Case("two Envoys, one worker, 1 KiB", envoys=2),
)


class Echo(asyncio.Protocol):
    """Answers every request with its path, in JSON of about `size` bytes."""

    size = 1_024

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete; requests have no body."""
        *requests, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for request in requests:
            padding = b"x" * (self.size - 124)
            body = b'{"path": "%s", "padding": "%s"}' % (request.split(b" ", 2)[1], padding)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(head + body)  # type: ignore[attr-defined]


class Caller(asyncio.Protocol):
    """Sends requests over one connection, one at a time as long as the server keeps up."""

    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def send(self, number: int) -> None:
        """Send one request."""
        request = b"GET /items/%d HTTP/1.1\r\nhost: shop\r\naccept: application/json\r\n\r\n" % number
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Count answers."""
        Caller.answered += data.count(b"HTTP/1.1 200 OK")


async def serve(size: int, ports: list[int]) -> None:
    """Serve Echo on each port until killed."""
    loop = asyncio.get_running_loop()
    Echo.size = size
    servers = [await loop.create_server(Echo, "127.0.0.1", port) for port in ports]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def call(rate: int, seconds: int, ports: list[int]) -> int:
    """Send `rate` requests a second, to the ports in turns; return how many were answered."""
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(Caller, "127.0.0.1", ports[number % len(ports)]))[1]
        for number in range(CONNECTIONS)
    ]
    begun, sent = loop.time(), 0
    while sent < rate * seconds:
        due = min(rate * seconds, int((loop.time() - begun) * rate))
        for number in range(sent, due):
            callers[number % CONNECTIONS].send(number)
        sent = max(sent, due)
        await asyncio.sleep(0.002)
    await asyncio.sleep(1)
    return Caller.answered


async def measure(case: Case = CASES[0]) -> Counter[str]:
    """Return what became of the requests: answered, mirrored, paired, wrong, each reason, and the parts of the gap.

    `tapped` traces were made by the Envoys, `read` by the worker.
    """
    from capture_stage import Stage, free_port
    from worker_harness import ControlPlane, start_worker

    from microstax.control.envoys import envoy_binary
    from microstax.model.environment import Address

    folder = Path(tempfile.mkdtemp(prefix="msx-bench-"))
    ports = [free_port(), free_port()]
    stages = []
    for number in range(case.envoys):
        (own := folder / str(number)).mkdir()
        addresses = [Address("127.0.0.1", port) for port in ports]
        more = tuple(free_port() for _ in range(case.services - 1))
        stages.append(
            Stage(own, envoy_binary(), *addresses, more=more, node_id=f"tee~shop-{number}", timeout_ms=TIMEOUT_MS)
        )
    control = ControlPlane(folder / "api.sock")
    servers = await run_self("serve", str(case.size), *map(str, ports))
    try:
        await servers.stdout.readline()  # type: ignore[union-attr]
        await control.start()
        control.aim(*(stage.target for stage in stages))
        async with AsyncExitStack() as stack:
            for stage in stages:
                await stack.enter_async_context(stage.running())
            worker = await start_worker(control.address)
            await worker.until_log("watching")
            await asyncio.sleep(2)
            targets = [port for stage in stages for port in stage.services.values()]
            caller = await run_self("call", str(RATE), str(SECONDS), *map(str, targets))
            answered = int((await caller.communicate())[0])
            found = await _counted(stage.admin for stage in stages)
            begun = time.monotonic()
            while control.paired + sum(control.not_compared.values()) < found["mirrored"]:
                if time.monotonic() - begun > SETTLE_S:
                    break
                await asyncio.sleep(0.2)
            await worker.end()
        return found + Counter(answered=answered, paired=control.paired, **control.not_compared) + _told(control)
    finally:
        servers.kill()
        await servers.wait()
        await control.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _counted(admins: Iterable[str]) -> Counter[str]:
    """Return what the Envoys counted."""
    from microstax.envoy.stats import read_counters
    from microstax.worker.admin import statistics

    found: Counter[str] = Counter()
    for admin in admins:
        counted = read_counters(await statistics(admin))
        found["mirrored"] += sum(one.mirrored + one.dropped for one in counted.mirrors.values())
        found["tapped"] += sum(one.tapped for one in counted.tees.values())
    return found


def _told(control: Any) -> Counter[str]:
    """Return what the worker told beside pairs and reasons: differences, which are wrong pairs here, traces, gaps."""
    from microstax.diff.aggregate import ServiceAggregate

    found: Counter[str] = Counter()
    for delta in control.deltas:
        found["read"] += sum(node.traces.get("read", 0) for node in delta.counters)
        for service in delta.services:
            found.update({f"gap: {part}": count for part, count in service.gaps.items()})
            if service.aggregate:
                total = ServiceAggregate.from_bytes(service.aggregate)
                found["wrong"] += sum(
                    tally.branch for one in total.endpoints.values() for tally in one.tallies.values()
                )
    return found


async def run_self(*arguments: str) -> asyncio.subprocess.Process:
    """Start this file as a program of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "capture_lab.py"), *arguments, stdout=asyncio.subprocess.PIPE
    )


def complete_pairs() -> list[tuple[str, str, str]]:
    """Return the rows about completeness."""
    found = asyncio.run(measure())
    mirrored, paired = found["mirrored"], found["paired"]
    shown = ", ".join(f"{part} {count}" for part, count in parts(found).items()) or "nothing"
    return [
        (f"complete pairs of {mirrored:,} mirrored at {RATE:,}/s", f"{paired / mirrored:.2%}", ">= 99%"),
        ("wrong pairs among them", str(found["wrong"]), "0"),
        (f"what became of the other {mirrored - paired}", shown, "by reason"),
        (f"production's requests that were answered, of {RATE * SECONDS:,}", f"{found['answered']:,}", "all"),
    ]


def parts(found: Counter[str]) -> dict[str, int]:
    """Return what became of the mirrored requests that are no pairs: reasons, and of the gap what is missing."""
    reasons = {str(reason) for reason in NotCompared}
    told = sum(found[reason] for reason in reasons)
    named = {name: count for name, count in found.items() if name in reasons - {"capture_gap"} or name[:4] == "gap:"}
    unseen = found["mirrored"] - found["paired"] - told
    return {name: count for name, count in {**named, "gap: unseen": unseen}.items() if count}


def gaps(runs: int) -> None:
    """Print which share of the mirrored requests is not captured and what is missing, of every case in some runs."""
    row = "{:<34} {:>8} {:>8} {:>8}   {}"
    print(row.format(f"at {RATE:,}/s, {runs} runs of {SECONDS} s", "median", "least", "most", "in all runs"))
    for case in CASES:
        found = [asyncio.run(measure(case)) for _ in range(runs)]
        shares = [1 - one["paired"] / one["mirrored"] for one in found]
        total = sum(found, Counter[str]())
        missing = {**parts(total), "traces lost": total["tapped"] - total["read"], "wrong": total["wrong"]}
        shown = ", ".join(f"{name.removeprefix('gap: ')} {count}" for name, count in missing.items())
        print(row.format(case.name, *(f"{one:.2%}" for one in (median(shares), min(shares), max(shares))), shown))


def main() -> None:
    """Be one of the programs that `measure` starts; or print the gaps."""
    parser = argparse.ArgumentParser(description=gaps.__doc__)
    parser.add_argument("role", choices=("serve", "call", "gaps"))
    parser.add_argument("numbers", nargs="*", type=int)
    chosen = parser.parse_args()
    if chosen.role == "serve":
        size, *ports = chosen.numbers
        asyncio.run(serve(size, ports))
    elif chosen.role == "call":
        rate, seconds, *ports = chosen.numbers
        print(asyncio.run(call(rate, seconds, ports)))
    else:
        gaps(*(chosen.numbers or [RUNS]))


if __name__ == "__main__":
    main()
