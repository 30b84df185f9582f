"""The services behind the catalog: pricing, inventory, reviews and orders. What users change lives here, in memory."""

import uuid
from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from aiohttp import web

from microstax.demo.shop.catalog import wanted
from microstax.demo.shop.goods import PRODUCTS, stock_of
from microstax.demo.shop.service import Service, stamp


class Pricing(Service):
    """What things cost."""

    name: ClassVar[str] = "pricing"

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [web.get(r"/prices/{id:\d+}", self.price)]

    async def price(self, request: web.Request) -> web.Response:
        """Tell the price of a product in cents."""
        product = wanted(request)
        return web.json_response({"id": product.id, "cents": product.cents, **stamp()})


class Inventory(Service):
    """How many there are. Holds and reservations change the world: no branch may make one."""

    name: ClassVar[str] = "inventory"

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(environ)
        self.reserved: Counter[int] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.get(r"/stock/{id:\d+}", self.stock),
            web.post(r"/stock/{id:\d+}/holds", self.reserve),
            web.post(r"/stock/{id:\d+}/reservations", self.reserve),
        ]

    async def stock(self, request: web.Request) -> web.Response:
        """Tell how many pieces of a product there are, and how many of them are reserved."""
        product = wanted(request)
        answer = {"id": product.id, "inStock": stock_of(product.id), "reserved": self.reserved[product.id]}
        return web.json_response({**answer, **stamp()})

    async def reserve(self, request: web.Request) -> web.Response:
        """Set one piece aside."""
        product = wanted(request)
        self.reserved[product.id] += 1
        return web.json_response({"id": product.id, "reserved": self.reserved[product.id]}, status=201)


class Reviews(Service):
    """What buyers say."""

    name: ClassVar[str] = "reviews"

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [web.get(r"/products/{id:\d+}/reviews", self.reviews), web.get("/summary", self.summary)]

    async def reviews(self, request: web.Request) -> web.Response:
        """Tell what buyers say about a product."""
        product = wanted(request)
        stars = [(product.id + nth) % 5 + 1 for nth in range(3)]
        return web.json_response({"id": product.id, "stars": stars, **stamp()})

    async def summary(self, _request: web.Request) -> web.Response:
        """Tell how many reviews there are."""
        return web.json_response({"reviews": 3 * len(PRODUCTS), **stamp()})


class Orders(Service):
    """Carts and orders: nearly all of it changes something."""

    name: ClassVar[str] = "orders"
    calls: ClassVar[tuple[str, ...]] = ("inventory",)

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(environ)
        self.orders = 0

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [web.post("/orders", self.order), web.get("/orders/count", self.count)]

    async def order(self, request: web.Request) -> web.Response:
        """Order one product."""
        product = PRODUCTS.get((await request.json()).get("product"))
        if product is None:
            raise web.HTTPNotFound(reason="no such product")
        path = f"/stock/{product.id}/reservations"
        status, _body = await self.neighbours["inventory"].call(request, "POST", path, body={})
        if status != web.HTTPCreated.status_code:
            raise web.HTTPBadGateway(reason=f"inventory answered {status}")
        self.orders += 1
        return web.json_response({"order": str(uuid.uuid4()), "product": product.id}, status=201)

    async def count(self, _request: web.Request) -> web.Response:
        """Tell how many orders there were."""
        return web.json_response({"orders": self.orders})
