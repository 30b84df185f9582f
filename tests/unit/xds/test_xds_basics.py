"""Streams, nodes, nonces and versions: XDS lines 1 to 13."""

from functools import partial

import pytest

from microstax.xds import Node, Resource, Snapshot, Variant
from microstax.xds.messages import DeltaRequest, Request, SotwRequest
from microstax.xds.playbook import Playbook, ack, after, ask, closes, drop, have, nothing, says, sends, thing, written
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE

C, E, L, R = (partial(thing, t) for t in (CLUSTER, ENDPOINT, LISTENER, ROUTE))
both = pytest.mark.parametrize("variant", Variant)


def request_of(variant: Variant, *, type_url: str = CLUSTER, node: Node | None = None) -> Request:
    if variant is Variant.DELTA:
        return DeltaRequest(type_url=type_url, node=node)
    return SotwRequest(type_url=type_url, node=node)


@both
def test_nonces_are_never_empty_increase_in_a_stream_and_are_not_shared(variant: Variant) -> None:
    streams = [Playbook(variant, stream_id=stream_id) for stream_id in ("one", "two")]
    for play in streams:
        play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
        for content in "23":
            names = ("a",)
            play >> have(C("a", content)) << sends(CLUSTER, *names) >> ack(CLUSTER) << nothing
    nonces = [[r.nonce for r in play.responses] for play in streams]
    assert all(nonces[0] + nonces[1])
    assert [sorted(set(each)) for each in nonces] == nonces
    assert not set(nonces[0]) & set(nonces[1])


@both
def test_the_node_of_the_first_request_is_kept(variant: Variant) -> None:
    play = Playbook(variant, node=Node("edge", "west"))
    play >> have(C("a"), L("l")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ask(LISTENER) << sends(LISTENER, "l")
    assert play.stream.node == Node("edge", "west")


@both
def test_a_repeated_node_is_accepted_and_another_one_is_refused(variant: Variant) -> None:
    play = Playbook(variant, node=Node("edge", "west"))
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a")
    play >> says(request_of(variant, type_url=LISTENER, node=Node("edge", "west")))
    play << sends(LISTENER)
    play >> says(request_of(variant, node=Node("other", "west"))) << closes("INVALID_ARGUMENT")
    assert play.stream.node == Node("edge", "west")


@both
def test_the_first_request_must_hold_the_node(variant: Variant) -> None:
    Playbook(variant) >> says(request_of(variant)) << closes("INVALID_ARGUMENT")


@both
def test_an_aggregated_request_without_a_type_ends_the_stream(variant: Variant) -> None:
    Playbook(variant) >> says(request_of(variant, type_url="", node=Node("n"))) << closes("INVALID_ARGUMENT")


@both
def test_on_a_stream_of_one_type_the_type_is_implied(variant: Variant) -> None:
    play = Playbook(variant, type_url=CLUSTER)
    play >> have(C("a")) >> says(request_of(variant, type_url="", node=Node("n"))) << sends(CLUSTER, "a")


@both
def test_a_stream_of_one_type_refuses_another_type(variant: Variant) -> None:
    play = Playbook(variant, type_url=CLUSTER)
    play >> says(request_of(variant, type_url=LISTENER, node=Node("n"))) << closes("INVALID_ARGUMENT")


@both
def test_an_unknown_type_leaves_the_others_alone(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask("type.googleapis.com/no.such.Type", "x")
    if variant is Variant.DELTA:
        play << sends("type.googleapis.com/no.such.Type", removed=("x",))
    play >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER) << nothing


def test_versions_are_content_hashes_that_outlive_a_server() -> None:
    versions = []
    for stream_id in ("before", "after the restart"):
        play = Playbook(Variant.SOTW, stream_id=stream_id)
        play >> have(C("a"), C("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b")
        versions.append(play.responses[0].version)
    assert versions[0] == versions[1]


def test_two_replicas_give_equal_content_the_same_version_in_any_order() -> None:
    one, two = Snapshot.of([C("a"), C("b")]), Snapshot.of([C("b"), C("a")])
    assert one.version(CLUSTER) == two.version(CLUSTER)
    assert one.version(CLUSTER) != Snapshot.of([C("a"), C("b", "2")]).version(CLUSTER)


def test_versions_are_per_type() -> None:
    play = Playbook(Variant.SOTW)
    play >> have(C("a"), R("r")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> ask(ROUTE, "r") << sends(ROUTE, "r") >> ack(ROUTE)
    play >> have(C("a"), R("r", "2")) << sends(ROUTE, "r")
    first, second = (r.version for r in play.responses if r.type_url == ROUTE)
    assert first != second
    assert [r.type_url for r in play.responses].count(CLUSTER) == 1


def test_two_different_resources_of_one_name_are_refused_at_ingest() -> None:
    with pytest.raises(ValueError, match="two different Cluster resources are named 'a'"):
        Snapshot.of([C("a"), C("a", "2")])


@both
def test_no_response_names_a_resource_twice(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), C("a"), C("b")) >> ask(CLUSTER, "*", "a") << sends(CLUSTER, "a", "b")
    names = [item.resource.name for item in play.responses[0].items]
    assert sorted(names) == ["a", "b"]


@both
def test_an_ack_moves_nothing(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a")
    for _ in range(3):
        play >> ack(CLUSTER) << nothing


@both
def test_a_snapshot_of_the_same_content_moves_nothing(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER) >> have(C("a")) << nothing


@both
def test_only_the_newest_state_is_owed(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a")
    for content in "2345":
        play >> have(C("a", content)) << nothing
    play >> ack(CLUSTER) << sends(CLUSTER, "a")
    assert play.responses[-1].items[0].resource.body == b"5"
    play >> ack(CLUSTER) << nothing


@both
def test_one_response_of_a_type_is_under_way_at_a_time(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), R("r")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ask(ROUTE, "r") << sends(ROUTE, "r")
    play >> have(C("a", "2"), R("r", "2")) << nothing
    play >> ack(ROUTE) << sends(ROUTE, "r") >> ack(CLUSTER) << sends(CLUSTER, "a")


@both
def test_endpoints_do_not_overtake_the_change_of_their_cluster(variant: Variant) -> None:
    """A cluster's change that has to wait keeps its endpoints waiting, and nobody else's."""
    a, b = C("a", needs=[(ENDPOINT, "a")]), C("b", needs=[(ENDPOINT, "b")])
    play = Playbook(variant)
    play >> have(a, b, E("a"), E("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b")
    play >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "a", "b") >> ack(ENDPOINT)
    newer = C("a", "2", needs=[(ENDPOINT, "a")])
    play >> have(newer, b, E("a", "2"), E("b", "2")) << sends(ENDPOINT, "b") >> ack(ENDPOINT) << nothing
    full = ("a", "b") if variant is Variant.SOTW else ("a",)
    play >> ack(CLUSTER) << sends(CLUSTER, *full) << sends(ENDPOINT, "a")


@both
def test_endpoints_that_a_warming_cluster_waits_for_are_not_held_back(variant: Variant) -> None:
    """Envoy ACKs a cluster only when it is warm, so its first endpoints must come before that ACK."""
    a = C("a", needs=[(ENDPOINT, "a")])
    play = Playbook(variant)
    play >> have(a, E("a")) >> ask(CLUSTER) << sends(CLUSTER, "a")
    play >> have(C("a", "2", needs=[(ENDPOINT, "a")]), E("a", "2")) << nothing
    play >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a")


@both
def test_a_response_is_composed_when_the_transport_can_take_it(variant: Variant) -> None:
    play = Playbook(variant, patient=False)
    play >> have(C("a"), L("l")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ask(LISTENER) << nothing
    play >> have(C("a"), L("l", "2")) << nothing >> written << sends(LISTENER, "l")
    assert play.responses[-1].items[0].resource.body == b"2"
    play >> after(1) << nothing


def test_bodies_do_not_show_in_a_log() -> None:
    assert "private key" not in repr(Resource("s", "type", b"private key"))


def test_dropping_what_was_never_asked_for_is_no_error() -> None:
    play = Playbook(Variant.DELTA)
    play >> have(C("a")) >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ack(CLUSTER) >> drop(CLUSTER, "x") << nothing
