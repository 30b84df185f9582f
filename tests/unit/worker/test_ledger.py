"""Results of pairs on their way into deltas."""

from dataclasses import replace

import pytest

from microstax.capture import Lost, Paired
from microstax.diff.aggregate import ServiceAggregate
from microstax.errors import StorageError
from microstax.generated.management.microstax.management.v1 import Delta
from microstax.model.exchange import Gap, NotCompared
from microstax.model.record import decode_pair
from microstax.testing import a_request, a_response, a_triple
from microstax.worker.ledger import Ledger
from microstax.worker.results import MAX_EXAMPLE_BYTES, MAX_KEPT_BYTES, Recheck

PLACE = ("shadow-test", "catalog")
SAME = Paired(a_triple())
DIFFERENT = Paired(a_triple(branch=a_response(status=500)))


def cut(ledger: Ledger, pending: int = 0, *, force: bool = False) -> Delta | None:
    return ledger.cut(at_ms=7, lag_ms=3, pending={PLACE: pending} if pending else {}, force=force)


def must_cut(ledger: Ledger, pending: int = 0, *, force: bool = False) -> Delta:
    delta = cut(ledger, pending, force=force)
    assert delta is not None
    return delta


def test_without_news_there_is_no_delta() -> None:
    ledger = Ledger("w-1")
    assert cut(ledger) is None
    assert must_cut(ledger, force=True).sequence == 1


def test_a_delta_is_about_itself_alone() -> None:
    ledger = Ledger("w-1")
    for command in (SAME, DIFFERENT, Lost("catalog", "shadow-test", NotCompared.BRANCH_ERROR)):
        ledger.take(command, at_ms=5)
    first = must_cut(ledger)
    ledger.take(SAME, at_ms=6)
    second = must_cut(ledger)
    assert [(delta.sequence, delta.services[0].paired) for delta in (first, second)] == [(1, 2), (2, 1)]
    assert (first.worker_id, first.at_ms, first.lag_ms) == ("w-1", 7, 3)
    assert first.services[0].not_compared == {"branch_error": 1}
    assert second.services[0].not_compared == {}
    assert ServiceAggregate.from_bytes(first.services[0].aggregate).pairs == 2
    assert ServiceAggregate.from_bytes(second.services[0].aggregate).pairs == 1
    assert cut(ledger) is None
    assert ledger.pairs == 3


def test_an_example_is_sent_once_as_a_pair_record() -> None:
    ledger = Ledger("w-1")
    ledger.take(DIFFERENT, at_ms=5)
    ledger.take(Paired(a_triple(branch=a_response(status=500), id="id-2")), at_ms=6)
    (record,) = must_cut(ledger).services[0].examples
    pair = decode_pair(record)
    assert (pair.triple, pair.captured_ms) == (DIFFERENT.triple, 5)
    ledger.take(Paired(a_triple(branch=a_response(status=500), id="id-3")), at_ms=7)
    assert must_cut(ledger).services[0].examples == []


def test_pairs_are_kept_whatever_they_show_until_there_are_enough() -> None:
    ledger = Ledger("w-1")
    ledger.keep(*PLACE, 3)
    for number in range(2):
        ledger.take(Paired(a_triple(id=f"id-{number}")), at_ms=5)
    ledger.take(DIFFERENT, at_ms=5)
    first = must_cut(ledger).services[0]
    for number in range(2, 5):
        ledger.take(Paired(a_triple(id=f"id-{number}")), at_ms=6)
    ledger.take(Paired(a_triple(branch=a_response(truncated=True), id="cut")), at_ms=6)
    second = must_cut(ledger).services[0]
    assert [decode_pair(record).triple.id for record in (*first.kept, *second.kept)] == ["id-0", "id-1", "id-2"]
    assert (len(first.examples), second.examples) == (1, [])


def test_kept_pairs_leave_examples_their_room() -> None:
    ledger = Ledger("w-1")
    ledger.keep(*PLACE, 20_000)
    body = b'{"k": "' + b"x" * 400_000 + b'"}'
    for number in range(20):
        ledger.take(Paired(a_triple(a_response(body), a_response(body), id=f"id-{number}")), at_ms=5)
    ledger.take(DIFFERENT, at_ms=5)
    (service,) = must_cut(ledger).services
    assert 0 < sum(map(len, service.kept)) <= MAX_KEPT_BYTES
    assert len(service.examples) == 1


def test_nothing_is_kept_of_what_was_mirrored_before_the_generation() -> None:
    ledger = Ledger("w-1")
    ledger.begin(*PLACE, 4, now_us=1_000)
    ledger.begin(*PLACE, 5, now_us=1_000)
    ledger.keep(*PLACE, 10)
    ledger.take(started_at(900), at_ms=6)
    ledger.take(started_at(1_100), at_ms=6)
    assert [(one.generation, len(one.kept)) for one in must_cut(ledger).services] == [(4, 0), (5, 1)]
    ledger.forget([])
    ledger.take(started_at(1_100), at_ms=7)
    assert must_cut(ledger).services[0].kept == []


def test_examples_are_bounded_in_bytes() -> None:
    ledger = Ledger("w-1")
    for number in range(20):
        body = b'{"k%d": "' % number + b"x" * 1_000_000 + b'"}'
        ledger.take(Paired(a_triple(branch=a_response(body), id=f"id-{number}")), at_ms=5)
    (service,) = must_cut(ledger).services
    assert 0 < sum(map(len, service.examples)) <= MAX_EXAMPLE_BYTES
    assert service.paired == 20


def test_what_the_differ_refuses_is_counted_by_its_reason() -> None:
    ledger = Ledger("w-1")
    ledger.take(Paired(a_triple(branch=a_response(local_reason="UT"))), at_ms=5)
    ledger.take(Paired(a_triple(branch=a_response(truncated=True))), at_ms=5)
    (service,) = must_cut(ledger).services
    assert service.paired == 0
    assert service.not_compared == {"branch_timeout": 1, "truncated": 1}


def test_a_pair_given_up_still_counts() -> None:
    ledger = Ledger("w-1")
    ledger.give_up(SAME)
    assert must_cut(ledger).services[0].not_compared == {"undecodable": 1}


def test_pending_is_told_when_it_changes_also_to_nothing() -> None:
    ledger = Ledger("w-1")
    assert must_cut(ledger, 4).services[0].pending == 4
    assert cut(ledger, 4) is None
    (service,) = must_cut(ledger, 0).services
    assert (service.overlay, service.service, service.pending) == (*PLACE, 0)


def test_counters_go_with_the_next_delta_in_their_newest_reading() -> None:
    ledger = Ledger("w-1")
    ledger.count("tee-shop", epoch="e", counters={"a": 1}, traces={"read": 3})
    ledger.count("tee-shop", epoch="e", counters={"a": 2}, traces={"read": 1, "late": 1})
    (counters,) = must_cut(ledger).counters
    assert (counters.node_id, counters.epoch, counters.counters) == ("tee-shop", "e", {"a": 2})
    assert counters.traces == {"read": 4, "late": 1}  # these are of the delta alone
    assert cut(ledger) is None


def test_a_worker_begins_with_what_was_learned_and_without_counts() -> None:
    learned = ServiceAggregate.empty()
    for number in range(50):
        learned.add(a_triple(id=f"id-{number}"))
    ledger = Ledger("w-2")
    ledger.seed(*PLACE, learned.to_bytes())
    assert cut(ledger) is None
    ledger.take(SAME, at_ms=5)
    assert ServiceAggregate.from_bytes(must_cut(ledger).services[0].aggregate).pairs == 1


def test_a_seed_changes_nothing_that_is_there() -> None:
    ledger = Ledger("w-1")
    ledger.take(SAME, at_ms=5)
    ledger.seed(*PLACE, ServiceAggregate.empty().to_bytes())
    assert must_cut(ledger).services[0].paired == 1


def test_an_unreadable_seed_is_refused() -> None:
    with pytest.raises(StorageError):
        Ledger("w-1").seed(*PLACE, b"garbage")


def started_at(time_us: int) -> Paired:
    triple = a_triple()
    return Paired(replace(triple, baseline=replace(triple.baseline, started_us=time_us)))


def test_results_belong_to_the_generation_in_which_their_request_was_mirrored() -> None:
    ledger = Ledger("w-1")
    ledger.begin(*PLACE, 4, now_us=1_000)
    early, late = started_at(900), started_at(1_100)
    ledger.take(early, at_ms=5)
    ledger.begin(*PLACE, 5, now_us=1_000)
    ledger.take(early, at_ms=6)
    ledger.take(late, at_ms=6)
    told = [(one.generation, one.paired) for one in must_cut(ledger).services]
    assert told == [(4, 2), (5, 1)]
    ledger.take(early, at_ms=7)
    assert [(one.generation, one.paired) for one in must_cut(ledger).services] == [(4, 1)]
    ledger.forget([])
    assert cut(ledger) is None


def test_what_was_lost_belongs_to_its_generation_too() -> None:
    ledger = Ledger("w-1")
    ledger.begin(*PLACE, 4, now_us=1_000)
    ledger.take(SAME, at_ms=5)
    ledger.begin(*PLACE, 5, now_us=1_000)
    ledger.take(Lost("catalog", "shadow-test", NotCompared.BRANCH_TIMEOUT, started_us=900), at_ms=6)
    ledger.take(Lost("catalog", "shadow-test", NotCompared.BRANCH_TIMEOUT, started_us=1_100), at_ms=6)
    told = [(one.generation, one.not_compared) for one in must_cut(ledger).services]
    assert told == [(4, {"branch_timeout": 1}), (5, {"branch_timeout": 1})]


def test_an_answer_that_broke_off_too_late_is_a_timeout_to_the_latencies() -> None:
    ledger = Ledger("w-1")
    ledger.take(Lost("catalog", "shadow-test", NotCompared.BRANCH_TIMEOUT, baseline=SAME.triple.baseline), at_ms=5)
    (service,) = must_cut(ledger).services
    whole = Ledger("w-2")
    whole.take(Paired(a_triple(branch=a_response(local_reason="UT"))), at_ms=5)
    (other,) = must_cut(whole).services
    assert (service.not_compared, service.paired) == (other.not_compared, 0)
    for told in (service, other):
        ((name, endpoint),) = ServiceAggregate.from_bytes(told.aggregate).endpoints.items()
        assert (name, endpoint.pairs) == ("GET /products/{id}", 0)
        assert endpoint.latencies.everything().timeouts == 1


def test_rechecks_are_counted_with_the_pair_that_they_are_about() -> None:
    ledger = Ledger("w-1")
    ledger.keep(*PLACE, 10)
    sides = ledger.differences(DIFFERENT.triple)
    assert sides is not None
    for recheck in (*Recheck, Recheck.VANISHED):
        ledger.add(DIFFERENT.triple, sides, at_ms=5, recheck=recheck)
    (service,) = must_cut(ledger).services
    assert service.rechecks == {"asked": 4, "vanished": 2, "persisted": 1, "failed": 1, "over_budget": 1}
    assert service.paired == 5
    assert len(service.kept) == 3  # neither the example nor the last one, which counts as if it did not differ
    ledger.take(SAME, at_ms=5)
    assert must_cut(ledger).services[0].rechecks == {}


def test_a_new_generation_needs_examples_of_its_own_and_keeps_what_was_learned() -> None:
    ledger = Ledger("w-1")
    ledger.begin(*PLACE, 1, now_us=0)
    for number in range(200):
        request = a_request(path=f"/products/{number:x}zz")
        ledger.take(Paired(a_triple(branch=a_response(status=500), id=f"id-{number}", request=request)), at_ms=5)
    (before,) = must_cut(ledger).services
    ledger.begin(*PLACE, 2, now_us=0)
    ledger.take(Paired(a_triple(branch=a_response(status=500), id="new", request=request)), at_ms=6)
    (after,) = must_cut(ledger).services
    assert [decode_pair(record).triple.id for record in after.examples] == ["new"]
    known = set(ServiceAggregate.from_bytes(before.aggregate).endpoints)
    assert set(ServiceAggregate.from_bytes(after.aggregate).endpoints) <= known


def test_the_taps_that_are_attached_are_told_when_they_change() -> None:
    ledger = Ledger("w-1")
    watched = {"tee-shop": {"shadow-test": 3}}
    delta = ledger.cut(at_ms=7, lag_ms=3, pending={}, watched=watched)
    assert delta is not None
    assert [(one.node_id, one.generations) for one in delta.watched] == [("tee-shop", {"shadow-test": 3})]
    assert ledger.cut(at_ms=7, lag_ms=3, pending={}, watched=watched) is None
    assert must_cut(ledger).watched == []


def test_what_is_no_longer_shadowed_is_forgotten_after_it_was_reported() -> None:
    ledger = Ledger("w-1")
    ledger.take(SAME, at_ms=5)
    ledger.forget([])
    assert must_cut(ledger).services[0].paired == 1
    ledger.forget([])
    ledger.take(DIFFERENT, at_ms=6)
    assert len(must_cut(ledger).services[0].examples) == 1


def test_gaps_are_told_by_what_is_missing() -> None:
    ledger = Ledger("w-1")
    for gap in (Gap.COPY_MISSING, Gap.COPY_MISSING, Gap.MISMATCHED):
        ledger.take(Lost("catalog", "shadow-test", NotCompared.CAPTURE_GAP, gap=gap), at_ms=5)
    ledger.take(Lost("catalog", "shadow-test", NotCompared.BRANCH_ERROR), at_ms=5)
    (service,) = must_cut(ledger).services
    assert service.not_compared == {"capture_gap": 3, "branch_error": 1}
    assert service.gaps == {"copy_missing": 2, "mismatched": 1}


def test_what_is_told_is_counted_by_the_reading_that_counts_it() -> None:
    ledger = Ledger("w-1")
    ledger.begin(*PLACE, 4, now_us=0)
    ledger.count("tee-shop", epoch="e", counters={}, at_ms=1_000)
    ledger.take(started_at(900_000), at_ms=1_500, node_id="tee-shop")
    ledger.take(
        Lost("catalog", "shadow-test", NotCompared.BRANCH_ERROR, started_us=1_700_000), at_ms=1_900, node_id="tee-shop"
    )
    (first,) = must_cut(ledger).accounted
    assert (first.node_id, first.overlay, first.service, first.generation) == ("tee-shop", *PLACE, 4)
    assert first.by_reading == {1_000: 1}
    ledger.count("tee-shop", epoch="e", counters={}, at_ms=2_000)
    ledger.give_up(started_at(1_800_000), node_id="tee-shop")
    assert must_cut(ledger).accounted[0].by_reading == {2_000: 2}
