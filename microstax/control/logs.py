"""`microstax env logs`: what the processes of an environment or overlay print."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from microstax.blueprint.place import nearest
from microstax.control import layout
from microstax.control.plane import Plane
from microstax.control.tasks import spawn
from microstax.errors import NotFoundError, RefusedError
from microstax.generated.management.microstax.management.v1 import LogChunk, StreamLogsRequest
from microstax.model.environment import ServiceSpec
from microstax.runtime import logs
from microstax.runtime.port import ProcessKey

_ALL_LINES: Final = 1_000_000
_QUEUED: Final = 64
"""Chunks that wait for a slow reader; then the files are read no further until it has caught up."""


class Logs:
    """Reads logs. A process is named by its service; `catalog.control` and `tee.envoy` name those that we add."""

    def __init__(self, plane: Plane) -> None:
        self._plane: Final = plane

    async def stream(self, request: StreamLogsRequest) -> AsyncIterator[LogChunk]:
        """Yield the last lines of each process, then (with `follow`) what is written, until the caller goes."""
        keys = self._keys(request.name, request.service)
        lines = request.tail_lines or _ALL_LINES
        paths = {_name(key): self._plane.fleet.runtime.log_path(key) for key in keys}
        if not request.follow:
            for name, path in paths.items():
                yield LogChunk(service=name, data=await asyncio.to_thread(logs.tail, path, lines=lines))
            return
        queue: asyncio.Queue[LogChunk] = asyncio.Queue(_QUEUED)

        async def follow(name: str) -> None:
            async for data in logs.follow(paths[name], lines=lines):
                await queue.put(LogChunk(service=name, data=data))

        followers = [spawn(follow(name), name=f"log of {name}") for name in paths]
        try:
            while True:
                yield await queue.get()
        finally:
            for follower in followers:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)

    def _keys(self, name: str, service: str) -> list[ProcessKey]:
        specs = self._services(name)
        if not service:
            started = [layout.service_key(name, spec.name) for spec in specs if spec.command]
            if not started:
                raise RefusedError(f"All services of {name} run at a url; microstax started none, so there is no log.")
            return started
        known = {_name(key): key for key in self._plane.fleet.runtime.statuses(name)}
        known |= {spec.name: layout.service_key(name, spec.name) for spec in specs}
        if service not in known:
            hint = nearest(service, known) or f": it has {', '.join(sorted(known))}."
            raise NotFoundError(f"{name} has no service {service!r}{hint}")
        url = next((spec.url for spec in specs if spec.name == service), None)
        if url:
            raise RefusedError(f"{service} runs at {url}; microstax did not start it, so its log is not here.")
        return [known[service]]

    def _services(self, name: str) -> tuple[ServiceSpec, ...]:
        state = self._plane.state
        if name in state.environments:
            return state.environments[name].spec.services
        if name in state.overlays:
            return state.overlays[name].spec.services
        raise NotFoundError(f"There is no environment or overlay {name!r}: see 'microstax env list'.")


def _name(key: ProcessKey) -> str:
    return str(key).partition("/")[2]
