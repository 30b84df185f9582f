"""Two servers, a tee between them and a client, and short ways to say what the servers answer."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from microstax.model.environment import Address


@pytest.fixture
def folder() -> AsyncIterator[Path]:
    """Return a folder whose path is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="msx-capture-"))
    yield made
    shutil.rmtree(made)


class Servers:
    """Starts aiohttp applications on loopback."""

    def __init__(self) -> None:
        self._runners: list[web.AppRunner] = []

    async def start(self, handler: object) -> Address:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._runners.append(runner)
        return Address("127.0.0.1", runner.addresses[0][1])

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    started = Servers()
    yield started
    await started.stop()
