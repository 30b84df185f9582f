"""Envoy's counters as tallies: which of them is about which service of which shadow. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from microstax.control import coverage, crosschecks, fence, layout, queries
from microstax.envoy import stats
from microstax.model.exchange import Side
from microstax.store.port import CounterReading, TallyKey
from microstax.store.state import ShadowRecord, State

Counted = tuple[str, int, tuple[TallyKey, ...]]
"""A name that is unique within the node, an absolute value, and what it counts towards."""
OTHER_OVERLAYS: Final = "other_overlays"
"""Why a request was not mirrored into an overlay: others alone took it, by their methods, sizes or larger shares."""


def readings(
    state: State, *, node: str, epoch: str, values: Mapping[str, int], steady: Collection[str] = (), at_ms: int = 0
) -> tuple[CounterReading, ...]:
    """Return the readings of one Envoy: `values` are its statistics by the names that Envoy gives them.

    `steady` are the overlays whose shadows have been in force since the reading before. A reading of before a shadow
    (`at_ms`, 0 where that is unknown) is about the mirrors of the one that was there then, and says nothing of it.
    """
    role, name = layout.node_parts(node)
    counted = stats.read_counters(values)
    found = _of_tee(state, name, counted, steady, at_ms) if role == layout.TEE else _of_bridge(state, name, counted)
    return tuple(
        CounterReading(node=node, epoch=epoch, name=one, value=value, tallies=tallies) for one, value, tallies in found
    )


def _of_tee(
    state: State, environment: str, counted: stats.Counters, steady: Collection[str], at_ms: int
) -> Iterator[Counted]:
    for key, mirror in counted.mirrors.items():
        shadow = state.shadows.get(key.overlay)
        if shadow is None or key.side is not Side.BRANCH or 0 < at_ms < shadow.since_ms:
            continue
        what = f"{key.service}/{key.overlay}"
        # A copy that was dropped never became one to Envoy, but it is a request that the user wanted mirrored.
        made = mirror.mirrored + mirror.dropped
        yield f"mirrored {what}", made, (_tally(shadow, key.service, coverage.MIRRORED),)
        lost = mirror.dropped + mirror.overflow
        yield f"overflow {what}", lost, (_tally(shadow, key.service, coverage.OVERFLOW),)
        for tally, value in _ended(mirror):
            yield f"{tally} {what}", value, (_tally(shadow, key.service, tally),)
    for service, skipped in counted.skipped.items():
        yield from _skipped(_Witnesses(_shadows_of(state, environment, service), service, steady), skipped)
    for service, tee in counted.tees.items():
        yield from _requests(_Witnesses(_shadows_of(state, environment, service), service, steady), tee)
    tapped = sum(tee.tapped for tee in counted.tees.values())
    shadows = {
        shadow.overlay: shadow for service in counted.tees for shadow in _shadows_of(state, environment, service)
    }
    node = tuple(_tally(shadow, crosschecks.NODE, crosschecks.TAPPED) for shadow in shadows.values())
    yield crosschecks.TAPPED, tapped, node


def _ended(mirror: stats.MirrorCounters) -> tuple[tuple[str, int], ...]:
    """Return how copies ended that the branch did not answer; each counter on its own, since these only grow."""
    return (
        (crosschecks.DROPPED, mirror.dropped),
        (crosschecks.REFUSED, mirror.overflow),
        (crosschecks.TIMEOUTS, mirror.timeouts),
        (crosschecks.CONNECT_FAILURES, mirror.connect_failures),
        (crosschecks.RESETS, mirror.resets),
        (crosschecks.H1_TIMEOUTS, mirror.h1_timeouts),
        (crosschecks.H1_ENDED, mirror.h1_ended),
        (crosschecks.H2_ENDED, mirror.h2_ended),
    )


@dataclass(frozen=True, slots=True)
class _Witnesses:
    """The shadows of a service, and which of them have been in force since the last reading."""

    shadows: Sequence[ShadowRecord]
    service: str
    steady: Collection[str]

    def all(self, name: str) -> tuple[TallyKey, ...]:
        return tuple(_tally(shadow, self.service, name) for shadow in self.shadows)

    def that_are_steady(self, name: str) -> tuple[TallyKey, ...]:
        return tuple(_tally(one, self.service, name) for one in self.shadows if one.overlay in self.steady)


def _skipped(witnesses: _Witnesses, skipped: stats.SkippedCounters) -> Iterator[Counted]:
    """Count what no mirror took towards every shadow of the service: none of them saw it."""
    reasons = {"size": skipped.size, "upgrade": skipped.upgrade, "sampling": skipped.sampling}
    counted = {
        **{coverage.skipped_method_tally(method): value for method, value in skipped.methods.items()},
        **{coverage.skipped_tally(reason): value for reason, value in {**reasons, "preview": skipped.preview}.items()},
    }
    left = witnesses.that_are_steady(crosschecks.LEFT)
    for tally, value in counted.items():
        yield f"{tally} {witnesses.service}", value, (*witnesses.all(tally), *left)


def _requests(witnesses: _Witnesses, tee: stats.TeeCounters) -> Iterator[Counted]:
    """Count what came in, and what was to be copied: into a shadow's overlay, or into others only."""
    service, others = witnesses.service, coverage.skipped_tally(OTHER_OVERLAYS)
    yield f"{crosschecks.ENTERED} {service}", tee.entered, witnesses.that_are_steady(crosschecks.ENTERED)
    missed = (*witnesses.all(crosschecks.UNREACHED), *witnesses.that_are_steady(crosschecks.MISSED))
    yield f"{crosschecks.UNREACHED} {service}", tee.unreached, missed
    yield f"{crosschecks.GIVEN_UP} {service}", tee.given_up, witnesses.that_are_steady(crosschecks.GIVEN_UP)
    for overlays, value in tee.routed.items():
        tallies = [
            _tally(shadow, service, crosschecks.ROUTED if shadow.overlay in overlays else others)
            for shadow in witnesses.shadows
        ]
        left = witnesses.that_are_steady(crosschecks.LEFT)
        yield f"{crosschecks.ROUTED} {service} {'+'.join(overlays)}", value, (*tallies, *left)


def _of_bridge(state: State, overlay: str, counted: stats.Counters) -> Iterator[Counted]:
    shadow = state.shadows.get(overlay)
    if shadow is None:
        return
    for service, bridge in counted.bridges.items():
        blocked = sum(bridge.blocked.values())
        yield f"blocked {service}", blocked, (_tally(shadow, service, coverage.BLOCKED),)
        for name, value in fence.tallies(bridge):
            yield f"{name} {service}", value, (_tally(shadow, service, name),)


def _shadows_of(state: State, environment: str, service: str) -> list[ShadowRecord]:
    return [
        shadow
        for record in queries.overlays_of(state, environment)
        if (shadow := state.shadows.get(record.spec.name)) is not None
        and any(spec.name == service for spec in queries.shadowed_services(record, shadow))
    ]


def _tally(shadow: ShadowRecord, service: str, name: str) -> TallyKey:
    return TallyKey(shadow.overlay, shadow.generation, service, name)
