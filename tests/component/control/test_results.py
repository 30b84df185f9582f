"""What workers report, and what becomes of it: deltas over the real API, reports, pairs, budgets."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from microstax.api import methods
from microstax.api.client import AsyncClient
from microstax.capture.redaction import Redaction
from microstax.control import comparing, coverage, status
from microstax.control.intake import Intake
from microstax.diff.aggregate import ServiceAggregate
from microstax.errors import EXIT_FAULT, EXIT_UNDECIDED, EXIT_USAGE, MicrostaxError
from microstax.generated.management.microstax.management import v1
from microstax.model.record import StoredPair, decode_pair, encode_pair
from microstax.store.memory import MemoryStore
from microstax.store.port import PairLimits
from microstax.testing import a_request, a_response, a_triple
from microstax.worker.ages import LONG_AGO

COPY = "cluster.copy/catalog/branch/branch"


class FakeWorker:
    """Says what a worker would say."""

    def __init__(self, client: AsyncClient, name: str = "worker-1") -> None:
        self.client, self.name, self.sequence = client, name, 0

    async def submit(self, *, at_ms: int = 1, counters: dict[str, int] | None = None, **service: Any) -> Any:
        self.sequence += 1
        nodes = [v1.NodeCounters(node_id="tee~prod", epoch="1", counters=counters)] if counters else []
        services = [v1.ServiceDelta(overlay="branch", service="catalog", **service)] if service else []
        told = sum(one.paired + sum(one.not_compared.values()) for one in services)
        ages = {"overlay": "branch", "service": "catalog", "by_reading": {LONG_AGO: told}}
        return await self.client.call(
            methods.SUBMIT_DELTA,
            v1.Delta(
                worker_id=self.name,
                sequence=self.sequence,
                at_ms=at_ms,
                services=services,
                counters=nodes,
                accounted=[v1.Accounted(node_id="tee~prod", **ages)] if told > 0 else [],
                lag_ms=3,
            ),
        )

    async def compare(self, count: int, *, first: int = 0) -> Any:
        """Report pairs whose branch turned a number into a string."""
        aggregate, examples = ServiceAggregate.empty(), []
        for number in range(first, first + count):
            triple = a_triple(
                id=f"pair-{number}",
                baseline=a_response(b'{"price": %d}' % number),
                branch=a_response(b'{"price": "%d"}' % number),
                control=a_response(b'{"price": %d}' % number),
                overlay="branch",
            )
            if aggregate.add(triple).keep_as_example:
                examples.append(encode_pair(StoredPair(triple=triple, captured_ms=7)))
        return await self.submit(paired=count, aggregate=aggregate.to_bytes(), examples=examples)


@pytest.fixture
async def shadowed(stage: Any) -> Any:
    """Give a stage whose overlay is shadowed."""
    await stage.mirroring()
    return stage


@pytest.fixture
def worker(shadowed: Any) -> FakeWorker:
    return FakeWorker(shadowed.client)


async def report(stage: Any, **fields: Any) -> Any:
    answer = await stage.call(methods.GET_REPORT, **{"overlay": "branch", **fields})
    return orjson.loads(answer.document)


async def test_a_report_shows_what_was_compared_and_adds_up(shadowed: Any, worker: FakeWorker) -> None:
    await worker.compare(20)
    await worker.submit(counters={f"{COPY}.upstream_rq_total": 30, f"{COPY}.upstream_rq_pending_overflow": 4})
    await worker.submit(not_compared={"branch_timeout": 2}, pending=8)
    found = await report(shadowed)
    assert found["verdict"] == "different"
    assert found["coverage"]["mirrored"] == 34
    assert found["coverage"]["paired"] == 20
    assert found["coverage"]["not_compared"] == {"branch_overflow": 4, "branch_timeout": 2, "pending": 8}
    shapes = found["services"][0]["endpoints"][0]["shape"]
    assert [(one["kind"], one["path"], one["count"]) for one in shapes] == [("type", "$.price", 20)]
    pair = await shadowed.call(methods.GET_PAIR, overlay="branch", pair_id=shapes[0]["pair"])
    assert decode_pair(pair.record).triple.branch.response is not None
    exported = await shadowed.stream(methods.EXPORT_PAIRS, overlay="branch")
    assert pair.record in [one.record for one in exported]


async def test_a_delta_sent_twice_counts_once(shadowed: Any, worker: FakeWorker) -> None:
    assert not (await worker.compare(5)).duplicate
    worker.sequence -= 1
    assert (await worker.compare(5)).duplicate
    assert (await report(shadowed))["coverage"]["paired"] == 5
    await FakeWorker(shadowed.client, "worker-2").compare(5, first=5)
    assert (await report(shadowed))["coverage"]["paired"] == 10


async def test_a_report_before_the_first_request_says_what_it_waits_for(shadowed: Any) -> None:
    found = await report(shadowed)
    assert found["verdict"] == "undecided"
    assert found["reasons"] == ["no request has reached catalog yet: send traffic to http://127.0.0.1:18101"]


async def test_an_overlay_that_never_was_shadowed_has_no_report(stage: Any) -> None:
    await stage.baseline()
    await stage.overlay()
    code, message = await stage.refusal(report(stage))
    assert code == EXIT_UNDECIDED
    assert message.endswith("switch it on with 'microstax env shadow branch --enable'.")
    code, message = await stage.refusal(report(stage, overlay="nope"))
    assert (code, message) == (EXIT_USAGE, "There is no overlay 'nope' (known: branch).")
    code, message = await stage.refusal(report(stage, overlay="prod"))
    assert (code, message) == (EXIT_USAGE, "prod is a baseline, not an overlay: its overlays are branch.")


async def test_a_report_about_another_service_is_refused(shadowed: Any) -> None:
    code, message = await shadowed.refusal(report(shadowed, service="pricing"))
    assert code == EXIT_USAGE
    assert "'pricing' is not shadowed by branch: it compares catalog." in message


async def test_ignore_rules_hide_what_is_meant_to_differ(shadowed: Any, worker: FakeWorker) -> None:
    await worker.compare(20)
    rule = await shadowed.call(methods.ADD_IGNORE_RULE, path="$.price", reason="prices are strings now")
    found = await report(shadowed)
    assert found["services"][0]["endpoints"][0]["shape"] == []
    assert found["ignored"][0]["reason"] == "prices are strings now"
    assert [one.id for one in (await shadowed.call(methods.LIST_IGNORE_RULES)).rules] == [rule.id]
    await shadowed.call(methods.REMOVE_IGNORE_RULE, id=rule.id)
    assert (await report(shadowed))["verdict"] == "different"
    code, message = await shadowed.refusal(shadowed.call(methods.REMOVE_IGNORE_RULE, id=rule.id))
    assert (code, message) == (EXIT_USAGE, f"There is no ignore rule {rule.id}: 'microstax ignore list' shows them.")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"path": "$.a", "reason": "x" * 3_000},
        {"path": "$["},
        {"kind": "sometimes"},
        {"overlay": "nope", "path": "$.a"},
    ],
)
async def test_a_rule_that_cannot_be_is_refused(shadowed: Any, fields: dict[str, str]) -> None:
    code, _ = await shadowed.refusal(shadowed.call(methods.ADD_IGNORE_RULE, **fields))
    assert code == EXIT_USAGE


async def test_enabling_again_begins_a_new_report(shadowed: Any, worker: FakeWorker) -> None:
    await worker.compare(5)
    await worker.submit(counters={f"{COPY}.upstream_rq_total": 5})
    before = await report(shadowed)
    await shadowed.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    kept = await report(shadowed)
    assert kept["coverage"] == before["coverage"]
    await shadowed.shadow()
    # The mirror is another one, and so are its counters, also where they have overtaken the old ones by now.
    await worker.submit(counters={f"{COPY}.upstream_rq_total": 8})
    assert (await report(shadowed))["coverage"]["mirrored"] == 8
    assert await shadowed.stream(methods.EXPORT_PAIRS, overlay="branch") == []


async def test_skipped_and_blocked_requests_are_counted(shadowed: Any, worker: FakeWorker) -> None:
    await worker.submit(
        counters={
            f"{COPY}.upstream_rq_total": 1,
            "vhost.tee/catalog.route.skipped/method/POST.upstream_rq_total": 7,
            "vhost.tee/catalog.route.skipped/size.upstream_rq_total": 2,
            "vhost.tee/pricing.route.skipped/size.upstream_rq_total": 50,
        }
    )
    bridge = v1.NodeCounters(
        node_id="bridge~branch",
        epoch="1",
        counters={"http.bridge/pricing.rbac.policy.POST.denied": 3},
    )
    delta = v1.Delta(worker_id="worker-3", sequence=1, counters=[bridge])
    await shadowed.client.call(methods.SUBMIT_DELTA, delta)
    found = (await report(shadowed))["coverage"]
    assert found["skipped_methods"] == {"POST": 7}
    assert found["skipped"] == {"size": 2}
    assert found["blocked_calls"] == 3


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ({"aggregate": b"\xc1"}, "aggregate that cannot be read"),
        ({"examples": [b"\xc1"]}, "no pair record"),
        ({"examples": [b"\x00" * 1_000_000]}, "more than one record"),
        ({"not_compared": {"capture_gap": 1 << 62}}, "counts are 0 or more"),
        ({"not_compared": {"capture_gap": -4}}, "counts are 0 or more"),
        ({"not_compared": {"x" * 300: 4}}, "a name of more than 200"),
    ],
)
async def test_a_delta_that_is_damaged_changes_nothing(
    shadowed: Any, worker: FakeWorker, service: dict[str, Any], sentence: str
) -> None:
    await worker.compare(2)
    code, message = await shadowed.refusal(worker.submit(paired=9, **service))
    assert code == EXIT_USAGE
    assert sentence in message
    assert (await report(shadowed))["coverage"]["paired"] == 2
    assert (await report(shadowed))["coverage"]["not_compared"] == {}


async def test_what_an_overlay_does_not_run_counts_nowhere(shadowed: Any) -> None:
    for number, (overlay, service) in enumerate([("branch", "pricing"), ("nope", "catalog"), ("branch", "")]):
        one = v1.ServiceDelta(overlay=overlay, service=service, paired=4, aggregate=b"\xc1")
        await shadowed.call(methods.SUBMIT_DELTA, worker_id="w", sequence=number + 1, services=[one])
    assert (await report(shadowed))["coverage"]["paired"] == 0


async def test_an_impossible_counter_is_passed_over(shadowed: Any, worker: FakeWorker) -> None:
    total, timeouts = f"{COPY}.upstream_rq_total", f"{COPY}.upstream_rq_pending_overflow"
    await worker.submit(counters={total: 7, timeouts: (1 << 63) - 1})
    assert (await report(shadowed))["coverage"]["mirrored"] == 7


async def test_counters_that_come_late_from_another_worker_count_nothing(shadowed: Any) -> None:
    """Read before those that are known, they are lower, as if they had begun again at 0."""

    async def count(worker: str, sequence: int, *, value: int, at_ms: int) -> Any:
        counters = {f"{COPY}.upstream_rq_total": value}
        node = v1.NodeCounters(node_id="tee~prod", epoch="1", counters=counters, at_ms=at_ms)
        await shadowed.call(methods.SUBMIT_DELTA, worker_id=worker, sequence=sequence, counters=[node])
        return (await report(shadowed))["coverage"]["mirrored"]

    now = time.time_ns() // 1_000_000
    assert await count("stopped", 1, value=700, at_ms=now - 60_000) == 0, "it was read before the shadow began"
    assert await count("new", 1, value=900, at_ms=now + 2000) == 900
    assert await count("old", 1, value=500, at_ms=now + 1500) == 900
    assert await count("new", 2, value=905, at_ms=now + 2500) == 905
    assert await count("new", 3, value=2, at_ms=now + 3000) == 907


async def test_a_worker_that_is_killed_with_its_last_delta_leaves_an_account_that_adds_up(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    async with start(store=store) as first:
        await first.mirroring()
        await FakeWorker(first.client).submit(counters={f"{COPY}.upstream_rq_total": 10}, paired=9)
    # Forty more were mirrored, and the worker that saw them was killed before it could say so.
    async with start(store=store) as second:
        monkeypatch.setattr(coverage, "DELIVERY_MS", -15_000)
        worker = FakeWorker(second.client, "worker-2")
        await worker.submit(counters={f"{COPY}.upstream_rq_total": 52}, paired=2)
        await worker.submit(counters={f"{COPY}.upstream_rq_total": 53})
        found = (await report(second))["coverage"]
        assert (found["mirrored"], found["paired"]) == (53, 11)
        assert found["not_compared"] == {"capture_gap": 42}


async def test_a_delta_without_a_sender_is_refused(shadowed: Any) -> None:
    code, _ = await shadowed.refusal(shadowed.call(methods.SUBMIT_DELTA, sequence=1))
    assert code == EXIT_USAGE


async def test_a_full_disk_is_told_and_everything_else_goes_on(shadowed: Any, worker: FakeWorker) -> None:
    shadowed.store.failing = "The disk is full."
    code, message = await shadowed.refusal(worker.compare(2))
    assert (code, message) == (EXIT_FAULT, "The disk is full.")
    status = await shadowed.call(methods.GET_STATUS)
    assert "The disk is full." in status.problems
    assert all(envoy.connected and envoy.applied for envoy in status.envoys)
    assert "The disk is full." in (await report(shadowed))["reasons"]
    shadowed.store.failing = None
    worker.sequence -= 1
    assert not (await worker.compare(2)).duplicate
    assert "The disk is full." not in (await shadowed.call(methods.GET_STATUS)).problems


async def test_a_worker_gets_its_targets_and_every_change(shadowed: Any, worker: FakeWorker) -> None:
    await worker.compare(3)
    lists = watch(shadowed.client, "worker-1")
    first = await anext(lists)
    assert [(one.node_id, one.role, len(one.shadows)) for one in first.targets] == [
        ("tee~prod", "tee", 1),
        ("bridge~branch", "bridge", 0),
    ]
    target = first.targets[0]
    assert target.admin_address.startswith("unix:/")
    assert (target.shadows[0].overlay, target.shadows[0].service, target.shadows[0].control) == (
        "branch",
        "catalog",
        "copy",
    )
    assert ServiceAggregate.from_bytes(target.shadows[0].learned).pairs == 0
    key = Redaction.from_bytes(target.redaction).key
    await shadowed.shadow(control="none")
    second = await anext(lists)
    assert second.targets[0].shadows[0].control == "none"
    assert Redaction.from_bytes(second.targets[0].redaction).key == key
    status = await shadowed.call(methods.GET_STATUS)
    assert [one.worker_id for one in status.workers] == ["worker-1"]
    await lists.aclose()


async def test_two_workers_share_the_envoys(shadowed: Any) -> None:
    one, two = watch(shadowed.client, "worker-1"), watch(shadowed.client, "worker-2")
    assert len((await anext(one)).targets) == 2
    theirs = {target.node_id for target in (await anext(two)).targets}
    status = await shadowed.call(methods.GET_STATUS)
    assert len(status.workers) == 2
    if theirs:
        mine = {target.node_id for target in (await anext(one)).targets}
        assert mine.isdisjoint(theirs)
        assert mine | theirs == {"tee~prod", "bridge~branch"}
    await two.aclose()
    await one.aclose()


async def test_what_was_lost_before_a_restart_is_not_waited_for(start: Any) -> None:
    store = MemoryStore()
    async with start(store=store) as first:
        await first.mirroring()
        await FakeWorker(first.client).submit(counters={f"{COPY}.upstream_rq_total": 5}, paired=2)
        assert (await report(first))["coverage"]["not_compared"] == {"pending": 3}
    async with start(store=store) as second:
        # The delta is from 1970, by the worker's clock.
        assert (await report(second))["coverage"]["not_compared"] == {"capture_gap": 3}
        await FakeWorker(second.client, "worker-2").submit(counters={f"{COPY}.upstream_rq_total": 6})
        assert (await report(second))["coverage"]["not_compared"] == {"capture_gap": 3, "pending": 1}


async def test_results_of_another_version_begin_anew(start: Any) -> None:
    store = MemoryStore()
    async with start(store=store) as first:
        await first.mirroring()
        await FakeWorker(first.client).compare(3)
    store._aggregates = {key: b"\x91\x63" for key in store._aggregates}
    async with start(store=store) as second:
        assert (await report(second))["coverage"]["paired"] == 0
        await FakeWorker(second.client, "worker-2").compare(3)
        assert (await report(second))["coverage"]["paired"] == 3


async def test_the_budget_lowers_the_share_in_force(shadowed: Any, worker: FakeWorker) -> None:
    """By the worker's clock: deltas that waited for a control plane arrive at once, and are no burst of traffic."""
    for second in range(1, 6):
        await worker.submit(at_ms=second * 1000, counters={f"{COPY}.upstream_rq_total": second * 150})
    assert await shares(shadowed) == (1_000_000, 1_000_000)
    before = shadowed.plane.xds.snapshot("tee~prod")
    await worker.submit(at_ms=7000, counters={f"{COPY}.upstream_rq_total": 750 + 4000})
    assert await shares(shadowed) == (1_000_000, 90_000)
    await shadowed.plane.plane.publisher.settled("tee~prod")
    changed = shadowed.plane.xds.snapshot("tee~prod").changed_since(before)
    assert [type_url.rpartition(".")[2] for type_url in changed] == ["Runtime"]


async def shares(stage: Any) -> tuple[int, int]:
    service = (await stage.call(methods.GET_STATUS)).shadows[0].services[0]
    return service.sample_ppm, service.current_ppm


async def watch(client: AsyncClient, name: str) -> AsyncIterator[v1.TargetList]:
    async for targets in client.stream(methods.WATCH_TARGETS, v1.WatchTargetsRequest(worker_id=name, pid=1)):
        yield targets


async def test_a_worker_that_leaves_is_forgotten(shadowed: Any) -> None:
    lists, again = watch(shadowed.client, "worker-1"), watch(shadowed.client, "worker-1")
    await anext(lists)
    await anext(again)
    await lists.aclose()
    await FakeWorker(shadowed.client).compare(2)
    assert [one.pairs for one in (await shadowed.call(methods.GET_STATUS)).workers] == [2]
    await again.aclose()
    async with asyncio.timeout(5):
        while (await shadowed.call(methods.GET_STATUS)).workers:  # noqa: ASYNC110  # the server learns it by itself
            await asyncio.sleep(0.01)
    await FakeWorker(shadowed.client, "worker-2").compare(2)
    assert any("No worker is connected" in one for one in (await shadowed.call(methods.GET_STATUS)).problems)


@pytest.mark.parametrize(
    ("baseline", "advice"),
    [("url: 'http://127.0.0.1:9'", "--control self does"), ("command: [catalog, --v1]", "--control copy does")],
)
async def test_a_report_without_control_names_one_that_can_be_had(stage: Any, baseline: str, advice: str) -> None:
    await stage.baseline(text=f"services: [{{name: catalog, {baseline}, port: 18120}}]")
    await stage.overlay(text="services: [{name: catalog, url: 'http://127.0.0.1:10'}]")
    await stage.shadow(control="none")
    aggregate = ServiceAggregate.empty()
    aggregate.add(a_triple(overlay="branch"))
    await FakeWorker(stage.client).submit(paired=1, aggregate=aggregate.to_bytes())
    assert any(advice in reason for reason in (await report(stage))["reasons"])


async def test_a_control_that_cannot_be_is_not_waited_for(stage: Any) -> None:
    """A server that runs already has no copy: what is asked for by default is nobody there."""
    await stage.baseline(text="services: [{name: catalog, url: 'http://127.0.0.1:9', port: 18120}]")
    await stage.overlay(text="services: [{name: catalog, url: 'http://127.0.0.1:10'}]")
    await stage.shadow()
    aggregate = ServiceAggregate.empty()
    for thing in range(60):
        request = a_request(path=f"/things/{thing}")
        sides = (a_response(orjson.dumps(body)) for body in ({"id": thing}, {"id": thing, "new": 1}))
        aggregate.add(a_triple(*sides, id=f"id-{thing}", overlay="branch", request=request))
    await FakeWorker(stage.client).submit(paired=60, aggregate=aggregate.to_bytes())
    assert (await report(stage))["verdict"] == "different"


async def test_old_pairs_go_and_those_that_a_finding_shows_stay(shadowed: Any, worker: FakeWorker) -> None:
    await worker.compare(20)
    (shape,) = (await report(shadowed))["services"][0]["endpoints"][0]["shape"]
    spare = encode_pair(StoredPair(triple=a_triple(id="spare", overlay="branch"), captured_ms=8))
    await worker.submit(paired=1, examples=[spare])
    before = {
        decode_pair(one.record).triple.id for one in await shadowed.stream(methods.EXPORT_PAIRS, overlay="branch")
    }
    assert before >= {shape["pair"], "spare"}
    intake = Intake(shadowed.plane.plane, merge=comparing.Merger(), limits=PairLimits(max_age_ms=1))
    await intake.prune(comparing.examples)
    kept = [decode_pair(one.record).triple.id for one in await shadowed.stream(methods.EXPORT_PAIRS, overlay="branch")]
    assert "spare" not in kept
    assert shape["pair"] in kept


async def test_a_worker_that_says_nothing_is_a_problem(shadowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = watch(shadowed.client, "worker-1")
    await anext(lists)
    assert (await shadowed.call(methods.GET_STATUS)).problems == []
    monkeypatch.setattr(status, "SILENT_MS", -1)
    (problem,) = (await shadowed.call(methods.GET_STATUS)).problems
    assert problem.startswith("The worker worker-1 has said nothing for 0 s")
    assert "'kill -9 1'" in problem
    await lists.aclose()


async def test_a_worker_whose_findings_are_refused_is_a_problem(shadowed: Any) -> None:
    """It may have been started from another version than the control plane, and then nothing of it counts."""
    lists = watch(shadowed.client, "worker-1")
    await anext(lists)
    worker = FakeWorker(shadowed.client)
    with pytest.raises(MicrostaxError, match="cannot be read"):
        await worker.submit(paired=1, aggregate=b"\xc1")
    (problem,) = (await shadowed.call(methods.GET_STATUS)).problems
    assert problem.startswith("What the worker worker-1 finds is lost: A delta has an aggregate that cannot be read")
    assert problem.endswith("If microstax was upgraded since it was started: 'microstax down', then 'microstax up'.")
    await worker.compare(1)
    assert (await shadowed.call(methods.GET_STATUS)).problems == []
    await lists.aclose()


async def test_a_pair_that_is_not_kept_is_told_so(shadowed: Any) -> None:
    with pytest.raises(MicrostaxError, match="There is no pair 'nope' of branch"):
        await shadowed.call(methods.GET_PAIR, overlay="branch", pair_id="nope")


async def keep(worker: FakeWorker, count: int, *, first: int = 0) -> None:
    triples = [a_triple(id=f"kept-{number}", overlay="branch") for number in range(first, first + count)]
    records = [encode_pair(StoredPair(triple=triple, captured_ms=7)) for triple in triples]
    await worker.submit(paired=count, kept=records)


async def wanted(stage: Any) -> int:
    """Return how many pairs a worker that begins now is told to keep."""
    watching = stage.client.stream(methods.WATCH_TARGETS, v1.WatchTargetsRequest(worker_id="w-new", pid=1))
    targets = await anext(watching)
    await watching.aclose()
    return int(targets.targets[0].shadows[0].keep_pairs)


async def test_pairs_are_kept_as_many_as_asked_for_and_exported(shadowed: Any, worker: FakeWorker) -> None:
    generation = shadowed.plane.plane.state.shadows["branch"].generation
    await keep(worker, 5)
    await shadowed.shadow(keep_pairs=20)
    assert shadowed.plane.plane.state.shadows["branch"].generation == generation
    await keep(worker, 15)
    assert await wanted(shadowed) == 5
    await keep(FakeWorker(shadowed.client, "worker-2"), 15, first=15)
    exported = await shadowed.stream(methods.EXPORT_PAIRS, overlay="branch")
    assert [decode_pair(one.record).triple.id for one in exported] == [f"kept-{number}" for number in range(20)]
    assert await wanted(shadowed) == 0
    (info,) = (await shadowed.call(methods.GET_STATUS)).shadows
    assert (info.keep_pairs, info.services[0].kept) == (20, 20)


async def test_kept_pairs_outlive_the_pruning(
    shadowed: Any, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shadowed.shadow(keep_pairs=20)
    await keep(worker, 20)
    monkeypatch.setattr(shadowed.plane._intake, "_limits", PairLimits(max_age_ms=0, max_count=1), raising=False)
    await shadowed.plane._intake.prune(comparing.examples)
    assert len(await shadowed.stream(methods.EXPORT_PAIRS, overlay="branch")) == 20
    await shadowed.shadow(keep_pairs=0)
    await shadowed.plane._intake.prune(comparing.examples)
    assert await shadowed.stream(methods.EXPORT_PAIRS, overlay="branch") == []


async def test_status_says_that_kept_pairs_take_all_their_room(
    shadowed: Any, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shadowed.shadow(keep_pairs=20)
    monkeypatch.setattr(coverage, "MOST_KEPT_BYTES", 1024 * 1024 + 100)
    await keep(worker, 3)
    problems = (await shadowed.call(methods.GET_STATUS)).problems
    assert any(one.startswith("branch keeps 3 of 20 pairs of catalog and no more: they take ") for one in problems)
    assert await wanted(shadowed) == 0


async def test_a_number_of_pairs_that_cannot_be_kept_is_refused(shadowed: Any) -> None:
    code, message = await shadowed.refusal(shadowed.shadow(keep_pairs=20_001))
    assert (code, message) == (EXIT_USAGE, "--keep-pairs is 20001, and must be at least 0 and at most 20000.")


async def test_rechecks_are_applied_once_and_reported(shadowed: Any, worker: FakeWorker) -> None:
    assert (await report(shadowed))["rechecks"] is None
    await shadowed.shadow(recheck_rps=5)
    counts = {"asked": 3, "vanished": 2, "failed": 1, "over_budget": 7, "unheard of": 5}
    await worker.submit(paired=20, rechecks=counts)
    worker.sequence -= 1
    assert (await worker.submit(paired=20, rechecks=counts)).duplicate
    await FakeWorker(shadowed.client, "worker-2").submit(paired=1, rechecks={"asked": 1, "persisted": 1})
    found = (await report(shadowed))["rechecks"]
    assert found == {"asked": 4, "vanished": 2, "persisted": 1, "failed": 1, "over_budget": 7}
    (info,) = (await shadowed.call(methods.GET_STATUS)).shadows
    assert info.recheck_rps == 5


async def test_counts_of_rechecks_that_no_worker_makes_are_refused(shadowed: Any, worker: FakeWorker) -> None:
    code, message = await shadowed.refusal(worker.submit(rechecks={"asked": -1}))
    assert (code, message) == (EXIT_USAGE, "A delta counts -1: counts are 0 or more, and below 2^53.")
