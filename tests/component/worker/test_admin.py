"""What an Envoy's admin interface may say to a worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from microstax.worker import admin


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Give the address of an admin interface that answers for ever at /endless, and 100 bytes at /short."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(100_000))

    async def short(_: web.Request) -> web.Response:
        return web.Response(body=bytes(100))

    application = web.Application()
    application.add_routes([web.get("/endless", endless), web.get("/short", short)])
    runner = web.AppRunner(application, shutdown_timeout=0.05)
    await runner.setup()
    path = tmp_path / "admin.sock"
    await web.UnixSite(runner, str(path)).start()
    yield f"unix:{path}"
    await runner.cleanup()


async def test_an_answer_without_end_is_given_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MAX_ANSWER_BYTES", 1024 * 1024)
    with pytest.raises(admin.AdminError, match="answers more than 1 MiB"):
        await admin.get(address, "/endless")


async def test_an_answer_of_just_the_limit_is_read(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MAX_ANSWER_BYTES", 100)
    assert await admin.get(address, "/short") == bytes(100)
    monkeypatch.setattr(admin, "MAX_ANSWER_BYTES", 99)
    with pytest.raises(admin.AdminError, match="answers more than"):
        await admin.get(address, "/short")
