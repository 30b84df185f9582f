"""How many traces a worker has read of one Envoy, and how many of them belong nowhere. No I/O and no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from microstax.capture import Collector
from microstax.model.exchange import READ, Stray


def read_so_far(collector: Collector) -> dict[str, int]:
    """Return all traces since the collector began, and those that an account has no place for, by Stray."""
    return {
        READ: collector.traces,
        Stray.UNDECODABLE.value: collector.undecodable,
        Stray.UNMATCHED.value: collector.identities.unmatched,
        Stray.UNEXPLAINED.value: collector.pairer.unexplained,
        Stray.LATE.value: collector.pairer.late,
        Stray.REPEATED.value: collector.pairer.repeated,
    }


@dataclass(slots=True)
class Growth:
    """Totals that were told, so that the next time only what came since is told."""

    _told: Mapping[str, int] = field(default_factory=dict)

    def since(self, totals: Mapping[str, int]) -> dict[str, int]:
        """Return by how much each total has grown since the last time; what has not is left out."""
        before, self._told = self._told, dict(totals)
        return {name: total - before.get(name, 0) for name, total in totals.items() if total > before.get(name, 0)}
