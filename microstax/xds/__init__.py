"""A discovery server (xDS v3) for any resources: snapshots in, ACKed configuration at the clients.

The protocol is a machine without I/O (`stream` and what it is made of), and `server` is the thin part that speaks gRPC.
Nothing here knows what a resource means, nor anything else of the product but its errors.
"""

from microstax.xds.messages import Nack, Node, Variant
from microstax.xds.options import Peer, XdsOptions
from microstax.xds.ordering import Timing
from microstax.xds.progress import TypeStatus
from microstax.xds.resources import Finding, FindingKind, Reference, Resource, Snapshot
from microstax.xds.rules import Rules
from microstax.xds.server import XdsServer
from microstax.xds.status import Acked, Connected, Disconnected, Nacked, NackedError, NodeStatus, Notice, Totals

__all__ = [
    "Acked",
    "Connected",
    "Disconnected",
    "Finding",
    "FindingKind",
    "Nack",
    "Nacked",
    "NackedError",
    "Node",
    "NodeStatus",
    "Notice",
    "Peer",
    "Reference",
    "Resource",
    "Rules",
    "Snapshot",
    "Timing",
    "Totals",
    "TypeStatus",
    "Variant",
    "XdsOptions",
    "XdsServer",
]
