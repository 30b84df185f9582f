"""Clusters and their endpoints."""

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
    ClusterEdsClusterConfig,
)
from envoy_data_plane.envoy.config.core.v3 import Address as EnvoyAddress
from envoy_data_plane.envoy.config.core.v3 import (
    EnvoyInternalAddress,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    RoutingPriority,
    SocketAddress,
)
from envoy_data_plane.envoy.config.core.v3 import HttpProtocolOptions as CommonOptions
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.extensions.filters.http.upstream_codec.v3 import UpstreamCodec
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
    HttpProtocolOptionsUseDownstreamHttpConfig,
)

from microstax.envoy import mutation, names
from microstax.envoy.listener import ADS, http1_options
from microstax.envoy.resources import CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, BuiltResource, packed
from microstax.model.environment import Address
from microstax.model.exchange import Side

MAX_BODY: Final = 1024 * 1024
"""The largest body, in bytes, that a copy may have (Mirror.max_body_bytes)."""

COPY_BUFFER: Final = 2 * MAX_BODY
"""Bytes that each hop of a copy can hold: above MAX_BODY, so that a branch that never reads holds back no client."""

_LEAST_BUFFER: Final = 256 * 1024

MAX_COPIES: Final = 256
"""Copies of one mirror that may be under way; more are dropped and counted, so that a hung branch is harmless."""

UNLIMITED: Final = 2**32 - 1
MAX_HEADERS: Final = 1000
_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECT_TIMEOUT: Final = timedelta(seconds=60)
_BRANCH_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
_IDLE: Final = timedelta(milliseconds=1500)
"""Application servers close idle connections after two seconds or more. Be first: a request that meets their end is
lost, and answered with 503."""
ANSWER_HEADERS_KB: Final = 1024
"""What an answer's headers may have: Envoy's own limit of 60 KiB would turn an answer that clients take into a 502."""
STREAMS: Final = 100
"""How many HTTP/2 requests go over one connection. Without it, those that come before a server has said what it takes
(SETTINGS) may be too many, and the server refuses the rest: clients with connections of their own would get an answer,
and get 503. 100 is what servers should take at least (RFC 9113, 6.5.2)."""
_UPSTREAM_CODEC: Final = HttpFilter(name="envoy.filters.http.upstream_codec", typed_config=packed(UpstreamCodec()))


def _limits(*, connections: int, requests: int, pending: int) -> CircuitBreakers:
    thresholds = [
        CircuitBreakersThresholds(
            priority=priority, max_connections=connections, max_pending_requests=pending, max_requests=requests
        )
        for priority in (RoutingPriority.DEFAULT, RoutingPriority.HIGH)
    ]
    return CircuitBreakers(thresholds=thresholds)


def _options(protocol: str | None, filters: Sequence[HttpFilter]) -> HttpProtocolOptions:
    """Speak `protocol` (H1 or H2), or (None) the one that the client speaks."""
    options = HttpProtocolOptions(
        common_http_protocol_options=CommonOptions(
            idle_timeout=_IDLE,
            max_headers_count=MAX_HEADERS,
            max_response_headers_kb=ANSWER_HEADERS_KB if protocol is None else None,
        ),
        http_filters=[*filters, _UPSTREAM_CODEC],
    )
    if protocol is None:
        options.use_downstream_protocol_config = HttpProtocolOptionsUseDownstreamHttpConfig(
            http_protocol_options=http1_options(),
            http2_protocol_options=Http2ProtocolOptions(max_concurrent_streams=STREAMS),
        )
    elif protocol == names.H1:
        # The letters of header names are lost on the way here (HTTP/2), and nobody reads those of the answer.
        plain = Http1ProtocolOptions(enable_trailers=True)
        options.explicit_http_config = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=plain)
    else:
        options.explicit_http_config = HttpProtocolOptionsExplicitHttpConfig(
            http2_protocol_options=Http2ProtocolOptions()
        )
    return options


def socket_address(address: Address) -> EnvoyAddress:
    """Say a TCP address in Envoy's words."""
    return EnvoyAddress(socket_address=SocketAddress(address=address.host, port_value=address.port))


def _assignment(name: str, address: EnvoyAddress) -> ClusterLoadAssignment:
    endpoints = LocalityLbEndpoints(lb_endpoints=[LbEndpoint(endpoint=Endpoint(address=address))])
    return ClusterLoadAssignment(cluster_name=name, endpoints=[endpoints])


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _placed(cluster: Cluster, address: Address) -> tuple[BuiltResource, ...]:
    """Give a cluster its endpoint: by EDS, so that a new port keeps the cluster; by DNS for a host name."""
    if _is_ip(address.host):
        cluster.type = ClusterDiscoveryType.EDS
        cluster.eds_cluster_config = ClusterEdsClusterConfig(eds_config=ADS)
        assignment = _assignment(cluster.name, socket_address(address))
        endpoints = BuiltResource(type_url=ENDPOINTS_TYPE, name=cluster.name, body=bytes(assignment))
        needs = frozenset({(ENDPOINTS_TYPE, cluster.name)})
        return BuiltResource(type_url=CLUSTER_TYPE, name=cluster.name, body=bytes(cluster), references=needs), endpoints
    cluster.type = ClusterDiscoveryType.STRICT_DNS
    cluster.dns_lookup_family = ClusterDnsLookupFamily.V4_PREFERRED
    cluster.load_assignment = _assignment(cluster.name, socket_address(address))
    return (BuiltResource(type_url=CLUSTER_TYPE, name=cluster.name, body=bytes(cluster)),)


def _strip(*, restore_forwarded_for: bool, lacking: tuple[str, ...] = ()) -> HttpFilter:
    config = mutation.strip(restore_forwarded_for=restore_forwarded_for, lacking=lacking)
    return HttpFilter(name=names.STRIP_FILTER, typed_config=packed(config))


@lru_cache(maxsize=4096)
def baseline(name: str, address: Address) -> tuple[BuiltResource, ...]:
    """Build the cluster of a service's own processes (or of a preview): no limit and no timeout of ours.

    Connecting may take a minute: without a tee the client would wait for the kernel's own timeout.
    """
    cluster = Cluster(
        name=name,
        connect_timeout=_CONNECT_TIMEOUT,
        circuit_breakers=_limits(connections=UNLIMITED, requests=UNLIMITED, pending=UNLIMITED),
        typed_extension_protocol_options={
            _OPTIONS: packed(_options(None, [_strip(restore_forwarded_for=False)])),
        },
    )
    return _placed(cluster, address)


@lru_cache(maxsize=4096)
def branch(
    name: str, address: Address, *, protocol: str, strip_headers: tuple[str, ...] = (), max_body: int = MAX_BODY
) -> tuple[BuiltResource, ...]:
    """Build the cluster of a mirror's destination for copies of one protocol, at most MAX_COPIES at a time.

    A connection holds any body that a copy may have (`max_body` bytes), and not much more: it holds as much of the
    branch's answers, which may be large and come faster than they can be passed on.

    HTTP/1.1 has one request a connection, and as many may wait for one; HTTP/2 has them all on a connection a thread.
    """
    cluster = Cluster(
        name=name,
        connect_timeout=_BRANCH_CONNECT_TIMEOUT,
        per_connection_buffer_limit_bytes=max(2 * max_body, _LEAST_BUFFER),
        circuit_breakers=_limits(connections=MAX_COPIES // 2, requests=MAX_COPIES, pending=MAX_COPIES // 2),
        typed_extension_protocol_options={
            _OPTIONS: packed(_options(protocol, [_strip(restore_forwarded_for=True, lacking=strip_headers)])),
        },
    )
    return _placed(cluster, address)


@lru_cache(maxsize=4096)
def copies(service: str, side: Side, overlay: str) -> BuiltResource:
    """Build the cluster that a mirror policy names: one HTTP/2 hop to the service's internal listener.

    HTTP/2, because with HTTP/1.1 and copies waiting for a connection Envoy aborts at shutdown. Its limit only backs up
    the branch clusters' (there are two, one a protocol): what they refuse is captured with its reason, what this one
    refuses is not.
    """
    name = names.copy_cluster(service, side, overlay)
    listener = names.copies_listener(service)
    place = HttpFilter(
        name=names.SIDE_FILTER, typed_config=packed(mutation.side(names.side_value(service, side, overlay)))
    )
    limit = 4 * MAX_COPIES
    cluster = Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC,
        connect_timeout=_BRANCH_CONNECT_TIMEOUT,
        per_connection_buffer_limit_bytes=COPY_BUFFER,
        circuit_breakers=_limits(connections=limit, requests=limit, pending=limit),
        load_assignment=_assignment(
            name,
            EnvoyAddress(envoy_internal_address=EnvoyInternalAddress(server_listener_name=listener, endpoint_id=name)),
        ),
        typed_extension_protocol_options={_OPTIONS: packed(_options(names.H2, [place]))},
    )
    needs = frozenset({(LISTENER_TYPE, listener)})
    return BuiltResource(type_url=CLUSTER_TYPE, name=name, body=bytes(cluster), references=needs)


@lru_cache(maxsize=1024)
def bridged(service: str, address: Address, *, max_requests: int) -> tuple[BuiltResource, ...]:
    """Build the cluster of a baseline service as an overlay reaches it: at most `max_requests` calls at a time.

    As many may wait for one of the connections: a burst is no reason to refuse calls.
    """
    strip = HttpFilter(name=names.STRIP_FILTER, typed_config=packed(mutation.strip(restore_forwarded_for=False)))
    cluster = Cluster(
        name=names.bridge_cluster(service),
        connect_timeout=_BRANCH_CONNECT_TIMEOUT,
        circuit_breakers=_limits(connections=max_requests, requests=max_requests, pending=max_requests),
        typed_extension_protocol_options={_OPTIONS: packed(_options(None, [strip]))},
    )
    return _placed(cluster, address)


@lru_cache(maxsize=4096)
def tcp(name: str, address: Address, *, max_connections: int = UNLIMITED) -> tuple[BuiltResource, ...]:
    """Build the cluster of a TCP service: each connection of a client's is one to the service."""
    cluster = Cluster(
        name=name,
        connect_timeout=_CONNECT_TIMEOUT if max_connections == UNLIMITED else _BRANCH_CONNECT_TIMEOUT,
        circuit_breakers=_limits(connections=max_connections, requests=UNLIMITED, pending=UNLIMITED),
    )
    return _placed(cluster, address)
