"""A tee: every baseline service behind a listener of its own, with copies to whoever shadows it."""

from collections.abc import Iterator
from functools import lru_cache

from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManagerUpgradeConfig,
    HttpFilter,
)

from microstax.envoy import cluster, copies, mutation, names, routes, runtime, tcp
from microstax.envoy import listener as listeners
from microstax.envoy.resources import BuiltResource, packed
from microstax.model.environment import Address
from microstax.model.plan import Mirror, TeePlan, TeeService


def resources(plan: TeePlan) -> Iterator[BuiltResource]:
    """Build everything that a tee needs, in no particular order."""
    yield runtime.layer(plan.services, until_ms=plan.mirrors_until_ms)
    for service in plan.services:
        if service.tcp:
            yield from _tcp(service)
            continue
        yield listener(service.name, service.listen)
        yield copies.listener(service.name)
        yield routes.tee_routes(service.name, routes.unshared(service), service.previews, plan.environment_header)
        yield copies.table(service.name, _timed(service))
        yield from _clusters(service)


@lru_cache(maxsize=1024)
def listener(service: str, address: Address) -> BuiltResource:
    """Build the listener that a service's users call. It is the same whoever shadows the service."""
    name = names.tee_listener(service)
    opening = HttpFilter(name=names.EXCHANGE_FILTER, typed_config=packed(mutation.opening()), disabled=True)
    closing = HttpFilter(name=names.UNTIL_FILTER, typed_config=packed(mutation.closing()), disabled=True)
    manager = listeners.transparent(name, [opening, listeners.tap(disabled=True, connection=True), closing])
    manager.upgrade_configs = [HttpConnectionManagerUpgradeConfig(upgrade_type="websocket")]
    return listeners.listener(name, manager, address=cluster.socket_address(address))


def _tcp(service: TeeService) -> Iterator[BuiltResource]:
    """Yield what passes the connections of a TCP service on as they are."""
    name = names.baseline_cluster(service.name)
    yield tcp.listener(
        names.tee_listener(service.name), service.listen, [tcp.proxy(name, idle=False)], clusters=(name,)
    )
    yield from cluster.tcp(name, service.upstream)


def _timed(service: TeeService) -> tuple[Mirror, ...]:
    """Return the mirrors with what the internal listener's routes do not hold left out."""
    return tuple(
        Mirror(
            overlay=mirror.overlay,
            side=mirror.side,
            address=service.upstream,
            ppm=0,
            methods=(),
            max_body_bytes=mirror.max_body_bytes,
            timeout_ms=mirror.timeout_ms,
        )
        for mirror in service.mirrors
    )


def _clusters(service: TeeService) -> Iterator[BuiltResource]:
    yield from cluster.baseline(names.baseline_cluster(service.name), service.upstream)
    for preview in service.previews:
        yield from cluster.baseline(names.preview_cluster(service.name, preview.overlay), preview.address)
    for mirror in service.mirrors:
        yield cluster.copies(service.name, mirror.side, mirror.overlay)
        for protocol in (names.H1, names.H2):
            name = names.branch_cluster(service.name, mirror.side, mirror.overlay, protocol=protocol)
            yield from cluster.branch(
                name,
                mirror.address,
                protocol=protocol,
                strip_headers=mirror.strip_headers,
                max_body=mirror.max_body_bytes,
            )
