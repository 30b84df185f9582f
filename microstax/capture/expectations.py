"""What the pairer may wait for, and how long: the shadows as they are told, and what traffic taught about them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from microstax.capture.entry import Half
from microstax.capture.terms import Expected, Limits, Place
from microstax.model.exchange import NotCompared
from microstax.model.shadow import DEFAULT_BRANCH_TIMEOUT_MS, ControlMode

_ANY_TIMEOUT_US = DEFAULT_BRANCH_TIMEOUT_MS * 1000


@dataclass(slots=True)
class Expectations:
    """The overlays of each service. `lifetime_us` is the longest that any answer may take.

    `again` are the services whose requests may be asked again.
    """

    limits: Limits
    lifetime_us: int = _ANY_TIMEOUT_US
    again: frozenset[str] = frozenset()
    _expected: dict[str, dict[str, Expected]] = field(default_factory=dict)
    _patience: dict[Place, int] = field(default_factory=dict)
    _dropped: dict[Place, int] = field(default_factory=dict)

    def replace(self, expected: Mapping[str, Iterable[Expected]]) -> None:
        """Replace what each service is mirrored into."""
        self._expected = {service: {one.overlay: one for one in many} for service, many in expected.items()}
        timeouts = [one.timeout_us for many in self._expected.values() for one in many.values()]
        self.lifetime_us = max(timeouts, default=_ANY_TIMEOUT_US)
        self.again = frozenset(
            service for service, many in self._expected.items() if any(one.again for one in many.values())
        )
        places = {(service, overlay) for service, many in self._expected.items() for overlay in many}
        self._patience = {place: wait for place, wait in self._patience.items() if place in places}

    def overlays(self, service: str) -> Iterable[str]:
        """Return the overlays that a service is mirrored into."""
        return self._expected.get(service, ())

    def mode(self, place: Place) -> ControlMode:
        """Return where a control comes from."""
        expected = self._expected.get(place[0], {}).get(place[1])
        return expected.control if expected is not None else ControlMode.NONE

    def timeout_us(self, place: Place) -> int:
        """Return how long the branch may take."""
        expected = self._expected.get(place[0], {}).get(place[1])
        return expected.timeout_us if expected is not None else self.lifetime_us

    def patience_us(self, place: Place) -> int:
        """Return how long a complete pair waits for a control that only a share of the requests has."""
        return max(self.limits.self_control_us, self._patience.get(place, 0))

    def control_came_late(self, place: Place, age_us: int) -> None:
        """Learn from a control for which its pair did not wait, delivered `age_us` after its request."""
        if self.mode(place) is ControlMode.SELF:
            longest = self.timeout_us(place) + self.limits.slack_us
            self._patience[place] = min(longest, max(2 * age_us, self._patience.get(place, 0)))

    def copies_dropped(self, place: Place, count: int) -> None:
        """Note that Envoy, by its own counters, dropped `count` copies before they could leave a trace."""
        self._dropped[place] = self._dropped.get(place, 0) + count

    def why_alone(self, place: Place, half: Half) -> NotCompared | None:
        """Return why one side stayed alone.

        Of several overlays, each has its own share, methods and size, and a baseline does not say which of them apply:
        there nothing is claimed for an overlay of which nothing was seen. What is missing shows in Envoy's counters.
        """
        dropped = self._dropped.get(place, 0)
        if half.branch is None and dropped:
            self._dropped[place] = dropped - 1
            return NotCompared.BRANCH_OVERFLOW
        unseen = half.branch is None and not half.control_settled
        return None if unseen and len(self._expected.get(place[0], ())) > 1 else NotCompared.CAPTURE_GAP
