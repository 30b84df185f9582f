"""What every service of the shop has: routes, health, a count of what it received, neighbours found by environment.

A service listens on 127.0.0.1 at $PORT and finds another one by the variables that Kubernetes would give it, so the
same code runs as a local process and in a pod.
"""

import logging
import os
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from aiohttp import ClientSession, ClientTimeout, web

from microstax.model.names import service_variable

HEALTH_PATH: Final = "/healthz"
RECEIVED_PATH: Final = "/__received"
PASSED_ON: Final = ("x-msx-env", "x-request-id")
"""Headers that a service hands on to the services it calls, as it would hand on those of its tracing."""

_OWN_PATHS: Final = (HEALTH_PATH, RECEIVED_PATH)
_log = logging.getLogger("shop")


class MissingNeighbourError(Exception):
    """The variables that say where another service is are not set."""


class Neighbour:
    """Another service of the shop, seen from one that calls it."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        prefix = service_variable(name)
        host, port = environ.get(f"{prefix}_SERVICE_HOST"), environ.get(f"{prefix}_SERVICE_PORT")
        if not host or not port:
            raise MissingNeighbourError(f"{prefix}_SERVICE_HOST and {prefix}_SERVICE_PORT must say where {name} is")
        self._base = f"http://{host}:{port}"
        self._session: ClientSession | None = None

    async def call(
        self, request: web.Request, method: str, path: str, *, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Call the neighbour on behalf of `request`; return the status and the JSON body (None if it is not JSON)."""
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        session = self._opened()
        async with session.request(method, self._base + path, json=body, headers=headers) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else None

    async def get(self, request: web.Request, path: str) -> Any:
        """GET a path that must answer 200; anything else becomes this service's 502 (a 404 stays one)."""
        status, body = await self.call(request, "GET", path)
        if status == web.HTTPNotFound.status_code:
            raise web.HTTPNotFound(reason="no such product")
        if status != web.HTTPOk.status_code:
            raise web.HTTPBadGateway(reason=f"{self._base} answered {status}")
        return body

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=10))
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class Service(ABC):
    """One service: subclasses give its name, the services it calls, and its routes."""

    name: ClassVar[str]
    calls: ClassVar[tuple[str, ...]] = ()

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        variables = os.environ if environ is None else environ
        self.neighbours = {name: Neighbour(name, variables) for name in self.calls}
        self.instance = f"{self.name}-{uuid.uuid4().hex[:8]}"
        self.received: Counter[str] = Counter()

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return what the service answers."""

    def application(self) -> web.Application:
        """Return the service as an aiohttp application."""
        app = web.Application(middlewares=[self._around])
        app.add_routes([web.get(HEALTH_PATH, _healthy), web.get(RECEIVED_PATH, self._tell_received), *self.routes()])
        app.cleanup_ctx.append(self._neighbours_open)
        return app

    async def _neighbours_open(self, _app: web.Application) -> AsyncIterator[None]:
        yield
        for neighbour in self.neighbours.values():
            await neighbour.close()

    @web.middleware
    async def _around(self, request: web.Request, handler: Any) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if request.path not in _OWN_PATHS:
            self.received[f"{request.method} {resource.canonical if resource else request.path}"] += 1
        response = await self._answer(request, handler)
        response.headers["x-instance"] = self.instance
        return response

    async def _answer(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            return web.json_response({"error": error.reason}, status=error.status)
        except Exception as error:  # noqa: BLE001  # what a web framework does: one bad request is one 500
            _log.error("%s %s failed: %r", request.method, request.path_qs, error)  # one line is enough
            return web.json_response({"error": "internal error"}, status=500)
        return response

    async def _tell_received(self, _request: web.Request) -> web.Response:
        return web.json_response(dict(sorted(self.received.items())))


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def stamp() -> dict[str, str]:
    """Return what is different in every answer and means nothing: honest noise."""
    return {"servedAt": datetime.now(UTC).isoformat(timespec="milliseconds"), "answerId": str(uuid.uuid4())}


def number(request: web.Request, name: str, default: int) -> int:
    """Return a whole number from the query; anything else is the caller's mistake (400)."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1000):  # noqa: PLR2004  # no page is that far
        raise web.HTTPBadRequest(reason=f"{name} must be a number from 1 to 999")
    return int(text)
