"""The resource types of xDS v3: their URLs, the order they are sent in, and the services that carry them.

Pure. Any other type URL works as well; it is sent last and treated like a type whose resources are asked for by name.
"""

from typing import Final

_PREFIX: Final = "type.googleapis.com/"

CLUSTER: Final = f"{_PREFIX}envoy.config.cluster.v3.Cluster"
ENDPOINT: Final = f"{_PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER: Final = f"{_PREFIX}envoy.config.listener.v3.Listener"
ROUTE: Final = f"{_PREFIX}envoy.config.route.v3.RouteConfiguration"
SCOPED_ROUTE: Final = f"{_PREFIX}envoy.config.route.v3.ScopedRouteConfiguration"
VIRTUAL_HOST: Final = f"{_PREFIX}envoy.config.route.v3.VirtualHost"
SECRET: Final = f"{_PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret"
RUNTIME: Final = f"{_PREFIX}envoy.service.runtime.v3.Runtime"
EXTENSION_CONFIG: Final = f"{_PREFIX}envoy.config.core.v3.TypedExtensionConfig"
WRAPPED_RESOURCE: Final = f"{_PREFIX}envoy.service.discovery.v3.Resource"

# Make before break: what routes point at goes out before the routes do (xDS protocol, "Eventual consistency").
_ORDER: Final = (
    CLUSTER, ENDPOINT, LISTENER, SCOPED_ROUTE, ROUTE, VIRTUAL_HOST, SECRET, RUNTIME, EXTENSION_CONFIG,
)  # fmt: skip
_RANK: Final = {type_url: rank for rank, type_url in enumerate(_ORDER)}

# State-of-the-world responses of these types hold the whole set: what is not in them is deleted by the client.
FULL_STATE: Final = frozenset({CLUSTER, LISTENER})

AGGREGATED_SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
AGGREGATED_METHODS: Final = ("StreamAggregatedResources", "DeltaAggregatedResources")

# type URL -> (service, state-of-the-world method, delta method)
SINGLE_TYPE_SERVICES: Final = {
    CLUSTER: ("envoy.service.cluster.v3.ClusterDiscoveryService", "StreamClusters", "DeltaClusters"),
    ENDPOINT: ("envoy.service.endpoint.v3.EndpointDiscoveryService", "StreamEndpoints", "DeltaEndpoints"),
    LISTENER: ("envoy.service.listener.v3.ListenerDiscoveryService", "StreamListeners", "DeltaListeners"),
    ROUTE: ("envoy.service.route.v3.RouteDiscoveryService", "StreamRoutes", "DeltaRoutes"),
    SECRET: ("envoy.service.secret.v3.SecretDiscoveryService", "StreamSecrets", "DeltaSecrets"),
    RUNTIME: ("envoy.service.runtime.v3.RuntimeDiscoveryService", "StreamRuntime", "DeltaRuntime"),
}


def send_rank(type_url: str) -> tuple[int, str]:
    """Return the sort key of the wire order: CDS, EDS, LDS, RDS, the rest; unknown types last, by name."""
    return _RANK.get(type_url, len(_ORDER)), type_url


def short_name(type_url: str) -> str:
    """Return the message's own name, for people: `Cluster` for `type.googleapis.com/envoy...v3.Cluster`."""
    return type_url.rpartition(".")[2] or type_url
