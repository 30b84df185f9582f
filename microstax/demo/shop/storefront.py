"""The storefront: what users see. It puts the answers of the other services together."""

import asyncio
from typing import ClassVar

from aiohttp import web

from microstax.demo.shop.service import Service


class Storefront(Service):
    """The pages of the shop."""

    name: ClassVar[str] = "storefront"
    calls: ClassVar[tuple[str, ...]] = ("catalog", "reviews", "orders")

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get("/", self.home),
            web.get(r"/items/{id:\d+}", self.item),
            web.post("/checkout", self.checkout),
        ]

    async def home(self, request: web.Request) -> web.Response:
        """Show the first products and how many reviews there are."""
        products, reviews = await asyncio.gather(
            self.neighbours["catalog"].get(request, "/products?page=1&size=6"),
            self.neighbours["reviews"].get(request, "/summary"),
        )
        return web.json_response({"products": products["products"], "reviews": reviews["reviews"]})

    async def item(self, request: web.Request) -> web.Response:
        """Show one product with its reviews."""
        number = int(request.match_info["id"])
        product, reviews = await asyncio.gather(
            self.neighbours["catalog"].get(request, f"/products/{number}"),
            self.neighbours["reviews"].get(request, f"/products/{number}/reviews"),
        )
        return web.json_response({"product": product, "stars": reviews["stars"]})

    async def checkout(self, request: web.Request) -> web.Response:
        """Buy one product."""
        status, body = await self.neighbours["orders"].call(request, "POST", "/orders", body=await request.json())
        return web.json_response(body, status=status)
