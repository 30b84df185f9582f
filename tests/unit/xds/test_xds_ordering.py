"""Make before break: XDS lines 44 to 55."""

from functools import partial

import pytest

from microstax.xds import FindingKind, Resource, Rules, Snapshot, Timing, Variant
from microstax.xds.messages import SnapshotChanged
from microstax.xds.playbook import Expected, Playbook, ack, after, ask, drop, have, nack, nothing, sends, thing, written
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, RUNTIME, SECRET

C, E, L, R, S, T = (partial(thing, t) for t in (CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, RUNTIME))
both = pytest.mark.parametrize("variant", Variant)
SOTW, DELTA = Variant.SOTW, Variant.DELTA


def eds(name: str, content: str = "1") -> Resource:
    return C(name, content, needs=[(ENDPOINT, name)])


def shop(content: str) -> list[Resource]:
    """Return a node's whole configuration in one version."""
    return [
        T("t", content),
        S("s", content),
        R("r", content, needs=[(CLUSTER, "a")]),
        L("l", content, needs=[(ROUTE, "r")]),
        E("a", content),
        eds("a", content),
    ]


def settled(variant: Variant, *, patient: bool = True) -> Playbook:
    """Script a client that has ACKed the first version of the shop."""
    play = Playbook(variant)
    play >> have(*shop("1")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a")
    play >> ack(ENDPOINT) >> ack(CLUSTER) >> ask(LISTENER) << sends(LISTENER, "l") >> ask(ROUTE, "r")
    play << sends(ROUTE, "r") >> ack(ROUTE) >> ack(LISTENER) >> ask(SECRET, "s") << sends(SECRET, "s") >> ack(SECRET)
    play >> ask(RUNTIME, "t") << sends(RUNTIME, "t") >> ack(RUNTIME) << nothing
    play.patient = patient
    return play


@both
def test_one_change_goes_out_in_order(variant: Variant) -> None:
    play = settled(variant)
    play >> have(*shop("2"))
    play << sends(CLUSTER, "a") << sends(ENDPOINT, "a") << sends(LISTENER, "l") << sends(ROUTE, "r")
    play << sends(SECRET, "s") << sends(RUNTIME, "t") << nothing


@both
def test_the_order_is_the_same_when_the_transport_is_slow(variant: Variant) -> None:
    play = settled(variant, patient=False)
    play >> have(*shop("2")) << sends(CLUSTER, "a") >> have(*shop("3")) << nothing
    # The endpoints that the cluster under way waits for come next. The route does not pass the cluster's newer state.
    play >> written << sends(ENDPOINT, "a") >> written << sends(LISTENER, "l") >> written << sends(SECRET, "s")
    play >> written << sends(RUNTIME, "t") >> written << nothing
    play >> ack(CLUSTER) << sends(CLUSTER, "a") >> written << sends(ROUTE, "r") >> written << nothing
    play >> ack(ENDPOINT) << sends(ENDPOINT, "a") >> written << nothing


@both
def test_the_next_one_in_order_is_chosen_among_all_that_are_ready(variant: Variant) -> None:
    play = settled(variant, patient=False)
    changed = shop("2")
    for upto in range(1, len(changed) + 1):  # the last type in the order becomes ready first
        play.feed(SnapshotChanged(Snapshot.of([*shop("1")[upto:], *changed[:upto]])))
    sent = [r.type_url for r in play.responses[-1:]]
    assert sent == [RUNTIME]  # it was alone when it went out
    play.commands.clear()
    play >> written << sends(CLUSTER, "a") >> written << sends(ENDPOINT, "a") >> written << sends(LISTENER, "l")
    play >> written << sends(ROUTE, "r") >> written << sends(SECRET, "s") >> written << nothing


def switch(variant: Variant, *, rules: Rules | None = None) -> Playbook:
    """Script a client whose only route moves from cluster a to cluster b, up to the response with the new route."""
    play = Playbook(variant, rules=rules)
    play >> have(C("a"), R("r", needs=[(CLUSTER, "a")])) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> ask(ROUTE, "r") << sends(ROUTE, "r") >> ack(ROUTE)
    play >> have(C("b"), R("r", "2", needs=[(CLUSTER, "b")]))
    play << sends(CLUSTER, *(("a", "b") if variant is SOTW else ("b",))) << nothing
    return play >> ack(CLUSTER) << sends(ROUTE, "r")


def without_a(variant: Variant) -> Expected:
    return sends(CLUSTER, "b") if variant is SOTW else sends(CLUSTER, removed=("a",))


@both
def test_a_cluster_goes_only_after_the_route_that_dropped_it_was_acked(variant: Variant) -> None:
    play = switch(variant) >> after(10) << nothing
    play >> ack(ROUTE) << without_a(variant) >> ack(CLUSTER) << nothing


@both
def test_a_cluster_goes_after_a_bounded_time_if_the_ack_never_comes(variant: Variant) -> None:
    play = switch(variant, rules=Rules(timing=Timing(removal_hold_s=15)))
    play >> after(1) << nothing
    assert play.stream.deadline == play.now + 14
    play >> after(13.9) << nothing >> after(0.2) << without_a(variant)


@both
def test_a_refused_route_keeps_its_old_cluster_for_that_time(variant: Variant) -> None:
    play = switch(variant) >> nack(ROUTE) << nothing >> after(14) << nothing
    play >> after(2) << without_a(variant)


@both
def test_a_cluster_that_comes_back_in_time_is_not_removed_at_all(variant: Variant) -> None:
    play = switch(variant) >> have(C("a"), C("b"), R("r", "2", needs=[(CLUSTER, "b")])) << nothing
    play >> ack(ROUTE) << nothing >> after(60) << nothing
    assert all(status.applied for status in play.stream.status())


@both
def test_a_cluster_that_nothing_uses_goes_at_once(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), C("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b") >> ack(CLUSTER)
    play >> have(C("b")) << without_a(variant)


@both
def test_a_listener_that_uses_a_cluster_directly_keeps_it(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), L("l", needs=[(CLUSTER, "a")])) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> ask(LISTENER) << sends(LISTENER, "l") >> ack(LISTENER)
    play >> have(C("b")) << sends(CLUSTER, *(("a", "b") if variant is SOTW else ("b",)))
    play << (sends(LISTENER) if variant is SOTW else sends(LISTENER, removed=("l",))) >> ack(CLUSTER) << nothing
    play >> ack(LISTENER) << without_a(variant)


@both
def test_a_route_waits_until_its_clusters_are_acked(variant: Variant) -> None:
    """Its mirror's cluster too: Envoy takes a route to an unknown cluster, and answers 503 or mirrors nothing."""
    play = Playbook(variant)
    play >> have(C("main"), R("r", needs=[(CLUSTER, "main")])) >> ask(CLUSTER) << sends(CLUSTER, "main")
    play >> ask(ROUTE, "r") << nothing >> ack(CLUSTER) << sends(ROUTE, "r") >> ack(ROUTE)
    mirrored = R("r", "2", needs=[(CLUSTER, "main"), (CLUSTER, "mirror")])
    play >> have(C("main"), mirrored) << nothing  # no such cluster yet
    assert play.stream.status()[1].held == ("r",)
    play >> have(C("main"), C("mirror"), mirrored)
    play << sends(CLUSTER, *(("main", "mirror") if variant is SOTW else ("mirror",))) << nothing
    play >> ack(CLUSTER) << sends(ROUTE, "r") >> ack(ROUTE) << nothing


def test_a_client_that_asks_for_clusters_by_name_gets_its_route_first() -> None:
    """A gRPC client learns a cluster's name from the route: a route that waited for the cluster would never come."""
    play = Playbook(SOTW)
    play >> have(C("a"), C("b"), R("r", needs=[(CLUSTER, "a")])) >> ask(ROUTE, "r") << nothing
    play >> after(0.3) << sends(ROUTE, "r") >> ack(ROUTE)  # it is not about to ask for clusters
    play >> ask(CLUSTER, "a") << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> have(C("a"), C("b"), R("r", "2", needs=[(CLUSTER, "b")])) << sends(ROUTE, "r") >> ack(ROUTE)
    play >> ask(CLUSTER, "a", "b") << sends(CLUSTER, "a", "b")


@both
def test_endpoints_are_sent_again_after_their_cluster_changed(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(eds("a"), eds("b"), E("a"), E("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b") >> ack(CLUSTER)
    play >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "a", "b") >> ack(ENDPOINT)
    play >> have(eds("a", "2"), eds("b"), E("a"), E("b"))
    play << sends(CLUSTER, *(("a", "b") if variant is SOTW else ("a",))) << sends(ENDPOINT, "a") << nothing
    play >> ack(ENDPOINT) >> ack(CLUSTER) << nothing


@both
def test_endpoints_that_are_under_way_are_sent_again_after_their_ack(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(eds("a"), E("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> have(eds("a", "2"), E("a")) << sends(CLUSTER, "a") << nothing
    play >> ack(ENDPOINT) << sends(ENDPOINT, "a")


@both
def test_a_cluster_without_endpoints_gets_an_empty_set_at_once(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(eds("lonely")) >> ask(CLUSTER) << sends(CLUSTER, "lonely")
    play >> ask(ENDPOINT, "lonely") << sends(ENDPOINT, "lonely")
    assert play.responses[-1].items[0].resource.body == b"\x0a\x06lonely"


@both
def test_clusters_that_share_their_endpoints_both_get_them(variant: Variant) -> None:
    """And the builder is told, since Envoy may still make the second one wait (envoy#47302)."""
    one, two = (C(n, needs=[(ENDPOINT, "shared")]) for n in ("one", "two"))
    play = Playbook(variant)
    play >> have(one, E("shared")) >> ask(CLUSTER) << sends(CLUSTER, "one") >> ack(CLUSTER)
    play >> ask(ENDPOINT, "shared") << sends(ENDPOINT, "shared") >> ack(ENDPOINT)
    play >> have(one, two, E("shared")) << sends(CLUSTER, *(("one", "two") if variant is SOTW else ("two",)))
    play << sends(ENDPOINT, "shared")
    kinds = [f.kind for f in Snapshot.of([one, two, E("shared")]).findings()]
    assert kinds == [FindingKind.SHARED_ENDPOINTS]


@both
def test_known_names_are_answered_beside_unknown_ones(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(E("a")) >> ask(ENDPOINT, "a", "unknown")
    play << sends(ENDPOINT, "a", removed=() if variant is SOTW else ("unknown",))


@both
def test_one_cluster_that_never_gets_ready_does_not_freeze_the_others(variant: Variant) -> None:
    """Waiting is by name: a route to a cluster that is not there waits alone."""
    play = Playbook(variant)
    stuck = R("stuck", needs=[(CLUSTER, "never")])
    play >> have(eds("a"), E("a"), R("r", needs=[(CLUSTER, "a")]), stuck)
    play >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER) >> ask(ROUTE, "r", "stuck") << sends(ROUTE, "r")
    play >> ack(ROUTE) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    play >> have(eds("a"), E("a", "2"), R("r", "2", needs=[(CLUSTER, "a")]), stuck)
    play << sends(ENDPOINT, "a") << sends(ROUTE, "r")


@both
def test_what_the_client_no_longer_asks_for_is_not_sent_late(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(E("a"), E("b")) >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "a", "b")
    play >> have(E("a", "2"), E("b", "2")) << nothing  # owed, behind the one that is under way
    if variant is SOTW:
        play >> ask(ENDPOINT, "b") << sends(ENDPOINT, "b")
    else:
        play >> drop(ENDPOINT, "a") << nothing >> ack(ENDPOINT) << sends(ENDPOINT, "b")


@both
def test_endpoints_change_alone(variant: Variant) -> None:
    play = settled(variant)
    changed = [E("a", "2") if r.type_url == ENDPOINT else r for r in shop("1")]
    play >> have(*changed) << sends(ENDPOINT, "a") >> ack(ENDPOINT) << nothing


@both
def test_a_change_of_other_endpoints_does_not_touch_the_stream(variant: Variant) -> None:
    play = settled(variant)
    before = Snapshot.of(shop("1"))
    after_it = Snapshot.of([*shop("1"), E("others")])
    play.feed(SnapshotChanged(after_it, after_it.changed_since(before)))
    assert not play.commands
    assert all(holding.settled for holding in play.stream._holdings.values())


@both
def test_listeners_are_left_alone_when_only_routes_change(variant: Variant) -> None:
    play = settled(variant)
    changed = [R("r", "2", needs=[(CLUSTER, "a")]) if r.type_url == ROUTE else r for r in shop("1")]
    play >> have(*changed) << sends(ROUTE, "r") >> ack(ROUTE) << nothing
