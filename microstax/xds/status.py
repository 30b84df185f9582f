"""What the server tells about its clients: the state now, and events as they happen."""

from dataclasses import dataclass, replace
from typing import TypeAlias

from microstax.errors import EnvoyError
from microstax.xds.messages import Nack, Variant
from microstax.xds.progress import TypeStatus
from microstax.xds.type_urls import short_name


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One client, or (not connected) one key that has a snapshot and no client.

    `missing` names what the client's resources refer to and the client has not got yet. `connected_at` is in seconds
    since the epoch.
    """

    node_id: str
    key: str
    connected: bool
    has_snapshot: bool
    user_agent: str = ""
    peer: str = ""
    variants: tuple[Variant, ...] = ()
    connected_at: float | None = None
    types: tuple[TypeStatus, ...] = ()
    missing: tuple[str, ...] = ()
    push_due: bool = False

    @property
    def applied(self) -> bool:
        """Whether the client has ACKed all of its current snapshot that it asks for."""
        waiting = self.push_due or self.missing or not self.types
        return self.connected and self.has_snapshot and not waiting and all(t.applied for t in self.types)

    @property
    def nack(self) -> Nack | None:
        """The NACK that keeps the current snapshot from being applied, if there is one."""
        if self.push_due:
            return None
        return next((t.nack for t in self.types if t.nack is not None and t.refused), None)

    def narrowed(self, types: frozenset[str]) -> "NodeStatus":
        """Return the same of some types alone: what the others wait for or refuse does not show."""
        return replace(self, types=tuple(t for t in self.types if t.type_url in types), missing=())

    def lacks(self) -> str:
        """Say in a few words what is still to come."""
        if not self.connected:
            return "it is not connected"
        if not self.has_snapshot:
            return "there is no configuration for it"
        waiting = [_lack(t) for t in self.types if not t.applied]
        return ", ".join([*waiting, *(f"{m} is missing" for m in self.missing)]) or "it has not asked for everything"


def _lack(status: TypeStatus) -> str:
    if status.held:  # for a cluster that is not there, for its turn to be removed, or for other content
        return f"{short_name(status.type_url)} {', '.join(status.held)} is held back"
    return f"{short_name(status.type_url)} is not acknowledged"


class NackedError(EnvoyError):
    """A client refused a configuration; `nack` holds its reason and what it was about."""

    def __init__(self, node_id: str, nack: Nack) -> None:
        super().__init__(f"Envoy {node_id!r} refused its {short_name(nack.type_url)} configuration: {nack.error}")
        self.node_id, self.nack = node_id, nack


@dataclass(frozen=True, slots=True)
class Totals:
    """What has been said about one type since the server began."""

    responses: int = 0
    resources: int = 0
    acks: int = 0
    nacks: int = 0

    def plus(self, status: TypeStatus) -> "Totals":
        """Return the totals with one stream's counters added."""
        return Totals(
            self.responses + status.responses,
            self.resources + status.resources,
            self.acks + status.acks,
            self.nacks + status.nacks,
        )


@dataclass(frozen=True, slots=True)
class Connected:
    """A client has said who it is, and is let in."""

    node_id: str
    key: str
    variant: Variant


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A client's stream has ended."""

    node_id: str
    key: str
    variant: Variant


@dataclass(frozen=True, slots=True)
class Acked:
    """A client has applied a version of a type."""

    node_id: str
    key: str
    type_url: str
    version: str


@dataclass(frozen=True, slots=True)
class Nacked:
    """A client has refused a response."""

    node_id: str
    key: str
    nack: Nack


Notice: TypeAlias = Connected | Disconnected | Acked | Nacked
