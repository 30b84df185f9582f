"""Pauses belong to who made them, and a shadow is shown silent while anybody's lasts."""

from microstax.control import queries
from microstax.control.ahead import Ahead, Pause, Pauser
from microstax.store.state import State


def shown(state: State) -> tuple[Ahead, list[State]]:
    ahead, seen = Ahead(), []
    ahead.attach(seen.append)
    ahead.follow(state)
    return ahead, seen


def share(state: State) -> int:
    return queries.current_ppm(state.shadows["branch"], "catalog")


def test_a_pause_lasts_until_all_who_paused_end_theirs(state: State) -> None:
    ahead, seen = shown(state)
    usual = share(seen[-1])
    ahead.pause("branch", Pause("memory", 1), by=Pauser.GUARD)
    ahead.pause("branch", Pause("a person", 2), by=Pauser.KILL_SWITCH)
    assert share(seen[-1]) == 0 < usual
    ahead.resume("branch", by=Pauser.GUARD)
    assert share(seen[-1]) == 0
    ahead.resume("branch", by=Pauser.EXPIRY)
    assert share(seen[-1]) == 0
    ahead.resume("branch", by=Pauser.KILL_SWITCH)
    assert share(seen[-1]) == usual
    assert not ahead.paused


def test_of_several_the_one_that_only_a_person_ends_is_told(state: State) -> None:
    ahead, _ = shown(state)
    ahead.pause("branch", Pause("memory", 1), by=Pauser.GUARD)
    assert ahead.paused["branch"].why == "memory"
    ahead.pause("branch", Pause("a person", 2), by=Pauser.KILL_SWITCH)
    assert ahead.paused["branch"].why == "a person"
    assert dict(ahead.paused_by(Pauser.GUARD)) == {"branch": Pause("memory", 1)}
    assert not ahead.paused_by(Pauser.EXPIRY)


def test_a_pause_that_is_there_keeps_its_beginning(state: State) -> None:
    ahead, _ = shown(state)
    ahead.pause("branch", Pause("memory", 1), by=Pauser.GUARD)
    ahead.pause("branch", Pause("lag", 5), by=Pauser.GUARD)
    assert ahead.paused["branch"] == Pause("lag", 1)


def test_a_pause_holds_for_what_is_committed_meanwhile(state: State) -> None:
    ahead, seen = shown(state)
    ahead.pause("branch", Pause("memory", 1), by=Pauser.GUARD)
    ahead.follow(state)
    assert share(seen[-1]) == 0
    ahead.follow(State())
    assert not seen[-1].shadows
