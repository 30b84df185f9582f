"""What may be sent now, and what must wait: make before break, seen from one stream.

Pure. Three rules decide over one name at a time, so that nothing waits for a thing it does not need:
- a resource that refers to clusters waits until the client has ACKed them (routes are not warmed by Envoy);
- a removal waits until nothing that the client may still be using refers to the resource, or until a time has passed;
- endpoints of a cluster whose own change is still waiting do not overtake it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from microstax.xds.holding import Claim, Holding
from microstax.xds.resources import Reference, Resource, Snapshot
from microstax.xds.type_urls import CLUSTER, ENDPOINT


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things wait at most; both in seconds.

    removal_hold_s     a removal that something still refers to; about Envoy's own limit for warming
    burst_s            a client that comes back asks for all its types in one burst, in any order; until this long
                       after a stream's begin, what uses clusters waits for the client to ask for clusters
    """

    removal_hold_s: float = 15.0
    burst_s: float = 0.25


@dataclass(frozen=True, slots=True)
class View:
    """What one client should have of one type. `frozen` names stay as the client has them."""

    wanted: Mapping[str, Resource]
    frozen: frozenset[str]
    gone: frozenset[str]
    whole_version: str | None = None  # set if the client should have all of the type, and nothing waits
    wake_at: float | None = None


class Sequencer:
    """Applies the three rules with the knowledge of all types of one stream."""

    def __init__(self, timing: Timing, *, aggregated: bool, opened_at: float) -> None:
        self._timing: Final = timing
        self._aggregated: Final = aggregated  # streams of one type cannot be put in an order with each other
        self._burst_ends: Final = opened_at + timing.burst_s
        self.holdings: dict[str, Holding] = {}

    def view(self, holding: Holding, snapshot: Snapshot, now: float) -> View:
        """Decide over every name of a type; also renews what the holding remembers about waiting."""
        target = snapshot.resources(holding.type_url)
        holding.lift_refusals(target)
        selected = holding.subscription.select(target)
        _recognise(holding, selected)
        changed = [
            r for name, r in selected.items() if holding.version_of(name) != r.version or name in holding.refused
        ]
        waiting = {resource.name for resource in changed if self._waits(holding, resource, snapshot, now)}
        gone = {name for name, held in holding.client.items() if held is not None and name not in selected}
        kept = self._kept(holding, gone, now)
        wanted = {n: r for n, r in selected.items() if n not in waiting} if waiting else selected
        wakes = [holding.held_since[name] + self._timing.removal_hold_s for name in kept]
        if (waiting or kept) and self._bursting(now):
            wakes.append(self._burst_ends)
        frozen = frozenset(waiting | kept)
        whole = snapshot.version(holding.type_url) if selected is target and not frozen else None
        return View(wanted, frozen, frozenset(gone - kept), whole, min(wakes, default=None))

    def _waits(self, holding: Holding, resource: Resource, snapshot: Snapshot, now: float) -> bool:
        name = resource.name
        if name in holding.refused:
            return True
        if holding.type_url == ENDPOINT and holding.holds(name) and name not in holding.resend:
            return self._overtakes(name, snapshot)
        return any(not self._ready(target, snapshot, now) for target in resource.references)

    def _ready(self, target: Reference, snapshot: Snapshot, now: float) -> bool:
        """Return whether a reference may be used: only clusters have to be there first."""
        type_url, name = target
        if type_url != CLUSTER or not self._aggregated:
            return True
        clusters = self.holdings.get(CLUSTER)
        if clusters is None or not clusters.active:
            return not self._bursting(now)
        if not clusters.subscription.covers(name):
            return True  # gRPC asks for a cluster by name, after it has seen the route
        return clusters.holds(name) and not self._unsent(clusters, name, snapshot)

    def _bursting(self, now: float) -> bool:
        return now < self._burst_ends

    @staticmethod
    def _unsent(clusters: Holding, name: str, snapshot: Snapshot) -> bool:
        target = snapshot.resources(CLUSTER).get(name)
        if target is None or name in clusters.refused:
            return False
        return clusters.sent_version(name) != target.version

    def _overtakes(self, name: str, snapshot: Snapshot) -> bool:
        """Return whether a cluster that uses these endpoints has a change that is still to be sent."""
        clusters = self.holdings.get(CLUSTER)
        if clusters is None or not clusters.active or not self._aggregated:
            return False
        users = (r.name for r in snapshot.referrers(ENDPOINT, name) if r.type_url == CLUSTER)
        return any(clusters.subscription.covers(user) and self._unsent(clusters, user, snapshot) for user in users)

    def _kept(self, holding: Holding, gone: set[str], now: float) -> set[str]:
        for name in [n for n in holding.held_since if n not in gone]:
            del holding.held_since[name]
        if not gone or not self._aggregated:
            return set()
        used, unknown = self._used(holding.type_url)
        kept = set()
        for name in gone:
            since = holding.held_since.setdefault(name, now)
            claimed_early = isinstance(holding.client[name], Claim) and self._bursting(now)
            if (name in used or unknown or claimed_early) and now < since + self._timing.removal_hold_s:
                kept.add(name)
        return kept

    def _used(self, type_url: str) -> tuple[set[str], bool]:
        """Return the names of a type that the client may be using, and whether there may be others, unknown to us."""
        others = [h for h in self.holdings.values() if h.type_url != type_url]
        names = {n for h in others for r in h.in_force() for t, n in r.references if t == type_url}
        # Clusters are used by what comes later in the order; a cluster in an old version uses no cluster.
        unknown = type_url == CLUSTER and any(
            isinstance(held, Claim) for h in others if h.type_url != ENDPOINT for held in h.client.values()
        )
        return names, unknown


def _recognise(holding: Holding, selected: Mapping[str, Resource]) -> None:
    """Turn a claim whose version is the current one into the resource itself."""
    for name, held in holding.client.items():
        if isinstance(held, Claim) and name in selected and selected[name].version == held.version:
            holding.client[name] = selected[name]
