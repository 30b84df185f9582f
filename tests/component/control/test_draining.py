"""Before a shadow's clusters go, the copies under way come to their end, if that is soon."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from microstax.control.draining import MOST_S, drain_of

NODE, ACTIVE = "tee~prod", "cluster.copy/catalog/branch/branch.upstream_rq_active"


class Admin:
    """An Envoy's admin interface, of which each answer is the next of `active`, the last again and again."""

    def __init__(self) -> None:
        self.active: list[int] = [0]
        self.broken = False
        self.asked = 0

    async def answer(self, _: web.Request) -> web.Response:
        active = self.active[min(self.asked, len(self.active) - 1)]
        self.asked += 1
        if self.broken:
            return web.Response(text="no such thing")
        stats = [
            {"name": ACTIVE, "value": active},
            {"name": ACTIVE.replace("branch/branch", "branch/other"), "value": 9},
        ]
        return web.Response(text=json.dumps({"stats": stats}))


@pytest.fixture
async def admin(tmp_path: Path, answering: Any) -> AsyncIterator[Admin]:
    admin = Admin()
    async with answering(tmp_path, NODE, admin.answer):
        yield admin


async def test_it_waits_for_the_copies_of_the_overlay_and_no_others(admin: Admin, tmp_path: Path) -> None:
    admin.active = [2, 0, 1, 1, 0]
    await drain_of(tmp_path)(NODE, "branch")
    assert admin.asked == 6  # twice in a row nothing was under way


async def test_a_branch_that_hangs_holds_nobody_up_for_long(admin: Admin, tmp_path: Path) -> None:
    admin.active = [3]
    begun = time.monotonic()
    await drain_of(tmp_path)(NODE, "branch")
    assert admin.asked > 1
    assert time.monotonic() - begun >= MOST_S


async def test_an_envoy_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        await drain_of(tmp_path)(NODE, "branch")


async def test_an_envoy_that_answers_nonsense_is_not_waited_for(admin: Admin, tmp_path: Path) -> None:
    admin.broken = True
    async with asyncio.timeout(20):
        await drain_of(tmp_path)(NODE, "branch")
    assert admin.asked == 1
