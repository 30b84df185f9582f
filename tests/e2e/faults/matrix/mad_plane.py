"""A control plane that has gone mad, in the place of the real one: `python -m matrix.mad_plane STATE_FOLDER MADNESS`.

Envoys find it at the real one's socket. `refused_clusters` and `refused_routes` (listeners as well)
serve what no Envoy takes, `no_runtime` serves everything but the runtime layer, `no_name` gives the branch's
clusters a host name that does not resolve. Answers each line on stdin with how many of its resources are
refused, and ends when stdin does.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import grpc.aio
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost

from microstax.api.address import socket_path
from microstax.control import layout, plans
from microstax.control.running import bind_socket, build_resources
from microstax.envoy.cluster import branch
from microstax.envoy.resources import CLUSTER_TYPE, LISTENER_TYPE, ROUTES_TYPE, RUNTIME_TYPE
from microstax.model.environment import Address
from microstax.store.sqlite import DATABASE, SqliteStore
from microstax.xds import Resource, Snapshot, XdsOptions, XdsServer

CLUSTERS: Final = "refused_clusters"
ROUTES: Final = "refused_routes"
NO_RUNTIME: Final = "no_runtime"
NO_NAME: Final = "no_name"

_WRONG: Final[dict[str, Callable[[str], bytes]]] = {
    CLUSTER_TYPE: lambda name: bytes(Cluster(name=name, connect_timeout=timedelta(seconds=-1))),
    LISTENER_TYPE: lambda name: bytes(Listener(name=name)),
    ROUTES_TYPE: lambda name: bytes(RouteConfiguration(name=name, virtual_hosts=[VirtualHost(name=name)])),
}
_MADNESS: Final = {
    CLUSTERS: {CLUSTER_TYPE},
    ROUTES: {LISTENER_TYPE, ROUTES_TYPE},
    NO_RUNTIME: {RUNTIME_TYPE},
    NO_NAME: {CLUSTER_TYPE},
}
"""Which types are wrong; a wrong runtime layer is none at all."""


def _served(one: Resource, wrong: set[str]) -> Resource | None:
    if one.type_url not in wrong:
        return one
    if wrong is _MADNESS[NO_NAME]:
        return _nameless(one) if one.name.startswith("branch/") else one
    make = _WRONG.get(one.type_url)
    return replace(one, body=make(one.name)) if make else None


def _nameless(one: Resource) -> Resource:
    """Return a branch's cluster with a host name that does not resolve."""
    where = Address("no-such-host.invalid", 80)
    (cluster,) = branch(one.name, where, protocol=one.name.rpartition("/")[2])
    return Resource(name=cluster.name, type_url=cluster.type_url, body=cluster.body, references=cluster.references)


async def main(folder: Path, madness: str) -> None:
    """Serve until stdin ends."""
    store = SqliteStore(folder / DATABASE)
    state = await store.open()
    await store.close()
    options = XdsOptions()
    xds = XdsServer(options)
    for node in plans.envoy_nodes(state):
        served = (_served(one, _MADNESS[madness]) for one in build_resources(plans.plan_of(state, node)))
        xds.set_snapshot(node, Snapshot.of([one for one in served if one]))
    server = grpc.aio.server(options=options.grpc_options())
    xds.add_to(server)
    bind_socket(server, socket_path(folder, layout.XDS_SOCKET))
    await server.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"ready": True}), flush=True)
    while await reader.readline():
        refused = [one.type_url for status in xds.status() for one in status.types if one.nack]
        print(json.dumps({"refused": refused}), flush=True)
    await server.stop(0)
    await xds.stop(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
