"""A finished resource, and how messages are packed."""

from dataclasses import dataclass
from typing import Final

import betterproto2
from envoy_data_plane.google.protobuf import Any

TYPE_PREFIX: Final = "type.googleapis.com/"
LISTENER_TYPE: Final = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
ROUTES_TYPE: Final = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"
CLUSTER_TYPE: Final = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINTS_TYPE: Final = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
RUNTIME_TYPE: Final = TYPE_PREFIX + "envoy.service.runtime.v3.Runtime"

Reference = tuple[str, str]
"""A resource that another one needs: type URL and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltResource:
    """One xDS resource: `body` is the serialised message, `references` the resources that it names.

    At `expires_at` (seconds since the epoch; None: never) an Envoy is to forget it by itself.
    """

    type_url: str
    name: str
    body: bytes
    references: frozenset[Reference] = frozenset()
    expires_at: float | None = None


def packed(message: betterproto2.Message) -> Any:
    """Return `message` as an Any."""
    return Any.pack(message)
