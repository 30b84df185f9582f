"""What goes into the stream machine and what comes out of it.

Pure. Events are named in the past tense, since they have happened; commands in the imperative, since the caller
carries them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from microstax.xds.resources import Resource, Snapshot


class Variant(Enum):
    """The two forms of the protocol."""

    SOTW = "state of the world"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Node:
    """Who a client says it is, in its first request. `metadata` is a JSON-like object."""

    id: str
    cluster: str = ""
    features: frozenset[str] = frozenset()
    user_agent: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SotwRequest:
    """A DiscoveryRequest. `error` is the client's reason for a NACK, None for anything else."""

    type_url: str
    node: Node | None = None
    names: tuple[str, ...] = ()
    version: str = ""
    nonce: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRequest:
    """A DeltaDiscoveryRequest. `error` is the client's reason for a NACK, None for anything else."""

    type_url: str
    node: Node | None = None
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=dict)
    nonce: str = ""
    error: str | None = None


Request: TypeAlias = SotwRequest | DeltaRequest


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """The client said something. `at` is the time of day in seconds since the epoch, kept with a NACK."""

    request: Request
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class SnapshotChanged:
    """The node's resources are now these; None means that nothing is known for it (yet).

    `changed` are the names that differ from the snapshot before, by type; None if that is not known.
    """

    snapshot: Snapshot | None
    changed: Mapping[str, frozenset[str]] | None = None


@dataclass(frozen=True, slots=True)
class ResponseWritten:
    """The transport has taken the last response and can take another one."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed; the stream's `deadline` says when this is worth while."""


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """The stream shall end soon, and at the latest `grace_s` seconds from now."""

    grace_s: float


Event: TypeAlias = RequestReceived | SnapshotChanged | ResponseWritten | Ticked | DrainRequested


@dataclass(frozen=True, slots=True)
class Item:
    """A resource in a response. A heartbeat has no body; `with_ttl` says whether the client understands a TTL."""

    resource: Resource
    with_ttl: bool = False
    heartbeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResponse:
    """Write this response, then report `ResponseWritten`. `removed` is always empty in the state of the world."""

    type_url: str
    nonce: str
    version: str
    items: tuple[Item, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseStream:
    """End the stream with this gRPC status (by name) and sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class IdentifyNode:
    """The client has said who it is: find its resources and report `SnapshotChanged`, or end the stream."""

    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack:
    """A refused response: in the client's own words, what was sent, and when (seconds since the epoch)."""

    type_url: str
    version: str
    nonce: str
    error: str
    time: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportAck:
    """The client has applied this version of this type."""

    type_url: str
    version: str


@dataclass(frozen=True, slots=True)
class ReportNack:
    """The client has refused a response."""

    nack: Nack


Command: TypeAlias = SendResponse | CloseStream | IdentifyNode | ReportAck | ReportNack
