"""ACK and NACK: XDS lines 14 to 22."""

from functools import partial

import pytest

from microstax.xds import Variant
from microstax.xds.messages import DeltaRequest, Nack, ReportAck, ReportNack, SotwRequest
from microstax.xds.playbook import Playbook, ack, ask, have, nack, nothing, says, sends, thing
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE

C, E, L, R = (partial(thing, t) for t in (CLUSTER, ENDPOINT, LISTENER, ROUTE))
both = pytest.mark.parametrize("variant", Variant)


def test_a_nack_is_known_by_its_error_and_not_by_its_version() -> None:
    play = Playbook(Variant.SOTW)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a")
    nonce, version = play.responses[0].nonce, play.responses[0].version
    # An ACK that (wrongly) carries an old version is an ACK; a NACK that carries the new one is a NACK.
    play >> says(SotwRequest(type_url=CLUSTER, nonce=nonce, version="old")) << nothing
    assert play.reports == [ReportAck(CLUSTER, version)]
    play >> have(C("a", "2")) << sends(CLUSTER, "a")
    last = play.responses[-1]
    play >> says(SotwRequest(type_url=CLUSTER, nonce=last.nonce, version=last.version, error="no")) << nothing
    assert isinstance(play.reports[-1], ReportNack)


@both
def test_a_nack_without_words_is_a_nack(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> nack(CLUSTER, "") << nothing
    assert play.stream.status()[0].nacks == 1


@both
def test_refused_content_is_not_sent_again_until_it_changes(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> nack(CLUSTER) << nothing
    play >> have(C("a")) << nothing >> ask(LISTENER) << sends(LISTENER) >> ack(LISTENER) << nothing
    play >> have(C("a", "2")) << sends(CLUSTER, "a") >> ack(CLUSTER) << nothing


@both
def test_the_last_good_version_stays_in_force(variant: Variant) -> None:
    """Beside a refused resource, others go on changing; a full set holds the good old form of the refused one."""
    play = Playbook(variant)
    play >> have(C("a"), C("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b") >> ack(CLUSTER)
    play >> have(C("a", "bad"), C("b"))
    full = variant is Variant.SOTW
    play << sends(CLUSTER, *(("a", "b") if full else ("a",))) >> nack(CLUSTER) << nothing
    play >> have(C("a", "bad"), C("b", "2")) << sends(CLUSTER, *(("a", "b") if full else ("b",)))
    bodies = {i.resource.name: i.resource.body for i in play.responses[-1].items}
    assert bodies == ({"a": b"1", "b": b"2"} if full else {"b": b"2"})
    play >> ack(CLUSTER) << nothing


@both
def test_taking_a_refused_change_back_needs_no_message(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> have(C("a", "bad")) << sends(CLUSTER, "a") >> nack(CLUSTER) >> have(C("a")) << nothing
    assert play.stream.status()[0].applied


@both
def test_a_nack_is_kept_with_type_version_nonce_and_message(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> nack(CLUSTER, "bad thing") << nothing
    sent = play.responses[0]
    expected = Nack(
        type_url=CLUSTER, version=sent.version, nonce=sent.nonce, error="bad thing", time=play.now, names=("a",)
    )
    assert play.reports == [ReportNack(expected)]
    status = play.stream.status()[0]
    assert (status.nack, status.nacks, status.refused, status.applied) == (expected, 1, ("a",), False)
    play >> have(C("a", "2")) << sends(CLUSTER, "a") >> ack(CLUSTER)
    assert (play.stream.status()[0].nack, play.stream.status()[0].applied) == (None, True)


@both
def test_a_nack_of_one_type_does_not_stop_the_others(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), L("l")) >> ask(LISTENER) << sends(LISTENER, "l") >> nack(LISTENER) << nothing
    play >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> have(C("a", "2"), L("l")) << sends(CLUSTER, "a") >> ack(CLUSTER) << nothing


def test_a_stale_nonce_never_triggers_a_response() -> None:
    play = Playbook(Variant.SOTW)
    play >> have(E("a"), E("b")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    old = play.responses[0].nonce
    play >> have(E("a", "2"), E("b")) << sends(ENDPOINT, "a")
    for names in (("a",), ("a", "b"), ()):
        play >> says(SotwRequest(type_url=ENDPOINT, names=names, nonce=old)) << nothing
    play >> ack(ENDPOINT) >> says(SotwRequest(type_url=ENDPOINT, names=("a", "b"), nonce=old)) << nothing
    assert play.stream.status()[0].acks == 2


def test_a_stale_nack_counts_for_nothing() -> None:
    play = Playbook(Variant.SOTW)
    play >> have(C("a")) >> ask(CLUSTER) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play >> says(SotwRequest(type_url=CLUSTER, nonce=play.responses[0].nonce, error="late")) << nothing
    play >> says(SotwRequest(type_url=CLUSTER, nonce="s.99999999", error="lost")) << nothing
    assert play.stream.status()[0].nacks == 0


def test_other_names_at_the_current_nonce_are_answered_at_an_unchanged_version() -> None:
    play = Playbook(Variant.SOTW)
    play >> have(E("a"), E("b")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT) << nothing
    play >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "b") >> ack(ENDPOINT) << nothing


def test_an_ack_may_carry_other_names() -> None:
    play = Playbook(Variant.SOTW)
    play >> have(E("a"), E("b")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a")
    play >> ask(ENDPOINT, "a", "b") << sends(ENDPOINT, "b")
    assert play.stream.status()[0].acks == 1


def test_a_client_that_asks_again_with_an_old_nonce_is_tolerated() -> None:
    """grpc-java does this after it had dropped all names; it has no other way to be heard (line 82)."""
    play = Playbook(Variant.SOTW)
    play >> have(E("a")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    old = play.responses[0].nonce
    play >> have(E("a", "2")) << sends(ENDPOINT, "a") >> ack(ENDPOINT) >> ask(ENDPOINT) << nothing
    play >> says(SotwRequest(type_url=ENDPOINT, names=("a",), nonce=old)) << sends(ENDPOINT, "a")


def test_delta_honours_a_subscription_whatever_the_nonce() -> None:
    play = Playbook(Variant.DELTA)
    play >> have(E("a"), E("b"), E("c")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ack(ENDPOINT)
    play >> ask(ENDPOINT, "b", nonce=play.responses[0].nonce) << sends(ENDPOINT, "b")
    play >> ask(ENDPOINT, "c", nonce="never seen") << nothing  # answered once "b" is ACKed
    play >> ack(ENDPOINT) << sends(ENDPOINT, "c")


def test_a_delta_request_without_a_nonce_is_no_ack() -> None:
    play = Playbook(Variant.DELTA)
    play >> have(E("a"), E("b")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a") >> ask(ENDPOINT, "b") << nothing
    assert play.stream.status()[0].acks == 0
    play >> ack(ENDPOINT) << sends(ENDPOINT, "b")


def test_a_delta_ack_may_carry_both_lists() -> None:
    play = Playbook(Variant.DELTA)
    play >> have(E("a"), E("b")) >> ask(ENDPOINT, "a") << sends(ENDPOINT, "a")
    nonce = play.responses[0].nonce
    play >> says(DeltaRequest(type_url=ENDPOINT, nonce=nonce, subscribe=("b",), unsubscribe=("a",)))
    play << sends(ENDPOINT, "b") >> ack(ENDPOINT) >> have(E("a", "2"), E("b")) << nothing
    assert play.stream.status()[0].acks == 2


@both
def test_what_a_refused_response_held_besides_is_not_taken_as_applied(variant: Variant) -> None:
    """A client may have applied a part of it or nothing: the good part is sent again once the bad part is mended."""
    play = Playbook(variant)
    play >> have(C("good"), C("bad")) >> ask(CLUSTER) << sends(CLUSTER, "bad", "good") >> nack(CLUSTER) << nothing
    play >> have(C("good"), C("bad", "mended")) << sends(CLUSTER, "bad", "good") >> ack(CLUSTER) << nothing


@both
def test_a_route_waits_for_a_cluster_that_was_in_a_refused_response(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), R("r", needs=[(CLUSTER, "a")]))
    play >> ask(CLUSTER) << sends(CLUSTER, "a") >> nack(CLUSTER) >> ask(ROUTE, "r") << nothing
    play >> have(C("a", "2"), R("r", needs=[(CLUSTER, "a")])) << sends(CLUSTER, "a") >> ack(CLUSTER)
    play << sends(ROUTE, "r")


@both
def test_a_nack_that_names_the_bad_one_sets_the_others_free(variant: Variant) -> None:
    """One bad object does not take the rest of its type down with it."""
    play = Playbook(variant)
    play >> have(C("good"), C("bad"), R("r", needs=[(CLUSTER, "good")]))
    play >> ask(CLUSTER) << sends(CLUSTER, "bad", "good") >> ask(ROUTE, "r") << nothing
    play >> nack(CLUSTER, "Error adding/updating cluster(s) bad: no such thing") << sends(CLUSTER, "good")
    play >> ack(CLUSTER) << sends(ROUTE, "r") >> ack(ROUTE) << nothing
    status = play.stream.status()[0]
    assert status.refused == ("bad",)
    assert status.nack is not None


@both
def test_a_name_that_is_only_part_of_a_word_is_not_blamed(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), C("a-b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "a-b")
    play >> nack(CLUSTER, "cluster a-b: bad") << sends(CLUSTER, "a") >> ack(CLUSTER) << nothing


@both
def test_a_refused_removal_is_told_again_beside_the_next_change(variant: Variant) -> None:
    play = Playbook(variant)
    play >> have(C("a"), C("b")) >> ask(CLUSTER) << sends(CLUSTER, "a", "b") >> ack(CLUSTER) >> have(C("a"))
    play << (sends(CLUSTER, "a") if variant is Variant.SOTW else sends(CLUSTER, removed=("b",)))
    play >> nack(CLUSTER) << nothing >> have(C("a")) << nothing
    assert play.stream.status()[0].refused == ("b",)
    play >> have(C("a", "2")) << sends(CLUSTER, "a", removed=() if variant is Variant.SOTW else ("b",)) >> ack(CLUSTER)
    assert play.stream.status()[0].applied
