"""The two forms of the protocol: how a request changes what is known, and what a response has to hold.

Pure. Everything that is the same in both (ordering, ACKs, timing) is elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from microstax.xds.holding import Claim, Holding
from microstax.xds.messages import DeltaRequest, SotwRequest
from microstax.xds.ordering import View
from microstax.xds.resources import Resource, content_version
from microstax.xds.subscription import WILDCARD
from microstax.xds.type_urls import FULL_STATE


@dataclass(frozen=True, slots=True)
class Content:
    """What a response says. `changes` is what its ACK will mean; `listed` are the resources in it."""

    version: str
    listed: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()
    changes: Mapping[str, Resource | None] = field(default_factory=dict)


def receive_sotw(holding: Holding, request: SotwRequest) -> None:
    """Take the subscription of a state-of-the-world request that is not stale."""
    first = not holding.active
    added = holding.subscription.replace(request.names)
    holding.forget_uncovered()
    if first:
        holding.claimed_version = request.version
    # Absence from a full set is an answer too, and an explicit "*" must be answered even if nothing is there.
    holding.owed |= bool(added) and (holding.type_url in FULL_STATE or WILDCARD in added)
    holding.settled &= not added


def receive_delta(holding: Holding, request: DeltaRequest) -> None:
    """Take both lists and the initial versions of a delta request."""
    first = not holding.active
    had_wildcard = holding.subscription.wildcard
    holding.subscription.open_delta(request.subscribe, request.unsubscribe)
    for name in request.unsubscribe:
        _unsubscribe(holding, name)
    for name in request.subscribe:
        _subscribe(holding, name, resend=not (first and name in request.initial_versions))
    if first:
        claims = request.initial_versions.items()
        holding.client.update({n: Claim(v) for n, v in claims if holding.subscription.covers(n)})
    if holding.subscription.wildcard and not had_wildcard:
        holding.owed |= not (first and request.initial_versions)
    if request.subscribe or request.unsubscribe or first:
        holding.forget_uncovered()
        holding.settled = False


def _subscribe(holding: Holding, name: str, *, resend: bool) -> None:
    holding.subscription.add(name)
    holding.refused.pop(name, None)  # whoever asks again is answered, also after a NACK
    if name in holding.subscription.names and resend:
        holding.resend.add(name)


def _unsubscribe(holding: Holding, name: str) -> None:
    asked_by_name = name in holding.subscription.names
    if holding.subscription.discard(name) and asked_by_name and holding.subscription.covers(name):
        holding.resend.add(name)  # the client cannot know whether "*" still covers it


def full_version(holding: Holding, view: View) -> str:
    """Return the version of what the client has once it has applied the view."""
    if view.whole_version is not None:
        return view.whole_version
    kept = [held for name in view.frozen if isinstance(held := holding.client.get(name), Resource)]
    return content_version([*view.wanted.values(), *kept])


def compose_sotw(holding: Holding, view: View) -> Content | None:
    """Return the response that is due in the state of the world, if one is."""
    changes = _changes(holding, view)
    if holding.type_url not in FULL_STATE:
        for name in view.gone:  # there is no way to say it, and nothing uses it any more
            holding.forget(name)
        if not changes and not holding.owed:
            return None
        return Content(full_version(holding, view), tuple(changes.values()), (), changes)
    if holding.claimed_version and not holding.client and view.frozen:
        return None  # an incomplete set would delete what the client still has from an earlier stream
    if not changes and not holding.owed and not view.gone - holding.refused_removals:
        return None
    kept = [held for name in view.frozen if isinstance(held := holding.client.get(name), Resource)]
    listed = (*view.wanted.values(), *kept)
    return Content(full_version(holding, view), listed, (), {**changes, **dict.fromkeys(view.gone)})


def compose_delta(holding: Holding, view: View, *, keep_silent: bool) -> Content | None:
    """Return the delta response that is due, if one is. `keep_silent`: never tell of a missing resource."""
    changes = _changes(holding, view)
    present = view.wanted.keys() | view.frozen
    missing = {n for n in holding.subscription.names - present if n not in holding.client}
    removed = view.gone | missing | (holding.resend - present)
    told = () if keep_silent else tuple(sorted(removed))
    if keep_silent:
        for name in removed:
            holding.forget(name)
    if not changes and not holding.owed and not set(told) - holding.refused_removals:
        return None
    removals: dict[str, Resource | None] = dict.fromkeys(told)
    return Content(full_version(holding, view), tuple(changes.values()), told, {**changes, **removals})


def _changes(holding: Holding, view: View) -> dict[str, Resource]:
    return {
        name: resource
        for name, resource in view.wanted.items()
        if name in holding.resend or holding.version_of(name) != resource.version
    }


def recognise_sotw(holding: Holding, target: Mapping[str, Resource]) -> bool:
    """Return whether a reconnecting client has the current full set, by its version; then it needs no answer."""
    known = holding.type_url in FULL_STATE and holding.subscription.pure_wildcard
    if not known or not holding.claimed_version or holding.claimed_version != content_version(target.values()):
        return False
    holding.client.update(target)
    holding.version_sent = holding.version_acked = holding.claimed_version
    holding.owed = False
    return True
