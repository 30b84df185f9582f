"""What the control plane remembers of the last seconds, so that an account knows what is overdue and what has settled.

Nothing of it is stored. A control plane that comes back takes what was outstanding for old (`begin`), and what it reads
first for as settled as it can be.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from microstax.control import coverage, crosschecks, layout
from microstax.control.overdue import Overdue
from microstax.generated.management.microstax.management.v1 import Delta
from microstax.model.report import Coverage
from microstax.store.port import Applied
from microstax.store.state import ShadowRecord, State

_SAMPLE_MS: Final = 500
Generation = tuple[str, int]
Counts = Mapping[tuple[str, str], int]
"""Tallies by (service, name)."""


@dataclass(slots=True)
class _Past:
    """Tallies as they were, the oldest first, by our clock."""

    samples: deque[tuple[int, Counts]] = field(default_factory=deque)

    def note(self, now_ms: int, counts: Counts, *, window_ms: int) -> None:
        if len(self.samples) > 1 and self.samples[-1][0] - self.samples[-2][0] < _SAMPLE_MS:
            self.samples.pop()
        self.samples.append((now_ms, counts))
        while len(self.samples) > 1 and self.samples[1][0] <= now_ms - window_ms:
            self.samples.popleft()

    def before(self, at_ms: int) -> Counts:
        return next((counts for when, counts in reversed(self.samples) if when <= at_ms), {})


class Accounts:
    """Follows deltas. `now_ms` is Unix time by our clock, what deltas hold is by the workers'."""

    def __init__(self) -> None:
        self._overdue: dict[tuple[str, int, str], Overdue] = {}
        self._past: dict[Generation, _Past] = {}
        self._in_force_ms: dict[Generation, int] = {}
        self._epochs: dict[str, str] = {}

    def begin(self, shadow: ShadowRecord, counts: Counts, *, then_ms: int, now_ms: int) -> None:
        """Begin with the tallies as they were when the last delta came, at `then_ms` by a worker's clock."""
        for service, own in _by_service(counts).items():
            missing = coverage.outstanding(own)
            self._of(shadow, service).begin(missing, at_ms=then_ms, now_ms=min(then_ms, now_ms))
        self.note(shadow, counts, now_ms=min(then_ms, now_ms))

    def steady(self, node: str, state: State, *, since_ms: int) -> frozenset[str]:
        """Return the overlays whose shadows have been in force since a reading of their tee at `since_ms`."""
        return frozenset(
            overlay
            for (overlay, _), in_force_ms in self._in_force_ms.items()
            if in_force_ms <= since_ms
            and overlay in state.overlays
            and layout.tee_node(state.overlays[overlay].spec.baseline) == node
        )

    def restarted(self, delta: Delta) -> frozenset[str]:
        """Return the Envoys that were restarted since the delta before."""
        return frozenset(one.node_id for one in delta.counters if self._epochs.get(one.node_id, one.epoch) != one.epoch)

    def take(self, state: State, delta: Delta, applied: Applied, *, now_ms: int) -> None:
        """Take in a delta that was applied."""
        at_ms = {one.node_id: one.at_ms or now_ms for one in delta.counters}
        self._epochs |= {one.node_id: one.epoch for one in delta.counters}
        for grown in applied.grown:
            shadow = state.shadows.get(grown.tally.overlay)
            if shadow is not None and grown.tally.name == coverage.MIRRORED:
                reading_ms = at_ms.get(grown.node, now_ms)
                self._of(shadow, grown.tally.service).made(
                    grown.node, grown.count, reading_ms=reading_ms, now_ms=now_ms
                )
        for one in delta.accounted:
            shadow = state.shadows.get(one.overlay)
            if shadow is None or one.generation not in {0, shadow.generation}:
                continue
            for reading_ms, count in one.by_reading.items():
                self._of(shadow, one.service).told(one.node_id, count, reading_ms=reading_ms, now_ms=now_ms)

    def keep(self, shadows: Iterable[ShadowRecord], *, now_ms: int) -> None:
        """Forget all but these shadows as they are now; those that are on are in force from now on at the latest."""
        ours = {(one.overlay, one.generation): one for one in shadows}
        self._overdue = {key: one for key, one in self._overdue.items() if key[:2] in ours}
        self._past = {key: one for key, one in self._past.items() if key in ours}
        self._in_force_ms = {
            key: self._in_force_ms.get(key, now_ms) for key, one in ours.items() if one.settings.enabled
        }

    def note(self, shadow: ShadowRecord, counts: Counts, *, now_ms: int) -> None:
        """Remember the tallies of now."""
        past = self._past.setdefault((shadow.overlay, shadow.generation), _Past())
        past.note(now_ms, counts, window_ms=patience_ms(shadow))

    def coverage(self, shadow: ShadowRecord, counts: Counts, service: str = "", *, now_ms: int) -> Coverage:
        """Return the coverage of a shadow, or of one of its services, with the checks of it."""
        now, then = _by_service(counts), _by_service(self._then(shadow, now_ms))
        node, node_then = now.pop(crosschecks.NODE, {}), then.pop(crosschecks.NODE, {})
        off = "" if shadow.settings.enabled else crosschecks.SWITCHED_OFF
        forgot = crosschecks.RESTARTED if node.get(crosschecks.RESTARTS) else off
        overdue = {one: self._of(shadow, one).count(now_ms, patience_ms=patience_ms(shadow)) for one in now}
        accounts = {
            one: coverage.account(own, overdue=overdue[one]) for one, own in sorted(now.items()) if service in {"", one}
        }
        found = coverage.coverage(accounts.values())
        checks = [
            check
            for one in accounts
            if crosschecks.is_shadowed(now[one])
            for check in crosschecks.of_service(one, now[one], then.get(one, {}), overdue=overdue[one], forgot=forgot)
        ]
        if not service and node:
            lost = sum(found["not_compared"].values())
            checks.append(crosschecks.of_node(node, node_then, lost=lost, forgot=forgot))
        found["strays"] = crosschecks.strays(node)
        found["envoy"] = crosschecks.envoy_counts(now[one] for one in accounts)
        found["cross_checks"] = checks
        return found

    def _then(self, shadow: ShadowRecord, now_ms: int) -> Counts:
        past = self._past.get((shadow.overlay, shadow.generation))
        return past.before(now_ms - patience_ms(shadow)) if past is not None else {}

    def _of(self, shadow: ShadowRecord, service: str) -> Overdue:
        return self._overdue.setdefault((shadow.overlay, shadow.generation, service), Overdue())


def patience_ms(shadow: ShadowRecord) -> int:
    """Return after which time something should have been told of a copy."""
    return shadow.settings.branch_timeout_ms + coverage.DELIVERY_MS


def _by_service(counts: Counts) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (service, name), n in counts.items():
        found.setdefault(service, {})[name] = n
    return found
