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
_EVERY_KEY: Final = "value"


def readings(state: State, *, node: str, epoch: str, values: Mapping[str, int]) -> tuple[CounterReading, ...]:
    """Return the readings of one Envoy: `values` are its statistics by the names that Envoy gives them."""
    role, name = layout.node_parts(node)
    counted = stats.read_counters({"stats": [{"name": one, _EVERY_KEY: value} for one, value in values.items()]})
    found = _of_tee(state, name, counted) if role == layout.TEE else _of_bridge(state, name, counted)
    return tuple(
        CounterReading(node=node, epoch=epoch, name=one, value=value, tallies=tallies) for one, value, tallies in found
    )


def _of_tee(state: State, environment: str, counted: stats.Counters) -> Iterator[Counted]:
    for key, mirror in counted.mirrors.items():
        shadow = state.shadows.get(key.overlay)
        if shadow is None or key.side is not Side.BRANCH:
            continue
        what = f"{key.service}/{key.overlay}"
        # A copy that was dropped never became one to Envoy, but it is a request that the user wanted mirrored.
        made = mirror.mirrored + mirror.dropped
        yield f"mirrored {what}", made, (_tally(shadow, key.service, coverage.MIRRORED),)
        lost = mirror.dropped + mirror.overflow
        yield f"overflow {what}", lost, (_tally(shadow, key.service, coverage.OVERFLOW),)
    for service, skipped in counted.skipped.items():
        yield from _skipped(state, environment, service, skipped)


def _skipped(state: State, environment: str, service: str, skipped: stats.SkippedCounters) -> Iterator[Counted]:
    """Count what no mirror took towards every shadow of the service: none of them saw it."""
    shadows = _shadows_of(state, environment, service)
    for method, value in skipped.methods.items():
        tally = coverage.skipped_method_tally(method)
        yield f"{tally} {service}", value, tuple(_tally(shadow, service, tally) for shadow in shadows)
    for reason, value in (("size", skipped.size), ("upgrade", skipped.upgrade), ("sampling", skipped.sampling)):
        tally = coverage.skipped_tally(reason)
        yield f"{tally} {service}", value, tuple(_tally(shadow, service, tally) for shadow in shadows)


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
