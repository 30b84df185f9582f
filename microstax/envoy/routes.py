"""The route tables of a tee: which requests are mirrored where, and what is counted of the rest.

Requests are told apart by method and body size; those that the same mirrors take form a class. In a class with the
shares p1 <= p2 <= ... <= pn, route k copies to the mirrors k..n and is taken with the fraction pk. Envoy draws one
random number a request and asks every route's fraction with it, so a request that missed route k-1 (number >= p(k-1))
takes route k if the number is below pk: mirror k gets exactly the share pk, and each request is captured on the
baseline and on every side it was copied to, or not at all. The fractions are read from the runtime (RTDS) by a key a
mirror, so turning one re-sends no route, as long as the order of the mirrors by share stays. Where it changes, the new
table and the new shares may arrive in either order: in between a mirror may get another's share, never more than the
largest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from envoy_data_plane.envoy.config.core.v3 import RuntimeFractionalPercent
from envoy_data_plane.envoy.config.route.v3 import (
    FilterConfig,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteActionRequestMirrorPolicy,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType
from envoy_data_plane.google.protobuf import Any

from microstax.envoy import names
from microstax.envoy.listener import NEVER
from microstax.envoy.matching import body_within, equals, has, method_of
from microstax.envoy.resources import CLUSTER_TYPE, ROUTES_TYPE, BuiltResource, packed
from microstax.model.exchange import Side
from microstax.model.plan import Mirror, Preview, TeeService

COUNTED_METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
"""Methods with a counter of their own where they are not mirrored; the rest shares OTHER."""

_ENABLED: Final = packed(FilterConfig(config=Any()))
_PER_MIRRORED: Final = (names.EXCHANGE_FILTER, names.TAP_FILTER, names.UNTIL_FILTER)
_NONE: Final = FractionalPercent(numerator=0, denominator=FractionalPercentDenominatorType.MILLION)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorClass:
    """The requests that the same mirrors take: `methods`, with a body of more than `low` and at most `high` bytes."""

    methods: tuple[str, ...]
    low: int
    high: int
    mirrors: tuple[Mirror, ...]


def ordered(mirrors: Sequence[Mirror]) -> tuple[Mirror, ...]:
    """Sort mirrors by share, the smallest first; equal ones by name."""
    return tuple(sorted(mirrors, key=lambda mirror: (mirror.ppm, mirror.overlay, mirror.side)))


def classes(mirrors: Sequence[Mirror]) -> tuple[MirrorClass, ...]:
    """Tell apart the requests that different mirrors take."""
    return tuple(
        MirrorClass(methods=methods, low=low, high=high, mirrors=chosen)
        for methods, group in _by_methods(ordered(mirrors))
        for low, high in pairwise([-1, *sorted({mirror.max_body_bytes for mirror in group})])
        if (chosen := tuple(mirror for mirror in group if mirror.max_body_bytes >= high))
    )


def _by_methods(mirrors: tuple[Mirror, ...]) -> Iterator[tuple[tuple[str, ...], tuple[Mirror, ...]]]:
    groups: dict[tuple[Mirror, ...], list[str]] = {}
    for method in sorted({method for mirror in mirrors for method in mirror.methods}):
        groups.setdefault(tuple(mirror for mirror in mirrors if method in mirror.methods), []).append(method)
    for group, methods in groups.items():
        yield tuple(methods), group


@lru_cache(maxsize=1024)
def tee_routes(name: str, mirrors: tuple[Mirror, ...], previews: tuple[Preview, ...], header: str) -> BuiltResource:
    """Build a service's route table. The shares in `mirrors` give the order only: pass them through `unshared`."""
    told = names.skipped(names.PREVIEW) if mirrors else ""
    routes = [
        _preview(name, header, preview, counter=told)
        for preview in sorted(previews, key=lambda preview: preview.overlay)
    ]
    if mirrors:
        routes.append(_plain(name, [has("upgrade")], counter=names.skipped(names.UPGRADE)))
        routes += _mirrored(name, mirrors)
        routes += _left_out(name, mirrors)
    routes.append(_plain(name, [], counter=names.skipped_method(names.OTHER) if mirrors else ""))
    return table(names.tee_listener(name), routes)


def unshared(service: TeeService) -> tuple[Mirror, ...]:
    """Return a service's mirrors in their order, without what a route table does not hold: share, address, timeout."""
    return tuple(
        Mirror(
            overlay=mirror.overlay,
            side=mirror.side,
            address=service.upstream,
            ppm=rank,
            methods=tuple(sorted(set(mirror.methods))),
            max_body_bytes=mirror.max_body_bytes,
        )
        for rank, mirror in enumerate(ordered(service.mirrors))
    )


def table(name: str, routes: list[Route], *, shared: Mapping[str, Any] = MappingProxyType({})) -> BuiltResource:
    """Build a route table of one virtual host; `shared` is what all routes say to filters, by the filter's name."""
    host = VirtualHost(name=name, domains=["*"], routes=routes, typed_per_filter_config=dict(shared))
    message = RouteConfiguration(name=name, virtual_hosts=[host])
    clusters = {route.route.cluster for route in routes if route.route and route.route.cluster}
    clusters |= {policy.cluster for route in routes if route.route for policy in route.route.request_mirror_policies}
    needs = frozenset((CLUSTER_TYPE, cluster) for cluster in clusters)
    return BuiltResource(type_url=ROUTES_TYPE, name=name, body=bytes(message), references=needs)


def _preview(service: str, header: str, preview: Preview, *, counter: str) -> Route:
    return Route(
        match=RouteMatch(prefix="/", headers=[equals(header, preview.overlay)]),
        route=RouteAction(cluster=names.preview_cluster(service, preview.overlay), timeout=NEVER),
        stat_prefix=counter,
    )


def _plain(service: str, headers: Sequence[HeaderMatcher], *, counter: str) -> Route:
    return Route(
        match=RouteMatch(prefix="/", headers=list(headers)),
        route=RouteAction(cluster=names.baseline_cluster(service), timeout=NEVER),
        stat_prefix=counter,
    )


def _mirrored(service: str, mirrors: Sequence[Mirror]) -> Iterator[Route]:
    for group in classes(mirrors):
        headers = [method_of(group.methods), *body_within(group.low, group.high)]
        for rank, mirror in enumerate(group.mirrors):
            yield _sampled(service, headers, mirror, group.mirrors[rank:])
        yield _plain(service, headers, counter=names.skipped(names.SAMPLING))


def _sampled(service: str, headers: list[HeaderMatcher], gate: Mirror, targets: Sequence[Mirror]) -> Route:
    """Copy to `targets` with the share of `gate`; until RTDS says what that is, to nobody."""
    policies = [
        RouteActionRequestMirrorPolicy(
            cluster=names.copy_cluster(service, target.side, target.overlay),
            disable_shadow_host_suffix_append=True,
            trace_sampled=False,
        )
        for target in targets
    ]
    fraction = RuntimeFractionalPercent(
        default_value=_NONE, runtime_key=names.fraction_key(service, gate.side, gate.overlay)
    )
    return Route(
        match=RouteMatch(prefix="/", headers=headers, runtime_fraction=fraction),
        route=RouteAction(cluster=names.baseline_cluster(service), timeout=NEVER, request_mirror_policies=policies),
        typed_per_filter_config=dict.fromkeys(_PER_MIRRORED, _ENABLED),
        stat_prefix=names.mirrored({target.overlay for target in targets if target.side is Side.BRANCH}),
    )


def _left_out(service: str, mirrors: Sequence[Mirror]) -> Iterator[Route]:
    """Count what no mirror takes: by size where the method is mirrored, else by method."""
    taken = tuple(sorted({method for mirror in mirrors for method in mirror.methods}))
    yield _plain(service, [method_of(taken)], counter=names.skipped(names.SIZE))
    for method in COUNTED_METHODS:
        if method not in taken:
            yield _plain(service, [equals(":method", method)], counter=names.skipped_method(method))
