"""What responses hold, and what a reconnecting client is sent: XDS lines 35 to 43."""

from functools import partial

import pytest

from microstax.xds import Snapshot, Variant
from microstax.xds.playbook import Playbook, ack, after, ask, have, nothing, sends, thing
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET

C, E, L, R, S = (partial(thing, t) for t in (CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET))
both = pytest.mark.parametrize("variant", Variant)
SOTW, DELTA = Variant.SOTW, Variant.DELTA


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER])
def test_clusters_and_listeners_are_always_the_full_set(type_url: str) -> None:
    make = partial(thing, type_url)
    play = Playbook(SOTW)
    play >> have(make("a"), make("b")) >> ask(type_url) << sends(type_url, "a", "b") >> ack(type_url)
    play >> have(make("a", "2"), make("b")) << sends(type_url, "a", "b") >> ack(type_url)
    play >> have(make("b")) << sends(type_url, "b") >> ack(type_url)
    play >> have(thing(ROUTE, "other")) << sends(type_url) >> ack(type_url) << nothing


@pytest.mark.parametrize("type_url", [ENDPOINT, ROUTE, SECRET])
def test_other_types_hold_what_changed_and_never_a_deletion(type_url: str) -> None:
    make = partial(thing, type_url)
    play = Playbook(SOTW)
    play >> have(make("a"), make("b")) >> ask(type_url, "a", "b") << sends(type_url, "a", "b") >> ack(type_url)
    play >> have(make("a", "2"), make("b")) << sends(type_url, "a") >> ack(type_url)
    play >> have(make("b")) << nothing
    play >> have(make("a", "2"), make("b")) << sends(type_url, "a") >> ack(type_url) << nothing


def test_delta_sends_what_changed_and_names_what_is_gone() -> None:
    play = Playbook(DELTA)
    play >> have(C("a"), C("b"), C("c")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b", "c") >> ack(CLUSTER)
    play >> have(C("a"), C("b", "2"), C("d")) << sends(CLUSTER, "b", "d", removed=("c",)) >> ack(CLUSTER) << nothing


def test_versions_in_delta_are_content_hashes_of_each_resource() -> None:
    play = Playbook(DELTA)
    play >> have(C("a"), C("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b") >> ack(CLUSTER)
    play >> have(C("a", "2"), C("b")) << sends(CLUSTER, "a") >> ack(CLUSTER) >> have(C("a"), C("b"))
    play << sends(CLUSTER, "a")
    first, second, third = (
        {i.resource.name: i.resource.version for i in response.items} for response in play.responses
    )
    assert first["a"] == third["a"] != second["a"]


def test_a_reconnecting_client_gets_the_difference() -> None:
    known = {"a": C("a").version, "b": C("b", "old").version}
    play = Playbook(DELTA)
    play >> have(C("a"), C("b"), C("c")) >> ask(CLUSTER, **known) << sends(CLUSTER, "b", "c") >> ack(CLUSTER) << nothing


def test_a_reconnecting_client_that_has_everything_gets_nothing() -> None:
    play = Playbook(DELTA)
    play >> have(C("a"), E("a")) >> ask(CLUSTER, a=C("a").version) << nothing
    play >> ask(ENDPOINT, "a", a=E("a").version) << nothing
    assert all(status.applied for status in play.stream.status())
    assert play.stream.status()[0].version_acked == Snapshot.of([C("a")]).version(CLUSTER)


def test_what_is_gone_since_the_last_stream_is_removed() -> None:
    """Else a cluster that went away while the server was down would stay for ever (istio#41494)."""
    play = Playbook(DELTA)
    play >> have(C("a")) >> ask(CLUSTER, a=C("a").version, gone="1") << nothing
    play >> after(0.3) << sends(CLUSTER, removed=("gone",)) >> ack(CLUSTER) << nothing


def test_what_is_gone_waits_for_the_routes_that_may_still_use_it() -> None:
    """The client's old route table may name the cluster: it is replaced first, in any order of asking."""
    play = Playbook(DELTA)
    play >> have(C("new"), R("r", "2", needs=[(CLUSTER, "new")])) >> ask(CLUSTER, gone="1") << sends(CLUSTER, "new")
    play >> ask(ROUTE, "r", r="an older one") << nothing >> ack(CLUSTER) << sends(ROUTE, "r") >> after(1) << nothing
    play >> ack(ROUTE) << sends(CLUSTER, removed=("gone",)) >> ack(CLUSTER) << nothing


def test_a_named_resource_that_is_gone_is_removed_too() -> None:
    play = Playbook(DELTA)
    play >> have(E("b")) >> ask(ENDPOINT, "a", "b", a="1", b=E("b").version) << nothing
    play >> after(0.3) << sends(ENDPOINT, removed=("a",)) >> ack(ENDPOINT) << nothing


def test_versions_of_names_that_are_not_asked_for_get_no_updates() -> None:
    play = Playbook(DELTA)
    play >> have(E("a", "2"), E("b")) >> ask(ENDPOINT, "b", a="1") << sends(ENDPOINT, "b") >> ack(ENDPOINT) << nothing
    play >> have(E("a", "3"), E("b")) << nothing >> have(E("b")) << nothing


def test_an_equal_version_is_an_answer_only_for_a_pure_wildcard() -> None:
    snapshot = Snapshot.of([C("a"), L("l")])
    play = Playbook(SOTW)
    play >> have(C("a"), L("l"))
    play >> ask(CLUSTER, version=snapshot.version(CLUSTER)) << nothing
    play >> ask(LISTENER, version=snapshot.version(LISTENER)) << nothing
    assert [status.version_acked for status in play.stream.status()] == [
        snapshot.version(CLUSTER), snapshot.version(LISTENER),
    ]  # fmt: skip
    play >> have(C("a", "2"), L("l")) << sends(CLUSTER, "a")
    named = Playbook(SOTW)
    named >> have(C("a"), L("l")) >> ask(CLUSTER, "a", version=snapshot.version(CLUSTER)) << sends(CLUSTER, "a")


@pytest.mark.parametrize("type_url", [ENDPOINT, ROUTE, SECRET])
def test_endpoints_routes_and_secrets_are_always_answered_on_a_reconnect(type_url: str) -> None:
    play = Playbook(SOTW)
    version = Snapshot.of([thing(type_url, "a")]).version(type_url)
    play >> have(thing(type_url, "a")) >> ask(type_url, "a", version=version) << sends(type_url, "a")
    everything = Playbook(SOTW)
    everything >> have(thing(type_url, "a")) >> ask(type_url, version=version) << sends(type_url, "a")


def test_an_old_version_on_a_reconnect_gets_the_full_set() -> None:
    play = Playbook(SOTW)
    play >> have(C("a"), C("b")) >> ask(CLUSTER, version="old") << sends(CLUSTER, "a", "b") >> ack(CLUSTER) << nothing


def test_an_incomplete_set_never_deletes_what_a_reconnecting_client_has() -> None:
    """A listener that waits for its cluster would be missing from the full set; so the set waits as a whole."""
    play = Playbook(SOTW)
    play >> have(C("a"), L("l", needs=[(CLUSTER, "a")]), L("other"))
    play >> ask(CLUSTER, version="old") << sends(CLUSTER, "a") >> ask(LISTENER, version="old") << nothing
    play >> ack(CLUSTER) << sends(LISTENER, "l", "other")


@both
def test_types_may_come_in_any_order_after_a_reconnect(variant: Variant) -> None:
    a, e, r = C("a", needs=[(ENDPOINT, "a")]), E("a"), R("r", needs=[(CLUSTER, "a")])
    play = Playbook(variant)
    play >> have(a, e, r) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    if variant is SOTW:
        play >> ask(ROUTE, "r", version="old")
    else:
        play >> ask(ROUTE, "r", r="old")
    play << nothing  # the client has been here before: its clusters come first, and it is about to ask for them
    play >> ask(CLUSTER) << sends(CLUSTER, "a") << sends(ENDPOINT, "a")
    play >> ack(CLUSTER) << sends(ROUTE, "r")


def test_endpoints_of_a_changed_cluster_are_sent_again_even_if_asked_for_with_their_version() -> None:
    """On a reconnect the cluster may be answered before the client has asked for its (unchanged) endpoints."""
    play = Playbook(DELTA)
    a = C("a", "2", needs=[(ENDPOINT, "a")])
    play >> have(a, E("a")) >> ask(CLUSTER, a="old") << sends(CLUSTER, "a")
    play >> ask(ENDPOINT, "a", a=E("a").version) << sends(ENDPOINT, "a")
