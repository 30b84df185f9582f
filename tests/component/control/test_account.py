"""The account of a shadow as the management API tells it: what vanished, what Envoy says, where both differ."""

import time
from typing import Any

import orjson
import pytest

from microstax.api import methods
from microstax.api.client import AsyncClient
from microstax.control import coverage
from microstax.generated.management.microstax.management import v1
from microstax.store.memory import MemoryStore

NODE = "tee~prod"
COPIES = "cluster.copy/catalog/branch/branch.upstream_rq_total"
TIMEOUTS = "cluster.branch/catalog/branch/branch/h1.upstream_rq_timeout"
ROUTE = "vhost.tee/catalog.route."
ENTERED = "http.tee/catalog.downstream_rq_total"


class Reporter:
    """A worker whose readings are a second apart."""

    def __init__(self, client: AsyncClient, name: str = "worker-1") -> None:
        self.client, self.name, self.sequence = client, name, 0
        self.begun_ms = time.time_ns() // 1_000_000

    async def tell(
        self,
        counters: dict[str, int],
        *,
        epoch: str = "1",
        told: dict[int, int] | None = None,
        traces: dict[str, int] | None = None,
        **service: Any,
    ) -> None:
        """Send a delta with a reading; `told` says by the number of a reading what was made up to it."""
        self.sequence += 1
        accounted = {self.at_ms(number): count for number, count in (told or {}).items()}
        delta = v1.Delta(
            worker_id=self.name,
            sequence=self.sequence,
            at_ms=self.at_ms(self.sequence),
            services=[v1.ServiceDelta(overlay="branch", service="catalog", **service)] if service else [],
            counters=[
                v1.NodeCounters(
                    node_id=NODE,
                    epoch=epoch,
                    counters=counters,
                    at_ms=self.at_ms(self.sequence),
                    traces=traces or {},
                )
            ],
            accounted=[v1.Accounted(node_id=NODE, overlay="branch", service="catalog", by_reading=accounted)]
            if accounted
            else [],
        )
        await self.client.call(methods.SUBMIT_DELTA, delta)

    def at_ms(self, number: int) -> int:
        return self.begun_ms + 1_000 * number


@pytest.fixture
async def shadowed(stage: Any) -> Any:
    await stage.mirroring()
    return stage


async def account(stage: Any, **fields: Any) -> Any:
    answer = await stage.call(methods.GET_REPORT, **{"overlay": "branch", **fields})
    return orjson.loads(answer.document)["coverage"]


def checks(found: Any) -> dict[str, Any]:
    return {one["what"]: one for one in found["cross_checks"]}


async def test_what_vanished_is_a_gap_while_traffic_goes_on(shadowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Reporter(shadowed.client)
    await worker.tell({COPIES: 100}, paired=40, told={1: 40})
    assert (await account(shadowed))["not_compared"] == {"pending": 60}
    await worker.tell({COPIES: 150}, paired=50, told={1: 50})  # of the second reading's, nothing is told yet
    monkeypatch.setattr(coverage, "DELIVERY_MS", -15_000)
    found = await account(shadowed)
    assert (found["not_compared"], found["gaps"]) == ({"capture_gap": 60}, {"unseen": 60})
    monkeypatch.setattr(coverage, "DELIVERY_MS", 8_000)
    await worker.tell({COPIES: 200}, paired=50, told={2: 50})
    assert (await account(shadowed))["not_compared"] == {"capture_gap": 10, "pending": 50}


async def test_gaps_and_strays_are_told(shadowed: Any) -> None:
    worker = Reporter(shadowed.client)
    gaps = {"copy_missing": 2, "unanswered": 1}
    await worker.tell(
        {COPIES: 9}, paired=6, not_compared={"capture_gap": 3}, gaps=gaps, told={1: 9}, traces={"read": 18, "late": 4}
    )
    found = await account(shadowed)
    assert (found["gaps"], found["strays"]) == (gaps, {"late": 4})
    assert (await account(shadowed, service="catalog"))["strays"] == {"late": 4}


async def test_the_checks_are_in_the_report_and_a_large_difference_is_a_problem(
    shadowed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Reporter(shadowed.client)
    before = {COPIES: 0, ENTERED: 1_000, f"{ROUTE}mirrored/branch.upstream_rq_total": 0}
    await worker.tell(before)  # what came in before the shadow was in force is no request of its
    now = {
        COPIES: 500,
        TIMEOUTS: 120,
        ENTERED: 1_530,
        f"{ROUTE}mirrored/branch.upstream_rq_total": 500,
        f"{ROUTE}skipped/method/POST.upstream_rq_total": 30,
    }
    await worker.tell(now, paired=400, not_compared={"branch_timeout": 100}, told={2: 500})
    monkeypatch.setattr(coverage, "DELIVERY_MS", -15_000)
    await worker.tell(now)
    found = await account(shadowed)
    assert found["requests"] == 530
    assert found["envoy"] == {"copies": 500, "dropped": 0, "timed_out": 120, "failed": 0}
    told = checks(found)
    assert (told["requests"]["envoy"], told["requests"]["counted"]) == (530, 530)
    assert (told["copies"]["envoy"], told["copies"]["counted"]) == (500, 500)
    assert told["timeouts"]["unexplained"] == 20
    status = await shadowed.call(methods.GET_STATUS)
    (problem,) = [one for one in status.problems if "do not add up" in one]
    assert problem == (
        "The counts of branch do not add up. catalog: Envoy timed out 120 copies, 100 were captured as timeouts: 20 "
        "unexplained."
    )


async def test_requests_that_other_overlays_alone_take_are_skipped(shadowed: Any) -> None:
    await shadowed.overlay("other")
    await shadowed.shadow("other")
    await Reporter(shadowed.client).tell(
        {
            COPIES: 7,
            COPIES.replace("branch/branch", "branch/other"): 10,
            f"{ROUTE}mirrored/branch+other.upstream_rq_total": 7,
            f"{ROUTE}mirrored/other.upstream_rq_total": 3,
            f"{ROUTE}skipped/preview.upstream_rq_total": 2,
        }
    )
    found = await account(shadowed)
    assert (found["requests"], found["mirrored"]) == (12, 7)
    assert found["skipped"] == {"other_overlays": 3, "preview": 2}
    assert (await account(shadowed, overlay="other"))["skipped"] == {"preview": 2}


async def test_more_than_envoy_counted_is_explained_by_its_restart(
    shadowed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Envoy counted after the last reading is gone with it; the worker may have captured it."""
    worker = Reporter(shadowed.client)
    await worker.tell({COPIES: 10}, paired=10, told={1: 10})
    await worker.tell({COPIES: 2}, epoch="2", paired=6, told={2: 6})
    monkeypatch.setattr(coverage, "DELIVERY_MS", -15_000)
    found = await account(shadowed)
    assert (found["mirrored"], found["paired"], found["not_compared"]) == (16, 16, {})
    one = checks(found)["accounted"]
    assert (one["envoy"], one["counted"], one["explained"], one["unexplained"]) == (12, 16, 4, 0)
    assert "restarted" in one["because"]


async def test_what_envoy_forgot_when_the_shadow_was_switched_off_is_explained(
    shadowed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counters of a mirror go with its clusters, and with them what they had counted since the last reading."""
    worker = Reporter(shadowed.client)
    await worker.tell({COPIES: 10}, paired=10, told={1: 10})
    await shadowed.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    await worker.tell({ENTERED: 1}, paired=30, told={2: 30})
    monkeypatch.setattr(coverage, "DELIVERY_MS", -15_000)
    found = await account(shadowed)
    assert (found["mirrored"], found["paired"], found["not_compared"]) == (40, 40, {})
    one = checks(found)["accounted"]
    assert (one["difference"], one["explained"], one["unexplained"]) == (-30, 30, 0)
    assert "switched off" in one["because"]
    assert not [one for one in (await shadowed.call(methods.GET_STATUS)).problems if "add up" in one]


async def test_a_control_plane_that_comes_back_goes_on_with_what_is_outstanding(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    async with start(store=store) as first:
        await first.mirroring()
        worker = Reporter(first.client)
        await worker.tell({COPIES: 30}, paired=10, told={1: 10})
    async with start(store=store) as second:
        worker.client = second.client
        await worker.tell({COPIES: 40}, paired=15, told={1: 15})
        monkeypatch.setattr(coverage, "DELIVERY_MS", -15_000)
        found = await account(second)
        assert (found["mirrored"], found["paired"], found["not_compared"]) == (40, 25, {"capture_gap": 15})
        await worker.tell({COPIES: 40}, paired=13, told={1: 3, 2: 10})
        assert (await account(second))["not_compared"] == {"capture_gap": 2}


async def test_what_was_told_before_its_reading_came_is_told_once(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pairs were younger than the last reading before the control plane went: their reading comes after it."""
    store = MemoryStore()
    async with start(store=store) as first:
        await first.mirroring()
        worker = Reporter(first.client)
        await worker.tell({COPIES: 100}, paired=98, told={1: 96})
    async with start(store=store) as second:
        worker.client = second.client
        await worker.tell({COPIES: 106}, paired=2, told={2: 4})
        monkeypatch.setattr(coverage, "DELIVERY_MS", -15_000)
        found = await account(second)
        assert (found["mirrored"], found["paired"], found["not_compared"]) == (106, 100, {"capture_gap": 6})


@pytest.mark.parametrize(
    "wrong",
    [{"told": {1: -4}}, {"traces": {"read": -1}}, {"paired": 1, "gaps": {"copy_missing": -1}}],
)
async def test_counts_that_no_worker_makes_are_refused(shadowed: Any, wrong: dict[str, Any]) -> None:
    _, sentence = await shadowed.refusal(Reporter(shadowed.client).tell({COPIES: 1}, **wrong))
    assert "counts are 0 or more" in sentence
