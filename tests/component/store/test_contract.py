"""What every store promises, checked on the fake and on SQLite alike."""

import itertools
from dataclasses import replace

import pytest

from microstax.model.environment import EnvironmentSpec, HealthCheck, PromotedService, Promotion, ServiceSpec
from microstax.model.overlay import BridgeAllowance, OverlaySpec
from microstax.model.shadow import ControlMode, ShadowSettings
from microstax.store.port import (
    Applied,
    CounterReading,
    DeltaRecord,
    ExamplePair,
    PairLimits,
    Room,
    ServiceResult,
    Store,
    TallyKey,
)
from microstax.store.sqlite import SqliteStore
from microstax.store.state import (
    DropEnvironment,
    DropOverlay,
    DropRule,
    EnvironmentRecord,
    OverlayRecord,
    PortKey,
    PutEnvironment,
    PutOverlay,
    PutPorts,
    PutRule,
    PutShadow,
    RuleRecord,
    ShadowRecord,
)

ENVIRONMENT = EnvironmentRecord(
    spec=EnvironmentSpec(
        name="prod",
        services=(
            ServiceSpec(
                name="catalog",
                command=("python", "-m", "shop"),
                port=8080,
                env={"A": "1"},
                health=HealthCheck(path="/healthz"),
                depends_on=("pricing",),
            ),
            ServiceSpec(name="pricing", url="http://127.0.0.1:9000", port=8081),
        ),
    ),
    created_ms=1,
    promotion=Promotion(environment="prod", at_ms=2, services=(PromotedService(name="catalog", version="abc"),)),
)
OVERLAY = OverlayRecord(
    spec=OverlaySpec(
        name="branch",
        baseline="prod",
        services=(ServiceSpec(name="catalog", command=("python", "-m", "shop", "--v2")),),
        bridge=(BridgeAllowance(service="pricing", methods=("POST",)),),
    ),
    created_ms=3,
    manifest_diff="- old\n+ new",
)


def shadow(generation: int = 1, *, enabled: bool = True) -> ShadowRecord:
    settings = ShadowSettings(enabled=enabled, control=ControlMode.COPY, services=("catalog",))
    return ShadowRecord(overlay="branch", settings=settings, generation=generation, since_ms=4, expires_ms=5)


async def shadowed(store: Store) -> None:
    await store.commit(PutEnvironment(ENVIRONMENT), PutOverlay(OVERLAY), PutShadow(shadow()))


def join(old: bytes | None, new: bytes) -> bytes:
    return (old or b"") + new


def example(pair_id: str, at_ms: int = 10, record: bytes = b"record") -> ExamplePair:
    return ExamplePair(overlay="branch", service="catalog", id=pair_id, at_ms=at_ms, record=record)


def delta(
    sequence: int, *, generation: int = 1, examples: tuple[ExamplePair, ...] = (), worker: str = "w"
) -> DeltaRecord:
    result = ServiceResult(
        overlay="branch",
        generation=generation,
        service="catalog",
        aggregate=b"x",
        counts={"paired": 2},
        examples=examples,
    )
    return DeltaRecord(worker_id=worker, sequence=sequence, at_ms=5, results=(result,))


SEQUENCES = itertools.count(1)


def reading(value: int, *, epoch: str = "1", generation: int = 1) -> DeltaRecord:
    key = TallyKey("branch", generation, "catalog", "mirrored")
    counter = CounterReading(node="tee", epoch=epoch, name="mirrored catalog/branch", value=value, tallies=(key,))
    return DeltaRecord(worker_id="reader", sequence=next(SEQUENCES), at_ms=5, readings=(counter,))


async def test_what_was_committed_is_there_after_a_restart(store: Store) -> None:
    await shadowed(store)
    await store.commit(PutPorts({PortKey("prod", "catalog", "process"): 4242}))
    await store.commit(PutRule(RuleRecord(id=await store.next_rule_id(), path="$.at", reason="clock")))
    await store.close()
    again = SqliteStore(store._path) if isinstance(store, SqliteStore) else store
    state = await again.open()
    await again.close()
    assert state.environments == {"prod": ENVIRONMENT}
    assert state.overlays == {"branch": OVERLAY}
    assert state.shadows == {"branch": shadow()}
    assert state.ports == {PortKey("prod", "catalog", "process"): 4242}
    assert [rule.path for rule in state.rules.values()] == ["$.at"]


async def test_an_environment_with_overlays_can_be_stored_again(store: Store) -> None:
    """A second promotion updates the environment's row in place; the overlays that refer to it stay."""
    await shadowed(store)
    await store.commit(PutEnvironment(ENVIRONMENT))
    await store.apply_delta(delta(1), join)
    assert (await store.results("branch", 1)).aggregates == {"catalog": b"x"}


async def test_a_delta_is_applied_once_also_when_it_is_sent_twice(store: Store) -> None:
    await shadowed(store)
    assert await store.last_delta_ms() == 0
    assert await store.apply_delta(delta(1), join)
    assert not await store.apply_delta(delta(1), join)
    assert await store.apply_delta(delta(2), join)
    assert await store.apply_delta(delta(1, worker="other"), join)
    results = await store.results("branch", 1)
    assert results.aggregates == {"catalog": b"xxx"}
    assert results.counts == {("catalog", "paired"): 6}
    assert await store.last_delta_ms() == 5


async def test_a_delta_whose_merge_fails_leaves_nothing_behind(store: Store) -> None:
    await shadowed(store)

    def broken(old: bytes | None, new: bytes) -> bytes:
        raise ValueError("not an aggregate")

    if isinstance(store, SqliteStore):
        with pytest.raises(ValueError, match="not an aggregate"):
            await store.apply_delta(delta(1, examples=(example("p"),)), broken)
        assert await store.pair("branch", "p") is None
        assert await store.apply_delta(delta(1), join)


async def test_counters_add_up_over_restarts_of_an_envoy(store: Store) -> None:
    await shadowed(store)
    for one in (reading(5), reading(8), reading(8), reading(3, epoch="2"), reading(1, epoch="2")):
        await store.apply_delta(one, join)
    # 8 in the first epoch; 3 in the second, where the counter then began again and reached 1.
    assert (await store.results("branch", 1)).counts == {("catalog", "mirrored"): 12}


async def test_a_mirror_that_is_made_anew_counts_from_nothing(store: Store) -> None:
    """Its counter may have overtaken what the one before had when it is first read."""
    await shadowed(store)
    await store.apply_delta(reading(5), join)
    await store.forget_mirrors("other")
    await store.apply_delta(reading(6), join)
    await store.forget_mirrors("branch")
    await store.apply_delta(reading(9), join)
    assert (await store.results("branch", 1)).counts == {("catalog", "mirrored"): 6 + 9}


async def test_a_delta_tells_by_how_much_its_counters_made_tallies_grow(store: Store) -> None:
    await shadowed(store)
    grown = [await store.apply_delta(one, join) for one in (reading(5), reading(8), reading(8), reading(3, epoch="2"))]
    assert [[one.count for one in applied.grown] for applied in grown if applied] == [[5], [3], [], [3]]
    again = await store.apply_delta(reading(9, generation=7, epoch="2"), join)
    assert again == Applied(())  # of a generation that is not there


async def test_a_new_generation_drops_the_results_of_the_old_one(store: Store) -> None:
    await shadowed(store)
    await store.apply_delta(delta(1, examples=(example("p"),)), join)
    await store.apply_delta(reading(5), join)
    await store.commit(PutShadow(shadow(enabled=False)))
    assert await store.pair("branch", "p") == b"record"
    await store.commit(PutShadow(shadow(generation=2)))
    assert (await store.results("branch", 1)).counts == {}
    assert await store.pair("branch", "p") is None
    await store.apply_delta(delta(2, generation=1), join)
    await store.apply_delta(reading(7, generation=2), join)
    results = await store.results("branch", 2)
    assert results.aggregates == {}
    assert results.counts == {("catalog", "mirrored"): 2}


async def test_dropping_an_overlay_drops_all_that_is_its(store: Store) -> None:
    await shadowed(store)
    await store.commit(PutPorts({PortKey("branch", "catalog", "process"): 1, PortKey("prod", "catalog", "tee"): 2}))
    await store.apply_delta(delta(1, examples=(example("p"),)), join)
    await store.commit(DropOverlay("branch"))
    await store.commit(PutOverlay(OVERLAY), PutShadow(shadow()))
    assert (await store.results("branch", 1)).counts == {}
    assert await store.pair("branch", "p") is None
    await store.commit(DropOverlay("branch"), DropEnvironment("prod"))


async def test_pairs_come_page_by_page_in_the_order_of_arrival(store: Store) -> None:
    await shadowed(store)
    for number in range(5):
        await store.apply_delta(delta(number + 1, examples=(example(f"p{number}", record=b"%d" % number),)), join)
    seen: list[bytes] = []
    after: int | None = 0
    while after is not None:
        page = await store.pairs("branch", after=after, limit=2)
        seen += page.records
        after = page.after
    assert seen == [b"0", b"1", b"2", b"3", b"4"]


async def test_pruning_keeps_what_findings_refer_to(store: Store) -> None:
    await shadowed(store)
    await store.apply_delta(delta(1, examples=tuple(example(f"p{n}", at_ms=n) for n in range(6))), join)
    limits = PairLimits(max_age_ms=1000, max_count=3)
    assert await store.prune_pairs("branch", limits, now_ms=900, referenced={"p0"}) == 3
    assert await store.pair("branch", "p0") == b"record"
    assert await store.pair("branch", "p1") is None
    assert await store.pair("branch", "p5") == b"record"


def keeping(sequence: int, *pairs: str, keep: int = 3, worker: str = "w", size: int = 6) -> DeltaRecord:
    kept = tuple(example(one, at_ms=1, record=b"r" * size) for one in pairs)
    result = ServiceResult(overlay="branch", generation=1, service="catalog", kept=kept, keep=keep)
    return DeltaRecord(worker_id=worker, sequence=sequence, at_ms=5, results=(result,))


async def test_pairs_are_kept_up_to_their_number_whoever_sends_them(store: Store) -> None:
    await shadowed(store)
    await store.apply_delta(keeping(1, "p0", "p1"), join)
    await store.apply_delta(keeping(1, "p1", "p2", "p3", "p4", worker="other"), join)
    assert len((await store.pairs("branch")).records) == 3
    assert (await store.counts("branch", 1)) == {("catalog", "kept"): 3, ("catalog", "kept_bytes"): 18}
    await store.apply_delta(keeping(2, "p5", keep=4), join)
    assert await store.pair("branch", "p5") is not None
    await store.apply_delta(keeping(3, "p6", keep=0), join)
    assert await store.pair("branch", "p6") is None
    await store.commit(PutShadow(shadow(generation=2)))
    assert (await store.pairs("branch")).records == ()
    assert await store.counts("branch", 1) == {}


async def test_the_bytes_of_kept_pairs_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await shadowed(store)
    monkeypatch.setitem(Room.__init__.__kwdefaults__, "max_bytes", 100)
    await store.apply_delta(keeping(1, "p0", "p1", "p2", size=40), join)
    assert len((await store.pairs("branch")).records) == 2


async def test_pruning_leaves_kept_pairs_alone_while_it_is_told_to(store: Store) -> None:
    await shadowed(store)
    await store.apply_delta(delta(1, examples=tuple(example(f"e{n}", at_ms=n) for n in range(4))), join)
    await store.apply_delta(keeping(2, "p0", "p1", "p2"), join)
    limits = PairLimits(max_age_ms=1000, max_count=1)
    assert await store.prune_pairs("branch", replace(limits, spare_kept=True), now_ms=5000, referenced=()) == 4
    assert len((await store.pairs("branch")).records) == 3
    assert await store.prune_pairs("branch", limits, now_ms=5000, referenced={"p1"}) == 2
    assert await store.pair("branch", "p1") is not None


async def test_refused_calls_belong_to_a_generation_and_go_with_it(store: Store) -> None:
    await store.note_refused("branch", 1, "nobody's")
    await shadowed(store)
    assert await store.refused("branch", 1) == ""
    await store.note_refused("branch", 1, "first")
    await store.note_refused("branch", 1, "second")
    await store.note_refused("branch", 2, "too early")
    assert (await store.refused("branch", 1), await store.refused("branch", 2)) == ("second", "")
    await store.commit(PutShadow(shadow(generation=2)))
    assert (await store.refused("branch", 1), await store.refused("branch", 2)) == ("", "")
    await store.note_refused("branch", 2, "third")
    await store.commit(DropOverlay("branch"))
    assert await store.refused("branch", 2) == ""


async def test_a_rule_id_is_never_given_twice(store: Store) -> None:
    first = await store.next_rule_id()
    await store.commit(PutRule(RuleRecord(id=first)))
    await store.commit(DropRule(first))
    assert await store.next_rule_id() > first


async def test_a_secret_stays_what_it_was_first(store: Store) -> None:
    assert await store.secret("redaction", b"one") == b"one"
    assert await store.secret("redaction", b"two") == b"one"
