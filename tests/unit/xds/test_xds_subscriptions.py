"""What a client asks for: XDS lines 23 to 34."""

from functools import partial

import pytest

from microstax.xds import Rules, Variant
from microstax.xds.messages import DeltaRequest
from microstax.xds.playbook import Expected, Playbook, ack, ask, drop, have, nothing, says, sends, thing
from microstax.xds.type_urls import CLUSTER, ENDPOINT, EXTENSION_CONFIG, LISTENER, ROUTE

C, E, L, R, X = (partial(thing, t) for t in (CLUSTER, ENDPOINT, LISTENER, ROUTE, EXTENSION_CONFIG))
both = pytest.mark.parametrize("variant", Variant)
SOTW, DELTA = Variant.SOTW, Variant.DELTA


@both
def test_a_first_empty_request_asks_for_everything(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), C("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b") >> ack(CLUSTER) << nothing


@both
def test_a_first_empty_request_is_answered_even_if_there_is_nothing(variant: Variant) -> None:
    """Envoy does not start before its clusters and listeners are answered."""
    Playbook(variant) >> have(R("r")) >> ask(CLUSTER) << sends(CLUSTER) >> ack(CLUSTER) << nothing


@both
def test_after_an_explicit_name_an_empty_list_is_no_wildcard(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), C("b")) >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> (drop(CLUSTER, "a") if variant is DELTA else ask(CLUSTER)) << nothing
    play >> have(C("a", "2"), C("b", "2")) << nothing >> ask(CLUSTER) << nothing


def test_the_worked_example_in_the_state_of_the_world() -> None:
    """Unset, then "*" and A, then A, then unset: everything, everything, A only, nothing at all."""
    play = Playbook(SOTW)
    play >> have(C("A"), C("B")) >> ask(CLUSTER) << sends(CLUSTER, "A", "B") >> ack(CLUSTER) << nothing
    play >> ask(CLUSTER, "*", "A") << sends(CLUSTER, "A", "B") >> ack(CLUSTER)
    play >> have(C("A"), C("B", "2")) << sends(CLUSTER, "A", "B") >> ack(CLUSTER)
    play >> ask(CLUSTER, "A") << nothing
    play >> have(C("A"), C("B", "3")) << nothing
    play >> have(C("A", "2"), C("B", "3")) << sends(CLUSTER, "A") >> ack(CLUSTER)
    play >> ask(CLUSTER) << nothing >> have(C("A", "3"), C("B", "4")) << nothing


def test_the_worked_example_in_delta() -> None:
    """Unset, subscribe A, unsubscribe "*", unsubscribe A: everything, everything, A only, nothing at all."""
    play = Playbook(DELTA)
    play >> have(C("A"), C("B")) >> ask(CLUSTER) << sends(CLUSTER, "A", "B") >> ack(CLUSTER)
    play >> ask(CLUSTER, "A") << sends(CLUSTER, "A") >> ack(CLUSTER)
    play >> have(C("A"), C("B", "2")) << sends(CLUSTER, "B") >> ack(CLUSTER)
    play >> drop(CLUSTER, "*") << nothing >> have(C("A"), C("B", "3")) << nothing
    play >> have(C("A", "2"), C("B", "3")) << sends(CLUSTER, "A") >> ack(CLUSTER)
    play >> drop(CLUSTER, "A") << nothing >> have(C("A", "3"), C("B", "4")) << nothing


@both
def test_the_wildcard_can_be_asked_for_by_its_name_alone_and_with_names(variant: Variant) -> None:
    for names in (("*",), ("*", "a"), ("a", "*")):
        play = Playbook(variant)
        play >> have(C("a"), C("b")) >> ask(CLUSTER, *names) << sends(CLUSTER, "a", "b") >> ack(CLUSTER) << nothing


@both
def test_a_wildcard_can_come_back(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), C("b")) >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> ask(CLUSTER, *(("a", "*") if variant is SOTW else ("*",)))
    play << sends(CLUSTER, *(("a", "b") if variant is SOTW else ("b",))) >> ack(CLUSTER) << nothing


def test_the_wildcard_and_names_can_be_dropped_together() -> None:
    play = Playbook(DELTA)
    play >> have(C("a"), C("b")) >> ask(CLUSTER, "*", "a") << sends(CLUSTER, "a", "b") >> ack(CLUSTER)
    play >> drop(CLUSTER, "*", "a") << nothing >> have(C("a", "2"), C("b", "2")) << nothing


@pytest.mark.parametrize("rules", [
    Rules(legacy_wildcard=False), Rules(no_legacy_wildcard=frozenset({CLUSTER})),
])  # fmt: skip
@both
def test_the_empty_first_request_can_be_made_to_mean_nothing(variant: Variant, rules: Rules) -> None:
    play = Playbook(variant, rules=rules)
    play >> have(C("a")) >> ask(CLUSTER) << nothing >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ack(CLUSTER)
    other = Playbook(variant, rules=Rules(no_legacy_wildcard=frozenset({CLUSTER})))
    other >> have(L("l")) >> ask(LISTENER) << sends(LISTENER, "l")


@pytest.mark.parametrize(("exists", "answer"), [(True, sends(CLUSTER, "a")), (False, sends(CLUSTER, removed=("a",)))])
def test_dropping_a_name_under_a_wildcard_tells_whether_it_is_still_covered(*, exists: bool, answer: Expected) -> None:
    play = Playbook(DELTA)
    resources = [C("b"), *([C("a")] if exists else [])]
    first = sends(CLUSTER, "a", "b") if exists else sends(CLUSTER, "b", removed=("a",))
    play >> have(*resources) >> ask(CLUSTER, "*", "a") << first >> ack(CLUSTER)
    play >> drop(CLUSTER, "a") << answer >> ack(CLUSTER) << nothing


@both
def test_unknown_names_can_be_dropped(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    if variant is DELTA:
        play >> drop(CLUSTER, "never", "asked") << nothing >> drop(ENDPOINT, "never") << nothing
    play >> have(C("a", "2")) << sends(CLUSTER, "a")


def test_a_name_that_is_asked_for_again_is_answered_in_full() -> None:
    play = Playbook(DELTA)
    play >> have(C("a")) >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> ask(CLUSTER, "x") << sends(CLUSTER, removed=("x",)) >> ack(CLUSTER)
    play >> ask(CLUSTER, "x") << sends(CLUSTER, removed=("x",)) >> ack(CLUSTER) << nothing


def test_a_name_that_is_asked_for_again_while_it_is_under_way_is_sent_again() -> None:
    play = Playbook(DELTA)
    play >> have(C("a")) >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ask(CLUSTER, "a") << nothing
    play >> ack(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER) << nothing


def test_a_refused_name_that_is_asked_for_again_is_answered() -> None:
    play = Playbook(DELTA)
    play >> have(C("a")) >> ask(CLUSTER, "a") << sends(CLUSTER, "a")
    play >> says(DeltaRequest(type_url=CLUSTER, nonce=play.responses[0].nonce, error="no")) << nothing
    play >> ask(CLUSTER, "a") << sends(CLUSTER, "a")


@both
def test_names_that_were_dropped_are_forgotten(variant: Variant) -> None:
    """A cluster that is removed and added again needs its endpoints again, though nothing changed."""
    play = Playbook(variant)
    play >> have(E("a"), E("b")) >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "a", "b") >> ack(ENDPOINT)
    if variant is SOTW:
        play >> ask(ENDPOINT, "b") << nothing >> ask(ENDPOINT, "a", "b")
    else:
        play >> drop(ENDPOINT, "a") << nothing >> ask(ENDPOINT, "a")
    play << sends(ENDPOINT, "a") >> ack(ENDPOINT) << nothing


@both
@pytest.mark.parametrize("type_url", [CLUSTER, ENDPOINT, ROUTE])
def test_a_name_that_does_not_exist_yet_is_answered_when_it_does(variant: Variant, type_url: str) -> None:
    play = Playbook(variant)
    play >> have(L("l")) >> ask(type_url, "late")
    if variant is DELTA:
        play << sends(type_url, removed=("late",)) >> ack(type_url) << nothing
    elif type_url == CLUSTER:
        play << sends(type_url) >> ack(type_url) << nothing  # its absence from a full set is the answer
    play >> have(L("l"), thing(type_url, "late")) << sends(type_url, "late") >> ack(type_url) << nothing


@both
def test_a_node_that_is_known_only_later_is_answered_then(variant: Variant) -> None:
    play = Playbook(variant)
    play >> ask(CLUSTER) << nothing >> ask(LISTENER) << nothing
    play >> have(C("a"), L("l")) << sends(CLUSTER, "a") << sends(LISTENER, "l")


def test_a_missing_name_is_reported_once_and_stays_watched() -> None:
    play = Playbook(DELTA)
    play >> have(E("a")) >> ask(ENDPOINT, "a", "x") << sends(ENDPOINT, "a", removed=("x",)) >> ack(ENDPOINT) << nothing
    play >> have(E("a", "2")) << sends(ENDPOINT, "a") >> ack(ENDPOINT) << nothing
    play >> have(E("a", "2"), E("x")) << sends(ENDPOINT, "x") >> ack(ENDPOINT)
    play >> have(E("a", "2")) << sends(ENDPOINT, removed=("x",)) >> ack(ENDPOINT)
    play >> have(E("a", "2"), E("x")) << sends(ENDPOINT, "x")


def test_removed_extension_configs_are_not_told_in_delta() -> None:
    play = Playbook(DELTA)
    play >> have(X("x"), X("y")) >> ask(EXTENSION_CONFIG, "x", "y", "z") << sends(EXTENSION_CONFIG, "x", "y")
    play >> ack(EXTENSION_CONFIG) >> have(X("y")) << nothing
    play >> have(X("x"), X("y")) << sends(EXTENSION_CONFIG, "x") >> ack(EXTENSION_CONFIG) << nothing


@both
def test_a_collection_matches_by_its_prefix(variant: Variant) -> None:
    inside, outside = "xdstp://authority/envoy.config.cluster.v3.Cluster/shop/", "xdstp://authority/other/"
    play = Playbook(variant)
    play >> have(C(f"{inside}a"), C(f"{outside}b"), C("c"))
    play >> ask(CLUSTER, f"{inside}*") << sends(CLUSTER, f"{inside}a") >> ack(CLUSTER)
    play >> have(C(f"{inside}a"), C(f"{inside}new"), C(f"{outside}b"), C("c"))
    play << sends(CLUSTER, *([f"{inside}a"] if variant is SOTW else []), f"{inside}new") >> ack(CLUSTER)
    play >> (drop(CLUSTER, f"{inside}*") if variant is DELTA else ask(CLUSTER)) << nothing
    play >> have(C(f"{inside}a", "2")) << nothing


@both
def test_a_star_at_the_end_of_a_plain_name_is_no_collection(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(E("shop/a"), E("shop/*")) >> ask(ENDPOINT, "shop/*") << sends(ENDPOINT, "shop/*")
