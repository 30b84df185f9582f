"""The catalog, version 1: the baseline's. Its answers carry honest noise, as those of real services do.

Noise: every answer has a timestamp and an id of its own; `/feed` has a counter and an array in random order; the
header `x-instance` names the process. A second copy of this version differs from the first in all of these.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from aiohttp import web

from microstax.demo.shop.goods import (
    CATEGORIES,
    PRODUCTS,
    Product,
    in_category,
    matching,
    page_of_products,
)
from microstax.demo.shop.service import Service, number, stamp

ROOMS_ONLINE: Final = ("blue", "green", "amber", "white", "black")


class Catalog(Service):
    """Version 1."""

    name: ClassVar[str] = "catalog"
    calls: ClassVar[tuple[str, ...]] = ("pricing", "inventory")
    cache_control: ClassVar[str] = "public, max-age=300"

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints; `views` is the one that changes something."""
        return [
            web.get("/products", self.products),
            web.get(r"/products/{id:\d+}", self.product),
            web.get(r"/products/{id:\d+}/shipping", self.shipping),
            web.get(r"/products/{id:\d+}/price", self.price),
            web.get(r"/products/{id:\d+}/discount", self.discount),
            web.get(r"/products/{id:\d+}/availability", self.availability),
            web.get(r"/products/{id:\d+}/recommendations", self.recommendations),
            web.post(r"/products/{id:\d+}/views", self.views),
            web.get("/categories", self.categories),
            web.get(r"/categories/{id:\d+}", self.category),
            web.get("/search", self.search),
            web.get("/feed", self.feed),
        ]

    async def products(self, request: web.Request) -> web.Response:
        """List one page of products, compressed for clients that accept it."""
        page = page_of_products(number(request, "page", 1), number(request, "size", 10))
        response = web.json_response({"products": [brief(product) for product in self.arrange(page)], **stamp()})
        response.enable_compression()
        return response

    def arrange(self, page: Sequence[Product]) -> Sequence[Product]:
        """Return the page in the order in which it is shown: by id."""
        return page

    async def product(self, request: web.Request) -> web.Response:
        """Show one product."""
        return web.json_response({**self.describe(wanted(request)), **stamp()})

    def describe(self, product: Product) -> dict[str, Any]:
        """Return a product as clients see it."""
        return {**brief(product), "category": CATEGORIES[product.category], "price": product.price}

    async def shipping(self, request: web.Request) -> web.Response:
        """Say how a product is sent."""
        return web.json_response({**self.parcel(wanted(request)), **stamp()})

    def parcel(self, product: Product) -> dict[str, Any]:
        """Return weight and packaging."""
        return {
            "id": product.id,
            "weightGrams": product.grams,
            "package": {"kind": "box", "fragile": product.id % 3 == 0},
        }

    async def price(self, request: web.Request) -> web.Response:
        """Ask pricing what a product costs today."""
        product = wanted(request)
        offer = await self.neighbours["pricing"].get(request, f"/prices/{product.id}")
        return web.json_response(
            {"id": product.id, "amount": self.amount(offer["cents"]), "currency": "EUR", **stamp()}
        )

    def amount(self, cents: int) -> float | str:
        """Return an amount as clients read it."""
        return cents / 100

    async def discount(self, request: web.Request) -> web.Response:
        """Say how much cheaper a product is for members."""
        product = wanted(request)
        return web.json_response({"id": product.id, "percent": self.percent(product), **stamp()})

    def percent(self, product: Product) -> int:
        """Return the discount."""
        return product.discount_percent

    async def availability(self, request: web.Request) -> web.Response:
        """Ask inventory how many pieces there are."""
        product = wanted(request)
        await self.before_availability(request, product)
        stock = await self.neighbours["inventory"].get(request, f"/stock/{product.id}")
        return web.json_response({"id": product.id, "inStock": stock["inStock"], **stamp()})

    async def before_availability(self, request: web.Request, product: Product) -> None:
        """Do what has to be done before the stock is read: nothing."""

    async def recommendations(self, request: web.Request) -> web.Response:
        """Recommend what stands in the same room."""
        product = wanted(request)
        await asyncio.sleep(self.thinking_time_s(product))
        others = [other for other in in_category(product.category) if other.id != product.id]
        return web.json_response({"for": product.id, "products": [brief(other) for other in others], **stamp()})

    def thinking_time_s(self, product: Product) -> float:  # noqa: ARG002  # version 2 looks at it
        """Return how long recommending takes, in seconds."""
        return 0.0

    async def views(self, request: web.Request) -> web.Response:
        """Count that a product was looked at."""
        return web.json_response({"id": wanted(request).id, **stamp()}, status=202)

    async def categories(self, request: web.Request) -> web.Response:
        """List the categories; browsers may keep the answer."""
        names = [CATEGORIES[category] for category in sorted(CATEGORIES)][: number(request, "limit", 12)]
        return web.json_response({"categories": names, **stamp()}, headers={"cache-control": self.cache_control})

    async def category(self, request: web.Request) -> web.Response:
        """List the products of a category."""
        found = in_category(int(request.match_info["id"]))
        if not found:
            raise web.HTTPNotFound(reason="no such category")
        items = [brief(product) for product in self.offered(found)]
        return web.json_response({"id": int(request.match_info["id"]), "items": items, **stamp()})

    def offered(self, products: Sequence[Product]) -> Sequence[Product]:
        """Return which products of a category are shown: all."""
        return products

    async def search(self, request: web.Request) -> web.Response:
        """Find products by words in their names."""
        words = self.normalise(request.query.get("q", ""))
        found = matching(words)
        return web.json_response({"total": len(found), "ids": [product.id for product in found], **stamp()})

    def normalise(self, words: str) -> str:
        """Return the words as they are looked up."""
        return words.lower()

    async def feed(self, request: web.Request) -> web.Response:
        """Tell what goes on: a counter, and who is there in no particular order."""
        online = random.sample(ROOMS_ONLINE, k=len(ROOMS_ONLINE))
        served = self.received.total()
        return web.json_response({"room": number(request, "room", 1), "served": served, "online": online, **stamp()})


def wanted(request: web.Request) -> Product:
    """Return the product that the path names; 404 if there is none."""
    product = PRODUCTS.get(int(request.match_info["id"]))
    if product is None:
        raise web.HTTPNotFound(reason="no such product")
    return product


def brief(product: Product) -> dict[str, Any]:
    """Return a product as it stands in a list."""
    return {"id": product.id, "name": product.name}
