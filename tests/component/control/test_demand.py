"""How busy services are is known before anything is mirrored, and a shadow begins within its budget."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from microstax.control.demand import demand_of
from microstax.model.shadow import MILLION

NODE = "tee~prod"


class Admin:
    """An Envoy's admin interface; between two answers so many requests have come in, by service."""

    def __init__(self) -> None:
        self.grows: dict[str, int] = {}
        self.answers = 0
        self.breaks_after = 100

    async def answer(self, _: web.Request) -> web.Response:
        if self.answers >= self.breaks_after:
            return web.Response(text="no such thing")
        stats = [
            {"name": f"http.tee/{service}.downstream_rq_total", "value": 1_000 + n * self.answers}
            for service, n in self.grows.items()
        ]
        self.answers += 1
        return web.Response(text=json.dumps({"stats": [{"name": "server.uptime", "value": 5}, *stats]}))


@pytest.fixture
async def admin(tmp_path: Path, answering: Any) -> AsyncIterator[Admin]:
    admin = Admin()
    async with answering(tmp_path, NODE, admin.answer):
        yield admin


async def test_requests_a_second_by_service(admin: Admin, tmp_path: Path) -> None:
    admin.grows = {"catalog": 300, "idle": 0}
    found = await demand_of(tmp_path)(NODE)
    assert found["idle"] == 0
    assert 200 < found["catalog"] <= 1_000  # in 0.3 s, or more where this machine is slow


async def test_nothing_is_known_of_an_envoy_that_does_not_answer(tmp_path: Path) -> None:
    assert await demand_of(tmp_path)(NODE) == {}


@pytest.mark.parametrize("answers", [0, 1])
async def test_nor_of_one_that_answers_nonsense(admin: Admin, tmp_path: Path, answers: int) -> None:
    admin.grows, admin.breaks_after = {"catalog": 300}, answers
    assert await demand_of(tmp_path)(NODE) == {}


async def share(stage: Any) -> int:
    """Return the share of what a shadow mirrors of catalog, in parts per million."""
    shadow = (await stage.store.open()).shadows["branch"]
    return int(shadow.in_force.get("catalog", shadow.settings.sample_ppm))


async def test_a_busy_service_begins_with_what_its_budget_allows(stage: Any, admin: Admin) -> None:
    await stage.baseline()
    await stage.overlay()
    admin.grows = {"catalog": 30_000, "other": 1_000_000}
    lines = await stage.shadow(max_rps=100)
    assert 0 < await share(stage) < MILLION // 10
    assert any("catalog takes" in one.message and "begins with" in one.message for one in lines), lines


async def test_others_begin_with_what_was_asked_for(stage: Any, admin: Admin) -> None:
    await stage.baseline()
    await stage.overlay()
    admin.grows = {"catalog": 20}
    await stage.shadow(max_rps=1_000)
    assert await share(stage) == MILLION


async def test_a_shadow_that_is_on_keeps_its_share(stage: Any, admin: Admin) -> None:
    await stage.baseline()
    await stage.overlay()
    await stage.shadow(max_rps=100)
    admin.grows = {"catalog": 30_000}
    answered = admin.answers
    await stage.shadow(max_rps=90)
    assert (await share(stage), admin.answers) == (MILLION, answered)
