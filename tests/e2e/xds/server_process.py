"""A control plane as a process of its own, so that it can be killed: serves the resources of a pickled list.

Reads commands on standard input: `load FILE` sets the node's resources, `totals` prints what has been said by type.
"""

import asyncio
import json
import pickle
import sys
from dataclasses import asdict
from pathlib import Path

import grpc

from microstax.xds import Resource, Snapshot, XdsServer


def load(path: Path) -> Snapshot:
    """Read the resources that the test has written."""
    rows = pickle.loads(path.read_bytes())  # noqa: S301 (the test's own file)
    return Snapshot.of(Resource(name, kind, body, frozenset(references)) for name, kind, body, references in rows)


async def main(socket: str, resources: str) -> None:
    """Serve until killed."""
    xds = XdsServer()
    server = grpc.aio.server(options=xds.options.grpc_options())
    xds.add_to(server)
    server.add_insecure_port(f"unix:{socket}")
    xds.set_snapshot("edge", load(Path(resources)))
    await server.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *rest = line.split()
        if command == "load":
            xds.set_snapshot("edge", load(Path(rest[0])))
        print(json.dumps({kind: asdict(total) for kind, total in xds.totals().items()}), flush=True)


asyncio.run(main(*sys.argv[1:]))
