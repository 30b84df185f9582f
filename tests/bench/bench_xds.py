"""One change to all ACKs with 1,000 connected delta clients, and the bytes that it costs.

Real gRPC over a unix socket; the clients are another process, each with a connection of its own. Prints a table; the
budget is part of it and nothing fails on the clock.
"""

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import grpc

from microstax.generated.wire import discovery_pb2 as wire
from microstax.xds import Acked, Node, Notice, Resource, Snapshot, XdsOptions, XdsServer
from microstax.xds.type_urls import AGGREGATED_METHODS, AGGREGATED_SERVICE, CLUSTER, ENDPOINT

CLIENTS: Final = 1000
CLUSTERS: Final = 100
CHANGES: Final = 7
METHOD: Final = f"/{AGGREGATED_SERVICE}/{AGGREGATED_METHODS[1]}"


def snapshot(turn: int) -> Snapshot:
    """Return 100 clusters with their endpoints; `turn` changes the endpoints of one of them."""
    resources = []
    for i in range(CLUSTERS):
        name, body = f"cluster-{i:03}", bytes(300)
        resources.append(Resource(name, CLUSTER, body, frozenset({(ENDPOINT, name)})))
        resources.append(Resource(name, ENDPOINT, body + (turn.to_bytes(4, "big") if i == 0 else b"")))
    return Snapshot.of(resources)


def allow_many_files() -> None:
    """Raise the limit of open files as far as it goes: a connection is one on either side."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# -- the clients' process --------------------------------------------------------------------------------------------


async def client(target: str, number: int) -> None:
    """Ask for all clusters and their endpoints, and confirm whatever comes."""
    channel = grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
    call: Any = channel.stream_stream(METHOD)()
    names = [f"cluster-{i:03}" for i in range(CLUSTERS)]
    node = wire.Node(id=f"client-{number}")
    await call.write(wire.DeltaDiscoveryRequest(node=node, type_url=CLUSTER).SerializeToString())
    request = wire.DeltaDiscoveryRequest(type_url=ENDPOINT, resource_names_subscribe=names)
    await call.write(request.SerializeToString())
    while (data := await call.read()) is not grpc.aio.EOF:
        response = wire.DeltaDiscoveryResponse.FromString(data)
        ack = wire.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        await call.write(ack.SerializeToString())


async def clients(target: str) -> None:
    """Run all clients until the server ends their streams."""
    await asyncio.gather(*(client(target, number) for number in range(CLIENTS)))


# -- the server's process --------------------------------------------------------------------------------------------


def everyone(_node: Node) -> str:
    """Give all nodes the same snapshot: one change concerns each of them."""
    return "all"


async def change(xds: XdsServer, turn: int) -> tuple[float, int]:
    """Change one resource; return the seconds until every client has confirmed it, and the bytes sent."""
    done, missing = asyncio.Event(), CLIENTS

    def count(notice: Notice) -> None:
        nonlocal missing
        missing -= isinstance(notice, Acked)
        if not missing:
            done.set()

    unsubscribe, loop, sent = xds.subscribe(count), asyncio.get_running_loop(), xds.bytes_sent
    began = loop.time()
    xds.set_snapshot("all", snapshot(turn))
    await done.wait()
    unsubscribe()
    return loop.time() - began, xds.bytes_sent - sent


def connected(xds: XdsServer) -> bool:
    """Return whether every client has confirmed its first configuration."""
    statuses = xds.status()
    return len(statuses) == CLIENTS and all(status.applied for status in statuses)


async def measure() -> tuple[list[float], float, float]:
    """Return the seconds of each change, and the bytes a client of a change and of the first full answer."""
    options = XdsOptions(key=everyone, admission_rate=1000, admission_burst=200)
    with tempfile.TemporaryDirectory(prefix="msx-xds-bench-") as folder:
        xds = XdsServer(options)
        server = grpc.aio.server(options=options.grpc_options())
        xds.add_to(server)
        target = f"unix:{Path(folder) / 'xds.sock'}"
        server.add_insecure_port(target)
        xds.set_snapshot("all", snapshot(0))
        await server.start()
        process = await asyncio.create_subprocess_exec(sys.executable, __file__, target, stderr=subprocess.DEVNULL)
        try:
            while not connected(xds):  # noqa: ASYNC110 (a poll costs less than a thousand events)
                await asyncio.sleep(0.2)
            first = xds.bytes_sent
            rounds = [await change(xds, turn) for turn in range(1, CHANGES + 1)]
        finally:
            await xds.stop(5)
            process.kill()
            await process.wait()
            await server.stop(0)
    return [seconds for seconds, _ in rounds], statistics.mean(n for _, n in rounds) / CLIENTS, first / CLIENTS


def run() -> list[tuple[str, str, str]]:
    """Return rows of what was measured: (what, figure, budget)."""
    allow_many_files()
    seconds, changed, full = asyncio.run(measure())
    worst, median = max(seconds), statistics.median(seconds)
    return [
        (
            f"one change to all ACKs, {CLIENTS:,} delta clients",
            f"{median:.2f} s (worst of {CHANGES}: {worst:.2f} s)",
            "< 1 s",
        ),
        (
            "bytes a client for a change of 304 bytes",
            f"{changed:.0f} (the first full answer: {full:.0f})",
            "proportional",
        ),
    ]


def main() -> None:
    """Measure, or be the clients."""
    if len(sys.argv) > 1:
        allow_many_files()
        asyncio.run(clients(sys.argv[1]))
        return
    for what, figure, budget in run():
        print(f"{what:<50} {figure:<40} {budget}")


if __name__ == "__main__":
    main()
