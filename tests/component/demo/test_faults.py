"""A catalog that is started with a fault answers wrongly in that one way, and in no other."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from microstax.demo.planted import Kind
from microstax.demo.shop.backends import Inventory, Pricing
from microstax.demo.shop.catalog import Catalog
from microstax.demo.shop.faults import FAULTS, Fault, UnknownFaultError, planted
from microstax.demo.traffic import calls
from microstax.diff import compare
from microstax.model.difference import Difference, HeaderDifference, StatusDifference
from microstax.model.exchange import Exchange, Request, Response, Side

PATHS = sorted({call.path for call in (next(calls(seed)) for seed in range(400)) if call.service == "catalog"})


@pytest.fixture
async def variables() -> AsyncIterator[dict[str, str]]:
    """Start pricing and inventory; return the variables that say where they are."""
    found, servers = {}, []
    for kind in (Pricing, Inventory):
        server = TestServer(kind({}).application())
        await server.start_server()
        servers.append(server)
        found |= {f"{kind.name.upper()}_SERVICE_HOST": str(server.host)}
        found |= {f"{kind.name.upper()}_SERVICE_PORT": str(server.port)}
    yield found
    for server in servers:
        await server.close()


def application(variables: dict[str, str], fault: str) -> web.Application:
    made = Catalog(variables).application()
    if fault:
        made.middlewares.append(planted(fault))
    return made


async def answers(variables: dict[str, str], fault: str, paths: list[str]) -> list[Exchange]:
    async with TestClient(TestServer(application(variables, fault))) as client:
        return [await _answer(client, path) for path in paths]


async def _answer(client: Any, path: str) -> Exchange:
    response = await client.get(path)
    headers = tuple((name.lower(), value) for name, value in response.headers.items())
    answer = Response(status=response.status, headers=headers, body=await response.read())
    request = Request(method="GET", path=path, authority="shop", headers=())
    return Exchange(id="", side=Side.BRANCH, service="catalog", overlay=None, request=request, response=answer)


def place_of(difference: Difference) -> str:
    if isinstance(difference, StatusDifference):
        return f"{difference.baseline} -> {difference.branch}"
    return difference.name if isinstance(difference, HeaderDifference) else getattr(difference, "path", "$")


NOISE = {"$.servedAt", "$.answerId", "$.served", "$.online", "x-instance"}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_shows_at_its_place_and_nowhere_else(variables: dict[str, str], name: str) -> None:
    fault = FAULTS[name]
    paths = random.Random(1).sample(PATHS, 120)
    random.seed(3)
    right = await answers(variables, "", paths)
    random.seed(3)
    wrong = await answers(variables, name, paths)
    found = {
        (place_of(difference))
        for before, after in zip(right, wrong, strict=True)
        for difference in compare(before, after)
    } - NOISE.difference({fault.place})
    assert found == ({fault.place} if fault.kind is not Kind.SLOWER else set())


def test_every_fault_says_what_has_to_be_found() -> None:
    assert len(FAULTS) >= 20
    assert all(isinstance(fault, Fault) and fault.finding.endpoint.startswith("GET /") for fault in FAULTS.values())


def test_an_unknown_fault_is_refused_with_the_names_of_those_that_there_are() -> None:
    with pytest.raises(UnknownFaultError, match="member-missing"):
        planted("nothing")
