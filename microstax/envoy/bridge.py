"""A bridge: every baseline service that an overlay does not run, for calls that change nothing.

What is refused gets 403 with a body that says why and how to allow it, and is counted by method.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import RuntimeUInt32, SubstitutionFormatString
from envoy_data_plane.envoy.config.rbac.v3 import (
    Permission,
    PermissionSet,
    Policy,
    Principal,
    RbacAction,
)
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteMatch, RouteMatchConnectMatcher
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac, RbacPerRoute
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpFilter,
    LocalReplyConfig,
    ResponseMapper,
)
from envoy_data_plane.google.protobuf import Struct

from microstax.envoy import cluster, names, routes, runtime
from microstax.envoy import listener as listeners
from microstax.envoy.matching import has, method_of
from microstax.envoy.resources import BuiltResource, packed
from microstax.model.environment import Address
from microstax.model.overlay import SAFE_METHODS
from microstax.model.plan import BridgePlan

_FORBIDDEN: Final = 403
_ANYBODY: Final = Principal(any=True)


def resources(plan: BridgePlan) -> Iterator[BuiltResource]:
    """Build everything that a bridge needs, in no particular order."""
    yield runtime.layer(())
    for service in plan.services:
        yield listener(service.name, service.listen, overlay=plan.overlay, baseline=plan.baseline)
        yield table(service.name, tuple(sorted(set(service.allowed_methods))))
        yield from cluster.bridged(service.name, service.upstream, max_requests=plan.max_requests)


@lru_cache(maxsize=1024)
def listener(service: str, address: Address, *, overlay: str, baseline: str) -> BuiltResource:
    """Build the listener that a branch calls for one service; which methods may pass stands in its route table."""
    name = names.bridge_listener(service)
    rbac = HttpFilter(name=names.RBAC_FILTER, typed_config=packed(Rbac()))
    manager = listeners.transparent(name, [rbac])
    manager.local_reply_config = _explained(service, overlay=overlay, baseline=baseline)
    return listeners.listener(name, manager, address=cluster.socket_address(address))


@lru_cache(maxsize=1024)
def table(service: str, allowed: tuple[str, ...]) -> BuiltResource:
    """Build a service's route table; `allowed` are the unsafe methods that may pass."""
    guard = {names.RBAC_FILTER: packed(RbacPerRoute(rbac=_guard(allowed)))}
    everything = RouteMatch(prefix="/"), RouteMatch(connect_matcher=RouteMatchConnectMatcher())
    found = [
        Route(
            match=match,
            route=RouteAction(cluster=names.bridge_cluster(service), timeout=listeners.NEVER),
            typed_per_filter_config=guard,
        )
        for match in everything
    ]
    return routes.table(names.bridge_listener(service), found)


def _guard(allowed: tuple[str, ...]) -> Rbac:
    """Deny by policies that exclude each other, each with a counter: upgrades, counted methods, every other method."""
    counted = [method for method in routes.COUNTED_METHODS if method not in allowed]
    passing = tuple(sorted({*SAFE_METHODS, *allowed, *routes.COUNTED_METHODS}))
    rest = Permission(not_rule=Permission(header=method_of(passing)))
    denied = {method: Permission(header=method_of((method,))) for method in counted}
    denied[names.OTHER] = rest
    asks = Permission(header=has("upgrade"))
    plain = Permission(not_rule=asks)
    policies = {
        method: Policy(
            permissions=[Permission(and_rules=PermissionSet(rules=[permission, plain]))], principals=[_ANYBODY]
        )
        for method, permission in denied.items()
    }
    policies[names.UPGRADE] = Policy(permissions=[asks], principals=[_ANYBODY])
    rules = Rules(action=RbacAction.DENY, policies=dict(sorted(policies.items())))
    return Rbac(rules=rules, track_per_rule_stats=True)


def _explained(service: str, *, overlay: str, baseline: str) -> LocalReplyConfig:
    """Give Envoy's own 403 a body for people; the baseline's own 403s pass as they are."""
    refused = AccessLogFilter(
        status_code_filter=StatusCodeFilter(
            comparison=ComparisonFilter(
                op=ComparisonFilterOp.EQ,
                value=RuntimeUInt32(default_value=_FORBIDDEN, runtime_key="microstax.bridge.refused_status"),
            )
        )
    )
    body = {
        "error": f"The overlay {overlay} may not send %REQ(:METHOD)% to {service} of the baseline {baseline}: it could "
        "change what production sees.",
        "service": service,
        "method": "%REQ(:METHOD)%",
        "allow": f"To let it pass, write into the overlay's patch.yaml: bridge: {{allow: [{{service: {service}, "
        "methods: [%REQ(:METHOD)%]}]}",
    }
    told = SubstitutionFormatString(json_format=Struct.from_dict(body), content_type="application/json")
    return LocalReplyConfig(mappers=[ResponseMapper(filter=refused, body_format_override=told)])
