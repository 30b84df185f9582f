"""TTLs, ends, limits: XDS lines 56 to 66, as far as they need no transport."""

import pytest

from microstax.xds import Node, Resource, Rules, Variant
from microstax.xds.admission import Admission
from microstax.xds.playbook import (
    Expected,
    Playbook,
    ack,
    after,
    ask,
    closes,
    drain,
    have,
    nothing,
    sends,
    thing,
    written,
)
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER

TTL, WRAP = "xds.config.supports-resource-ttl", "xds.config.supports-resource-in-sotw"
both = pytest.mark.parametrize("variant", Variant)


def expiring(name: str, type_url: str = ENDPOINT, ttl_s: float = 10) -> Resource:
    return Resource(name, type_url, b"1", ttl_s=ttl_s)


def renewed(variant: Variant, name: str) -> Expected:
    return sends(ENDPOINT, heartbeats=(name,)) if variant is Variant.DELTA else sends(ENDPOINT, name)


@both
def test_ttls_are_renewed_with_the_same_version(variant: Variant) -> None:
    """By heartbeats in delta; in the state of the world Envoy lets a resource expire in spite of them."""
    play = Playbook(variant, node=Node("n", features=frozenset({TTL, WRAP})))
    play >> have(expiring("a"), thing(ENDPOINT, "b")) >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "a", "b")
    play >> ack(ENDPOINT) << nothing >> after(4.9) << nothing
    for _ in range(3):
        play >> after(5) << renewed(variant, "a") >> ack(ENDPOINT) << nothing
    first, *beats = play.responses
    assert [item.with_ttl for item in sorted(first.items, key=lambda i: i.resource.name)] == [True, False]
    assert {beat.version for beat in beats} == {first.version}


@pytest.mark.parametrize(("variant", "features"), [
    (Variant.DELTA, set()), (Variant.SOTW, set()), (Variant.SOTW, {TTL}), (Variant.SOTW, {WRAP}),
])  # fmt: skip
def test_clients_that_do_not_know_ttls_get_none(variant: Variant, features: set[str]) -> None:
    play = Playbook(variant, node=Node("n", features=frozenset(features)))
    play >> have(expiring("a")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    assert not play.responses[0].items[0].with_ttl
    play >> after(100) << nothing


def test_a_full_set_is_renewed_with_its_bodies() -> None:
    """What a response about all clusters does not hold would be deleted."""
    play = Playbook(Variant.SOTW, node=Node("n", features=frozenset({TTL, WRAP})))
    play >> have(expiring("a", CLUSTER), thing(CLUSTER, "b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b")
    play >> ack(CLUSTER) >> after(6) << sends(CLUSTER, "a", "b")


@both
def test_another_ttl_is_a_change(variant: Variant) -> None:
    play = Playbook(variant, node=Node("n", features=frozenset({TTL, WRAP})))
    play >> have(expiring("a", ttl_s=10)) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    play >> have(expiring("a", ttl_s=20)) << sends(ENDPOINT, "a")
    play >> ack(ENDPOINT) >> have(thing(ENDPOINT, "a")) << sends(ENDPOINT, "a") >> ack(ENDPOINT) >> after(99) << nothing


def ending(name: str, at: float = 5000.0, type_url: str = ENDPOINT) -> Resource:
    return Resource(name, type_url, b"1", expires_at=at)


@both
def test_what_has_an_end_is_never_renewed(variant: Variant) -> None:
    """Also not beside what is: a renewal must not move an end."""
    play = Playbook(variant, node=Node("n", features=frozenset({TTL, WRAP})))
    play >> have(ending("a"), expiring("b")) >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "a", "b") >> ack(ENDPOINT)
    assert [item.with_ttl for item in play.responses[0].items] == [True, True]
    for _ in range(3):
        play >> after(5) << renewed(variant, "b") >> ack(ENDPOINT) << nothing


def test_what_has_an_end_keeps_it_in_a_full_set() -> None:
    play = Playbook(Variant.SOTW, node=Node("n", features=frozenset({TTL, WRAP})))
    play >> have(ending("a", type_url=CLUSTER), thing(CLUSTER, "b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b")
    play >> ack(CLUSTER) >> after(99) << nothing
    play >> have(ending("a", type_url=CLUSTER), thing(CLUSTER, "c")) << sends(CLUSTER, "a", "c")
    assert {item.resource.name: item.with_ttl for item in play.responses[-1].items} == {"a": True, "c": False}


@both
def test_another_end_is_a_change_and_the_same_one_is_none(variant: Variant) -> None:
    play = Playbook(variant, node=Node("n", features=frozenset({TTL, WRAP})))
    play >> have(ending("a")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    play >> after(50) >> have(ending("a")) << nothing >> have(ending("a", 6000.0)) << sends(ENDPOINT, "a")


@both
def test_a_heartbeat_waits_for_its_turn(variant: Variant) -> None:
    play = Playbook(variant, node=Node("n", features=frozenset({TTL, WRAP})))
    play >> have(expiring("a")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> after(20) << nothing
    play >> ack(ENDPOINT) << renewed(variant, "a")


@both
def test_an_old_stream_ends_after_a_response_and_with_ok(variant: Variant) -> None:
    play = Playbook(variant, rules=Rules(max_age_s=60))
    play >> ask(CLUSTER) << nothing >> after(61) << nothing  # a stream without any response counts as an outage
    play >> have(thing(CLUSTER, "a")) << sends(CLUSTER, "a") << closes("OK")


@both
@pytest.mark.parametrize("grace_s", [0, 5])
def test_a_drained_stream_ends_at_once_if_it_was_answered(variant: Variant, grace_s: float) -> None:
    play = Playbook(variant)
    play >> have(thing(CLUSTER, "a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> drain(grace_s) << closes("OK")


@both
def test_a_drained_stream_that_waits_for_an_answer_gets_it(variant: Variant) -> None:
    play = Playbook(variant, patient=False)
    play >> ask(CLUSTER) << nothing >> drain(5) << nothing
    play >> have(thing(CLUSTER, "a")) << sends(CLUSTER, "a") << nothing >> written << closes("OK")


@both
def test_a_drained_stream_without_an_answer_ends_when_the_grace_is_over(variant: Variant) -> None:
    play = Playbook(variant)
    play >> ask(CLUSTER) >> drain(5) >> after(4.9) << nothing >> after(0.2) << closes("UNAVAILABLE")


def test_a_stream_that_says_nothing_is_closed() -> None:
    play = Playbook(Variant.DELTA, rules=Rules(first_request_s=10))
    assert play.stream.deadline == play.now + 10
    play >> after(9.9) << nothing >> after(0.2) << closes("UNAVAILABLE")


@both
def test_a_client_that_takes_no_data_is_closed(variant: Variant) -> None:
    play = Playbook(variant, rules=Rules(write_s=60), patient=False)
    play >> have(thing(CLUSTER, "a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> after(59) << nothing
    assert play.stream.deadline == play.now + 1
    play >> after(2) << closes("UNAVAILABLE")


@both
def test_a_stuck_client_costs_one_response_however_much_changes(variant: Variant) -> None:
    play = Playbook(variant, patient=False)
    play >> have(thing(CLUSTER, "a"), thing(LISTENER, "l")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ask(LISTENER)
    for content in range(1000):
        play >> have(thing(CLUSTER, "a", str(content)), thing(LISTENER, "l", str(content))) << nothing
    assert len(play.responses) == 1


@both
def test_a_closed_stream_keeps_nothing(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(thing(CLUSTER, "a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> drain(5) << closes("OK")
    assert not play.stream._holdings
    assert play.stream._snapshot is None
    assert play.stream.status()[0].responses == 1
    play >> have(thing(CLUSTER, "a", "2")) << nothing


def test_admission_lets_a_burst_in_and_then_a_rate() -> None:
    admission = Admission(10, 3, now=0)
    assert [admission.reserve(0) for _ in range(3)] == [0, 0, 0]
    assert admission.wait(0) == pytest.approx(0.1)
    assert [admission.reserve(0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    assert admission.reserve(1) == 0


def test_a_long_silence_allows_no_more_than_a_burst() -> None:
    admission = Admission(10, 3, now=0)
    waits = [admission.reserve(1000) for _ in range(5)]
    assert waits == pytest.approx([0, 0, 0, 0.1, 0.2])


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_an_impossible_admission_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="admission rate must be above 0"):
        Admission(rate, burst, now=0)
