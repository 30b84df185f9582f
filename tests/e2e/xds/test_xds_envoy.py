"""Real Envoys of every supported version, in both forms of the protocol, under steady traffic."""

import asyncio
import json
import pickle
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from microstax.xds import NackedError, Resource, Snapshot
from microstax.xds.type_urls import CLUSTER, ENDPOINT, EXTENSION_CONFIG, LISTENER, ROUTE, RUNTIME

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]
EVERYTHING = frozenset({CLUSTER, ENDPOINT, LISTENER, ROUTE, RUNTIME})


def site(kit: SimpleNamespace, folder: Path, cluster: str, backend: Path, **layer: Any) -> list[Resource]:
    """Return a whole configuration: one listener, one route, one cluster with one backend, one runtime layer."""
    return [
        kit.cluster(cluster),
        kit.endpoints(cluster, backend),
        kit.listener("edge", folder / "edge.sock", "r"),
        kit.route("r", cluster),
        kit.runtime("served", **(layer or {"turn": 1})),
    ]


async def test_every_kind_of_change_reaches_envoy_without_a_lost_request(
    kit: SimpleNamespace, envoy_binary: str, folder: Path, *, delta: bool
) -> None:
    """Endpoints, a new cluster with its route, a renewed cluster, a listener and a runtime value."""
    async with kit.site(envoy_binary, folder, delta=delta) as world:
        xds, envoy = world.xds, world.envoy
        xds.set_snapshot("edge", Snapshot.of(site(kit, folder, "a", world.one)))
        await xds.wait_applied("edge", 30, types=EVERYTHING)
        async with kit.steady_traffic(folder / "edge.sock") as traffic:
            await traffic.until(lambda t: t.seen["200 one"] > 20)
            sent = {t: total.responses for t, total in xds.totals().items()}
            assert sent == dict.fromkeys(EVERYTHING, 1)

            xds.set_snapshot("edge", Snapshot.of(site(kit, folder, "a", world.two)))  # endpoints alone
            await xds.wait_applied("edge", 10)
            await traffic.until(lambda t: t.seen["200 two"] > 20)
            assert {t: v.responses for t, v in xds.totals().items()} == {**sent, ENDPOINT: 2}

            xds.set_snapshot("edge", Snapshot.of(site(kit, folder, "b", world.one)))  # make before break
            await xds.wait_applied("edge", 10)
            ones = traffic.seen["200 one"]
            await traffic.until(lambda t: t.seen["200 one"] > ones + 20)
            assert xds.totals()[LISTENER].responses == 1

            renewed = site(kit, folder, "b", world.one)
            renewed[0] = kit.cluster("b", connectTimeout="2s")  # warms again, and needs its unchanged endpoints
            xds.set_snapshot("edge", Snapshot.of(renewed))
            await xds.wait_applied("edge", 10)

            changed = site(kit, folder, "b", world.one, turn=2)
            changed[0] = renewed[0]
            changed.append(kit.listener("second", folder / "second.sock", "r"))
            xds.set_snapshot("edge", Snapshot.of(changed))
            await xds.wait_applied("edge", 10)
            assert (await envoy.get(socket="second.sock"))[0] == 200
            runtime = json.loads(await envoy.admin("/runtime"))
            assert runtime["entries"]["turn"]["final_value"] == "2"
            total = sum(traffic.seen.values())
            await traffic.until(lambda t: sum(t.seen.values()) > total + 20)
        assert set(traffic.seen) == {"200 one", "200 two"}
        assert await envoy.stat("cluster_manager.warming_clusters") == 0
        assert sum(total.nacks for total in xds.totals().values()) == 0
        assert await envoy.stat("control_plane.connected_state") == 1  # pings every 0.3 s have not ended it


@pytest.mark.parametrize(("fault", "reason"), [
    ({"lbPolicy": "LOAD_BALANCING_POLICY_CONFIG"}, "(?i)bad.*load.balancing"),
    ({"connectTimeout": "0s"}, "(?s)bad.*ConnectTimeout"),
])  # fmt: skip
async def test_a_refusal_holds_envoys_reason_and_the_rest_goes_on(
    kit: SimpleNamespace, envoy_binary: str, folder: Path, fault: dict[str, str], reason: str, *, delta: bool
) -> None:
    """One cluster that Envoy refuses takes nothing down with it: neither its neighbours nor their new routes."""
    async with kit.site(envoy_binary, folder, delta=delta) as world:
        xds, envoy = world.xds, world.envoy
        good = site(kit, folder, "a", world.one)
        xds.set_snapshot("edge", Snapshot.of(good))
        await xds.wait_applied("edge", 30, types=EVERYTHING)
        bad = kit.cluster("bad", **fault)
        moved = [*site(kit, folder, "b", world.two), bad]
        xds.set_snapshot("edge", Snapshot.of(moved))
        with pytest.raises(NackedError, match=reason) as raised:
            await xds.wait_applied("edge", 10)
        assert raised.value.nack.names == ("bad",)
        await world.until(lambda: kit.is_applied(xds, ROUTE))
        assert await envoy.get() == (200, "two")
        refusals = xds.totals()[CLUSTER].nacks
        xds.set_snapshot("edge", Snapshot.of([*site(kit, folder, "b", world.one), bad]))
        await world.until(lambda: kit.is_applied(xds, ENDPOINT))
        assert xds.totals()[CLUSTER].nacks == refusals == 1  # the same bytes were not sent again
        xds.set_snapshot("edge", Snapshot.of(site(kit, folder, "b", world.one)))
        assert (await xds.wait_applied("edge", 10)).nack is None


async def test_a_cluster_without_endpoints_does_not_keep_envoy_from_starting(
    kit: SimpleNamespace, envoy_binary: str, folder: Path, *, delta: bool
) -> None:
    """Without any answer about its endpoints Envoy would wait 15 s (its initial fetch timeout) before it listens."""
    async with kit.site(envoy_binary, folder, delta=delta) as world:
        resources = [r for r in site(kit, folder, "a", world.one) if r.type_url != ENDPOINT]
        world.xds.set_snapshot("edge", Snapshot.of(resources))
        await world.xds.wait_applied("edge", 10, types=EVERYTHING)
        assert (await world.envoy.get())[0] == 503
        world.xds.set_snapshot("edge", Snapshot.of(site(kit, folder, "a", world.one)))
        await world.xds.wait_applied("edge", 10)
        assert await world.envoy.get() == (200, "one")


async def test_two_clusters_that_share_their_endpoints_both_warm(
    kit: SimpleNamespace, envoy_binary: str, folder: Path, *, delta: bool
) -> None:
    async with kit.site(envoy_binary, folder, delta=delta) as world:
        first = site(kit, folder, "a", world.one)
        world.xds.set_snapshot("edge", Snapshot.of(first))
        await world.xds.wait_applied("edge", 30, types=EVERYTHING)
        second = kit.cluster("second", service="a")
        world.xds.set_snapshot("edge", Snapshot.of([*first, second]))
        # Envoy may need its own 15 s (envoy#47302), never more: the server has sent what it waits for.
        await world.xds.wait_applied("edge", 25)
        assert await world.envoy.stat("cluster_manager.warming_clusters") == 0


async def test_a_resource_with_a_ttl_lives_as_long_as_its_server(
    kit: SimpleNamespace, envoy_binary: str, folder: Path, *, delta: bool
) -> None:
    """Heartbeats keep it; when the server is gone Envoy drops it."""
    async with (
        kit.backend(folder / "one.sock", "one") as one,
        kit.running_envoy(envoy_binary, folder, delta=delta) as envoy,
    ):
        async with kit.serving(folder) as xds:
            resources = [r for r in site(kit, folder, "a", one) if r.type_url != RUNTIME]
            xds.set_snapshot("edge", Snapshot.of([*resources, kit.runtime("served", ttl_s=1, fault="on")]))
            await xds.wait_applied("edge", 30, types=EVERYTHING)
            await asyncio.sleep(2.2)
            assert "fault" in json.loads(await envoy.admin("/runtime"))["entries"]
            assert xds.totals()[RUNTIME].acks >= 4
        async with asyncio.timeout(10):
            while "fault" in json.loads(await envoy.admin("/runtime"))["entries"]:  # noqa: ASYNC110 (asked only)
                await asyncio.sleep(0.1)
        assert await envoy.get() == (200, "one")


async def test_an_extension_that_is_gone_stays_in_force_and_comes_back(
    kit: SimpleNamespace, envoy_binary: str, folder: Path, *, delta: bool
) -> None:
    """Its removal is never told: Envoy cannot take it in delta (envoy#32823)."""
    async with kit.site(envoy_binary, folder, delta=delta) as world:
        resources = site(kit, folder, "a", world.one)
        resources[2] = kit.listener("edge", folder / "edge.sock", "r", extension_name="extra")
        world.xds.set_snapshot("edge", Snapshot.of([*resources, kit.extension("extra", "first")]))
        await world.xds.wait_applied("edge", 30, types=EVERYTHING | {EXTENSION_CONFIG})
        assert await world.envoy.header("x-extension") == "first"
        world.xds.set_snapshot("edge", Snapshot.of(resources))
        await asyncio.sleep(0.2)
        assert await world.envoy.header("x-extension") == "first"
        assert world.xds.totals()[EXTENSION_CONFIG].responses == 1
        world.xds.set_snapshot("edge", Snapshot.of([*resources, kit.extension("extra", "second")]))
        await world.xds.wait_applied("edge", 10)
        assert await world.envoy.header("x-extension") == "second"


@asynccontextmanager
async def control_plane(folder: Path, resources: list[Resource]) -> AsyncIterator[Callable[..., Any]]:
    """Run a control plane of its own; yields what sends it a command and returns its totals."""
    store(folder / "resources", resources)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).parent / "server_process.py"), str(folder / "xds.sock"),
        str(folder / "resources"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def command(words: str) -> dict[str, dict[str, int]]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{words}\n".encode())
        return dict(json.loads(await process.stdout.readline()))

    try:
        yield command
    finally:
        process.kill()
        await process.wait()
        (folder / "xds.sock").unlink(missing_ok=True)


async def sent(command: Callable[..., Any]) -> dict[str, int]:
    """Return how many responses a control plane has sent, for every type that it was asked for."""
    return {kind: total["responses"] for kind, total in (await command("totals")).items()}


def store(path: Path, resources: list[Resource]) -> None:
    path.write_bytes(pickle.dumps([(r.name, r.type_url, r.body, set(r.references)) for r in resources]))


async def test_a_killed_control_plane_loses_no_request_and_sends_nothing_unchanged(
    kit: SimpleNamespace, envoy_binary: str, folder: Path, *, delta: bool
) -> None:
    """Kill -9 under traffic, start again, and change something afterwards."""
    async with kit.backend(folder / "one.sock", "one") as one, kit.backend(folder / "two.sock", "two") as two:
        first = site(kit, folder, "a", one)
        async with kit.running_envoy(envoy_binary, folder, delta=delta) as envoy:
            async with control_plane(folder, first):
                await kit.until_answers(envoy)
            async with kit.steady_traffic(folder / "edge.sock") as traffic:
                await traffic.until(lambda t: t.seen["200 one"] > 20)
                async with control_plane(folder, first) as command:
                    # State of the world: only pure wildcards can be recognised; the others must be answered.
                    answered = {} if delta else {ENDPOINT: 1, ROUTE: 1, RUNTIME: 1}
                    expected = {kind: answered.get(kind, 0) for kind in EVERYTHING}
                    async with asyncio.timeout(20):
                        while await sent(command) != expected:  # noqa: ASYNC110 (it tells only when asked)
                            await asyncio.sleep(0.1)
                    await asyncio.sleep(0.5)
                    assert await sent(command) == expected
                    store(folder / "next", site(kit, folder, "b", two))
                    await command(f"load {folder / 'next'}")
                    await traffic.until(lambda t: t.seen["200 two"] > 20)
            assert set(traffic.seen) == {"200 one", "200 two"}
