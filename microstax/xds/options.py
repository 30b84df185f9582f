"""What an xDS server can be told, with defaults that fit a fleet of about a thousand Envoys."""

from collections.abc import Callable
from dataclasses import dataclass, field

from microstax.xds.messages import Node
from microstax.xds.rules import Rules


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the connection: its address, and the names its certificate proves (empty: none)."""

    address: str
    identities: tuple[str, ...] = ()


def allow_everyone(node: Node, peer: Peer) -> str | None:
    """Authorise any client: right for a unix socket that only its owner may open."""
    del node, peer
    return None


def node_id(node: Node) -> str:
    """Key snapshots by the node's id."""
    return node.id


@dataclass(frozen=True, slots=True, kw_only=True)
class XdsOptions:
    """All times in seconds.

    debounce_s         changes within this time of the first one go out as one push
    key                which snapshot a node gets; the key is what `set_snapshot` is called with
    authorise          returns None, or a sentence that says why this peer may not be this node (PERMISSION_DENIED)
    max_streams        above this many streams new ones are refused (RESOURCE_EXHAUSTED); None behind an external
                       balancer, which would only come back
    admission_rate     new streams a second, after a burst; those that come faster wait in line
    admission_burst    new streams that are let in at once
    admission_wait_s   whoever would have to wait longer is refused (RESOURCE_EXHAUSTED)
    keepalive_s        how often the server pings a silent connection
    keepalive_wait_s   how long it waits for the answer before it gives the connection up; an Envoy that digests a large
                       configuration does not answer meanwhile (envoy#10394)
    """

    debounce_s: float = 0.02
    rules: Rules = field(default_factory=Rules)
    key: Callable[[Node], str] = node_id
    authorise: Callable[[Node, Peer], str | None] = allow_everyone
    max_streams: int | None = None
    admission_rate: float = 200.0
    admission_burst: int = 200
    admission_wait_s: float = 30.0
    keepalive_s: float = 30.0
    keepalive_wait_s: float = 10.0

    def grpc_options(self) -> list[tuple[str, int]]:
        """Return the channel arguments for the `grpc.aio.server` that the service is added to."""
        return [
            ("grpc.max_send_message_length", -1),  # a resource may be larger than gRPC's 4 MiB
            ("grpc.max_receive_message_length", 64 << 20),  # a reconnecting client lists all it has
            ("grpc.keepalive_time_ms", round(self.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", round(self.keepalive_wait_s * 1000)),
            # Since gRPC 1.60 this one decides, at 60 s if it is not set, and not the keepalive's own time.
            ("grpc.http2.ping_timeout_ms", round(self.keepalive_wait_s * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            # Envoy pings as it is configured to: no number of pings is a reason for GOAWAY too_many_pings.
            ("grpc.http2.min_ping_interval_without_data_ms", 1000),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 0),
            ("grpc.http2.max_ping_strikes", 0),
        ]
