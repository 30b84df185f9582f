"""Listeners that take connections as they are: nothing in them is read."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.extensions.filters.network.direct_response.v3 import Config as DirectResponse
from envoy_data_plane.envoy.extensions.filters.network.local_ratelimit.v3 import LocalRateLimit
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy
from envoy_data_plane.envoy.type.v3 import TokenBucket

from microstax.envoy import cluster
from microstax.envoy.listener import NEVER
from microstax.envoy.resources import CLUSTER_TYPE, LISTENER_TYPE, BuiltResource, packed
from microstax.model.environment import Address

_SECOND: Final = timedelta(seconds=1)


def listener(
    name: str, address: Address, filters: Sequence[Filter], *, clusters: Collection[str] = (), stat_prefix: str = ""
) -> BuiltResource:
    """Build a listener of TCP connections; `clusters` are those that the filters name."""
    message = Listener(
        name=name,
        stat_prefix=stat_prefix or name,
        address=cluster.socket_address(address),
        filter_chains=[FilterChain(filters=list(filters))],
    )
    needs = frozenset((CLUSTER_TYPE, one) for one in clusters)
    return BuiltResource(type_url=LISTENER_TYPE, name=name, body=bytes(message), references=needs)


def proxy(cluster_name: str, *, idle: bool) -> Filter:
    """Return what connects a client to a cluster; with `idle` an unused connection ends after an hour."""
    config = TcpProxy(stat_prefix=cluster_name, cluster=cluster_name, idle_timeout=None if idle else NEVER)
    return Filter(name="envoy.filters.network.tcp_proxy", typed_config=packed(config))


def at_most(connections_a_second: int, *, stat_prefix: str) -> Filter:
    """Return what closes new connections at once beyond so many a second."""
    bucket = TokenBucket(max_tokens=connections_a_second, tokens_per_fill=connections_a_second, fill_interval=_SECOND)
    config = LocalRateLimit(stat_prefix=stat_prefix, token_bucket=bucket)
    return Filter(name="envoy.filters.network.local_ratelimit", typed_config=packed(config))


def refusal() -> Filter:
    """Return what closes every connection before a byte is read: also where the server would have spoken first."""
    return Filter(name="envoy.filters.network.direct_response", typed_config=packed(DirectResponse()))
