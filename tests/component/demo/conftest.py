"""The shop in this process: real servers on port 0 that find each other as they do anywhere."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from microstax.demo.shop.backends import Inventory, Orders, Pricing, Reviews
from microstax.demo.shop.catalog import Catalog
from microstax.demo.shop.catalog_v2 import CatalogV2
from microstax.demo.shop.service import Service
from microstax.demo.shop.storefront import Storefront

START_ORDER: Iterable[type[Service]] = (Pricing, Inventory, Reviews, Orders, Catalog, Storefront)


class Shop:
    """Where each service of the shop is, `catalog-v2` and `catalog-control` among them."""

    def __init__(self) -> None:
        self.urls: dict[str, str] = {}
        self.environ: dict[str, str] = {}

    async def start(self, stack: AsyncExitStack, kind: type[Service], name: str) -> None:
        server = TestServer(kind(self.environ).application(), host="127.0.0.1")
        await server.start_server()
        stack.push_async_callback(server.close)
        self.urls[name] = f"http://127.0.0.1:{server.port}"
        self.environ[f"{name.upper().replace('-', '_')}_SERVICE_HOST"] = "127.0.0.1"
        self.environ[f"{name.upper().replace('-', '_')}_SERVICE_PORT"] = str(server.port)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack:
        made = Shop()
        for kind in START_ORDER:
            await made.start(stack, kind, kind.name)
        await made.start(stack, Catalog, "catalog-control")
        await made.start(stack, CatalogV2, "catalog-v2")
        yield made


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session
