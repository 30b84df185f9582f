"""The catalog, version 2: the branch. Every method here is one planted drift; `microstax.demo.planted` lists them."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from aiohttp import web

from microstax.demo.shop.catalog import Catalog
from microstax.demo.shop.goods import Product

SPIKE_S: Final = 0.3
RETRY_AFTER_S: Final = 0.02
SLOW_LAST_DIGIT: Final = 7


class CatalogV2(Catalog):
    """Version 2: ten changes, nine of which nobody wanted."""

    cache_control: ClassVar[str] = "no-store"

    def arrange(self, page: Sequence[Product]) -> Sequence[Product]:
        """Sort by price (order)."""
        return sorted(page, key=lambda product: product.cents)

    def describe(self, product: Product) -> dict[str, Any]:
        """Call the price `amount` (a renamed key: one missing, one extra)."""
        described = super().describe(product)
        described["amount"] = described.pop("price")
        return described

    def parcel(self, product: Product) -> dict[str, Any]:
        """Move the weight into the package (nesting)."""
        parcel = super().parcel(product)
        parcel["package"]["weightGrams"] = parcel.pop("weightGrams")
        return parcel

    def amount(self, cents: int) -> float | str:
        """Write amounts with two digits (a number turned string)."""
        return f"{cents / 100:.2f}"

    def percent(self, product: Product) -> int:
        """Round the discount up to a multiple of five (a changed value)."""
        return math.ceil(product.discount_percent / 5) * 5

    def offered(self, products: Sequence[Product]) -> Sequence[Product]:
        """Lose the last product of a category (length)."""
        return products[:-1]

    def normalise(self, words: str) -> str:
        """Take only ASCII for words: everything else is an exception (status 500 for one kind of input)."""
        return words.lower().encode("ascii").decode()

    def thinking_time_s(self, product: Product) -> float:
        """Take long for one product in ten (a latency spike)."""
        return SPIKE_S if product.id % 10 == SLOW_LAST_DIGIT else 0.0

    async def before_availability(self, request: web.Request, product: Product) -> None:
        """Put a hold on the product first: a call that changes the world. Try twice, then go on without (slower)."""
        for _ in range(2):
            status, _body = await self.neighbours["inventory"].call(
                request, "POST", f"/stock/{product.id}/holds", body={}
            )
            if status < web.HTTPBadRequest.status_code:
                return
            await asyncio.sleep(RETRY_AFTER_S)
