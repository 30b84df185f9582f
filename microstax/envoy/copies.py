"""The way of a copy: an internal listener a service, whose routes lead to the branches.

The listener does not depend on who mirrors, so that switching a shadow changes clusters and routes only: an update of a
listener would detach a client of the admin tap without a word.
"""

from datetime import timedelta
from functools import lru_cache
from typing import Final

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, Route, RouteAction, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer, BufferPerRoute
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter

from microstax.envoy import listener as listeners
from microstax.envoy import mutation, names, routes
from microstax.envoy.cluster import COPY_BUFFER, MAX_BODY
from microstax.envoy.matching import equals, lacks
from microstax.envoy.resources import BuiltResource, packed
from microstax.model.plan import Mirror

_UPLOAD: Final = timedelta(seconds=60)
"""How long a copy may wait for the rest of its request: a client that uploads slowly holds a place among the copies."""


@lru_cache(maxsize=1024)
def listener(service: str) -> BuiltResource:
    """Build the internal listener: tap, then route to the branch; marks the answers that Envoy gives in its place."""
    name = names.copies_listener(service)
    buffer = HttpFilter(
        name=names.BUFFER_FILTER, typed_config=packed(Buffer(max_request_bytes=MAX_BODY)), disabled=True
    )
    keep = HttpFilter(name=names.KEEP_FILTER, typed_config=packed(mutation.keep()))
    tell = HttpFilter(name=names.COPY_FILTER, typed_config=packed(mutation.tell()))
    # Answers pass from the last filter to the first: `tell` stands behind the tap.
    manager = listeners.transparent(name, [keep, listeners.tap(disabled=False, connection=False), tell, buffer])
    manager.early_header_mutation_extensions = []  # the copy's own headers are our own here
    manager.max_request_headers_kb = listeners.COPY_HEADERS_KB
    manager.request_timeout = _UPLOAD
    manager.local_reply_config = listeners.marking()
    return listeners.listener(name, manager, buffer=COPY_BUFFER)


@lru_cache(maxsize=1024)
def table(service: str, mirrors: tuple[Mirror, ...]) -> BuiltResource:
    """Build the internal listener's route table; only overlay, side, limit and timeout of `mirrors` matter."""
    found: list[Route] = []
    for mirror in sorted(mirrors, key=lambda mirror: (mirror.overlay, mirror.side)):
        found += _mirror(service, mirror)
    return routes.table(names.copies_listener(service), found)


def _mirror(service: str, mirror: Mirror) -> list[Route]:
    """Lead a copy on in its own protocol.

    HTTP/2 without a length is held until it is complete, and dropped above the limit: streamed on, a branch that does
    not read would hold back the client.
    """
    place = equals(names.SIDE_HEADER, names.side_value(service, mirror.side, mirror.overlay))
    http2 = equals(names.PROTOCOL_HEADER, "HTTP/2")
    unsized = _route(service, mirror, [place, http2, lacks("content-length")], protocol=names.H2)
    held = BufferPerRoute(buffer=Buffer(max_request_bytes=max(1, mirror.max_body_bytes)))
    unsized.typed_per_filter_config = {
        names.BUFFER_FILTER: packed(held),
        names.STRIP_FILTER: packed(mutation.without_length()),
    }
    return [
        unsized,
        _route(service, mirror, [place, http2], protocol=names.H2),
        _route(service, mirror, [place], protocol=names.H1),
    ]


def _route(service: str, mirror: Mirror, headers: list[HeaderMatcher], *, protocol: str) -> Route:
    cluster = names.branch_cluster(service, mirror.side, mirror.overlay, protocol=protocol)
    return Route(
        match=RouteMatch(prefix="/", headers=headers),
        route=RouteAction(cluster=cluster, timeout=timedelta(milliseconds=mirror.timeout_ms)),
    )
