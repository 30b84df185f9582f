"""A bridge: every baseline service that an overlay does not run, for calls that change nothing, and not too many.

What is refused gets 403 with a body that says why and how to allow it; what is over the limits gets 429 (too many a
second) or 503 (too many at a time). All of it is counted, and told to the control plane with what was asked for.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Final

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog
from envoy_data_plane.envoy.config.core.v3 import (
    ApiVersion,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    RuntimeFractionalPercent,
)
from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteMatch, RouteMatchConnectMatcher
from envoy_data_plane.envoy.extensions.access_loggers.grpc.v3 import (
    CommonGrpcAccessLogConfig,
    HttpGrpcAccessLogConfig,
)
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer, BufferPerRoute
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit.v3 import LocalRateLimit
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.v3 import FractionalPercent, TokenBucket

from microstax.envoy import cluster, names, refusals, routes, runtime, tcp
from microstax.envoy import listener as listeners
from microstax.envoy.matching import method_of
from microstax.envoy.resources import BuiltResource, packed
from microstax.model.environment import Address
from microstax.model.overlay import SAFE_METHODS, BridgeLimits
from microstax.model.plan import BridgePlan, BridgeService

IDLE: Final = timedelta(minutes=5)
"""A call on which nothing moves for so long ends: a branch that leaks calls does not hold its places for ever."""
_SECOND: Final = timedelta(seconds=1)
_LOG_BYTES: Final = 16 * 1024
_LOG_EVERY: Final = timedelta(milliseconds=500)
_METHOD: Final = ":method"
MAX_HIDDEN_BODY: Final = 64 * 1024
"""Bytes of a body that a safe request does not tell of; a larger one gets 413."""
_READ: Final = packed(BufferPerRoute(buffer=Buffer(max_request_bytes=MAX_HIDDEN_BODY)))


def resources(plan: BridgePlan) -> Iterator[BuiltResource]:
    """Build everything that a bridge needs, in no particular order."""
    yield runtime.layer(())
    for service in plan.services:
        yield from _tcp(service) if service.tcp else _http(plan, service)


def _http(plan: BridgePlan, service: BridgeService) -> Iterator[BuiltResource]:
    limits = BridgeLimits(max_concurrent=service.max_concurrent, max_rps=service.max_rps)
    yield listener(service.name, service.listen, overlay=plan.overlay, baseline=plan.baseline, limits=limits)
    yield table(
        service.name, tuple(sorted(set(service.allowed_methods))), bodies=service.bodies, max_rps=service.max_rps
    )
    yield from cluster.bridged(service.name, service.upstream, max_requests=service.max_concurrent)


def _tcp(service: BridgeService) -> Iterator[BuiltResource]:
    name = names.bridge_listener(service.name)
    if not service.tcp_allowed:
        yield tcp.listener(name, service.listen, [tcp.refusal()], stat_prefix=names.refused(service.name))
        return
    upstream = names.bridge_tcp_cluster(service.name)
    filters = [tcp.at_most(service.max_rps, stat_prefix=name), tcp.proxy(upstream, idle=True)]
    yield tcp.listener(name, service.listen, filters, clusters=(upstream,))
    yield from cluster.tcp(upstream, service.upstream, max_connections=service.max_concurrent)


@lru_cache(maxsize=1024)
def listener(service: str, address: Address, *, overlay: str, baseline: str, limits: BridgeLimits) -> BuiltResource:
    """Build the listener that a branch calls for one service; which methods may pass stands in its route table."""
    name = names.bridge_listener(service)
    rbac = HttpFilter(name=names.RBAC_FILTER, typed_config=packed(Rbac()))
    # Without a bucket of its own, this one lets everything pass: the route table has it, shared by all routes.
    rate = HttpFilter(name=names.RATE_FILTER, typed_config=packed(LocalRateLimit(stat_prefix=name)))
    # What no header tells of, the second one sees when the body was read: only safe requests are waited for.
    buffer = HttpFilter(
        name=names.BUFFER_FILTER, typed_config=packed(Buffer(max_request_bytes=MAX_HIDDEN_BODY)), disabled=True
    )
    body = HttpFilter(name=names.BODY_FILTER, typed_config=packed(Rbac()))
    manager = listeners.transparent(name, [rbac, buffer, body, rate])
    manager.local_reply_config = refusals.replies(service, overlay=overlay, baseline=baseline, limits=limits)
    manager.stream_idle_timeout = IDLE
    manager.access_log = [_log(service)]
    return listeners.listener(name, manager, address=cluster.socket_address(address))


@lru_cache(maxsize=1024)
def table(service: str, allowed: tuple[str, ...], *, bodies: bool, max_rps: int) -> BuiltResource:
    """Build a service's route table; `allowed` are the unsafe methods that may pass, each counted."""
    shared = {
        names.RBAC_FILTER: packed(refusals.rules(allowed, bodies=bodies)),
        names.RATE_FILTER: packed(_rate(names.bridge_listener(service), max_rps)),
    }
    counted = [*sorted({*SAFE_METHODS, *allowed}), names.OTHER]
    if not bodies:
        shared[names.BODY_FILTER] = packed(refusals.body_rules())
    found = [_route(service, method, read=not bodies and method in SAFE_METHODS) for method in counted]
    tunnel = Route(match=RouteMatch(connect_matcher=RouteMatchConnectMatcher()), route=_onward(service))
    return routes.table(names.bridge_listener(service), [*found, tunnel], shared=shared)


def _route(service: str, method: str, *, read: bool) -> Route:
    """Count what passes by method; of OTHER nothing ever should, and a counter that moves would tell.

    With `read`, a request is read to its end before it is decided on.
    """
    headers = [] if method == names.OTHER else [method_of((method,))]
    return Route(
        match=RouteMatch(prefix="/", headers=headers),
        route=_onward(service),
        stat_prefix=names.passed(method),
        typed_per_filter_config={names.BUFFER_FILTER: _READ} if read else {},
    )


def _onward(service: str) -> RouteAction:
    return RouteAction(cluster=names.bridge_cluster(service), timeout=listeners.NEVER)


def _rate(stat_prefix: str, max_rps: int) -> LocalRateLimit:
    always = RuntimeFractionalPercent(default_value=FractionalPercent(numerator=100))
    return LocalRateLimit(
        stat_prefix=stat_prefix,
        token_bucket=TokenBucket(max_tokens=max_rps, tokens_per_fill=max_rps, fill_interval=_SECOND),
        filter_enabled=always,
        filter_enforced=always,
        rate_limited_as_resource_exhausted=True,
    )


def _log(service: str) -> AccessLog:
    """Tell the control plane what was asked for where it was refused; Envoy drops and counts what it cannot send."""
    common = CommonGrpcAccessLogConfig(
        log_name=names.calls_log(service),
        grpc_service=GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=names.ADS_CLUSTER)),
        transport_api_version=ApiVersion.V3,
        buffer_size_bytes=_LOG_BYTES,
        buffer_flush_interval=_LOG_EVERY,
    )
    config = HttpGrpcAccessLogConfig(common_config=common, additional_request_headers_to_log=[_METHOD])
    return AccessLog(name="envoy.access_loggers.http_grpc", filter=refusals.loggable(), typed_config=packed(config))
