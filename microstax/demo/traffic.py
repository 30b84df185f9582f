"""What users of the shop ask for, and which answer is right: endless, and the same for the same seed. PURE."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from microstax.demo.shop.goods import (
    CATEGORIES,
    CATEGORY_IDS,
    PER_CATEGORY,
    PRODUCT_IDS,
    PRODUCTS,
    matching,
    page_of_products,
    stock_of,
)

PLAIN_WORDS: Final = ("kettle", "oak", "lamp", "copper", "chair", "glass", "vase", "linen", "clock", "walnut")
ACCENTED_WORDS: Final = (
    "café",
    "fauteuil rétro",
    "crème",
    "grün",
    "søm",
    "piñata",
    "naïve",
    "château",
    "mañana",
    "übergroß",
)
UNKNOWN_PRODUCT: Final = 9999
NOTHING_MORE: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of a user. `right` tells whether the JSON body of the answer is the baseline's."""

    service: str
    method: str = "GET"
    path: str
    body: bytes | None = None
    status: int = 200
    right: Callable[[Any], bool] = lambda _body: True


def calls(seed: int, *, more: Mapping[str, int] = NOTHING_MORE) -> Iterator[Call]:
    """Yield the calls of one user for ever; `more` adds to the weights of some (KINDS, per cent of the plain mix)."""
    rng = random.Random(seed)
    makers, weights = list(_MIX), [weight + more.get(_kind(maker), 0) for maker, weight in _MIX.items()]
    while True:
        yield rng.choices(makers, weights)[0](rng)


def _query(**words: object) -> str:
    return urlencode(words)


def _any_product(rng: random.Random) -> int:
    return rng.choice(PRODUCT_IDS)


def _products(rng: random.Random) -> Call:
    page, size = rng.randint(1, 5), rng.randint(6, 11)
    ids = [product.id for product in page_of_products(page, size)]
    return Call(
        service="catalog",
        path=f"/products?page={page}&size={size}",
        right=lambda body: [item["id"] for item in body["products"]] == ids,
    )


def _product(rng: random.Random) -> Call:
    product = PRODUCTS[_any_product(rng)]
    return Call(service="catalog", path=f"/products/{product.id}", right=lambda body: body["price"] == product.price)


def _unknown_product(_rng: random.Random) -> Call:
    return Call(service="catalog", path=f"/products/{UNKNOWN_PRODUCT}", status=404)


def _shipping(rng: random.Random) -> Call:
    product = PRODUCTS[_any_product(rng)]
    return Call(
        service="catalog",
        path=f"/products/{product.id}/shipping",
        right=lambda body: body["weightGrams"] == product.grams,
    )


def _price(rng: random.Random) -> Call:
    product = PRODUCTS[_any_product(rng)]
    return Call(
        service="catalog", path=f"/products/{product.id}/price", right=lambda body: body["amount"] == product.price
    )


def _discount(rng: random.Random) -> Call:
    product = PRODUCTS[_any_product(rng)]
    return Call(
        service="catalog",
        path=f"/products/{product.id}/discount",
        right=lambda body: body["percent"] == product.discount_percent,
    )


def _availability(rng: random.Random) -> Call:
    number = _any_product(rng)
    return Call(
        service="catalog",
        path=f"/products/{number}/availability",
        right=lambda body: body["inStock"] == stock_of(number),
    )


def _recommendations(rng: random.Random) -> Call:
    number = _any_product(rng)
    return Call(
        service="catalog",
        path=f"/products/{number}/recommendations",
        right=lambda body: len(body["products"]) == PER_CATEGORY - 1,
    )


def _categories(rng: random.Random) -> Call:
    limit = rng.randint(1, 12)
    names = list(CATEGORIES.values())[:limit]
    query = _query(limit=limit, theme=rng.choice(("light", "dark", "plain")))
    return Call(service="catalog", path=f"/categories?{query}", right=lambda body: body["categories"] == names)


def _category(rng: random.Random) -> Call:
    number, theme = rng.choice(CATEGORY_IDS), rng.choice(("light", "dark", "plain"))
    return Call(
        service="catalog",
        path=f"/categories/{number}?theme={theme}",
        right=lambda body: len(body["items"]) == PER_CATEGORY,
    )


def _search(rng: random.Random) -> Call:
    words = rng.choice(PLAIN_WORDS)
    if rng.random() < 0.4:  # noqa: PLR2004  # the kind of input that version 2 cannot take is no rarity
        words = f"{rng.choice(ACCENTED_WORDS)} {rng.choice(PLAIN_WORDS)}"
    ids = [product.id for product in matching(words)]
    return Call(service="catalog", path=f"/search?{_query(q=words)}", right=lambda body: body["ids"] == ids)


def _feed(rng: random.Random) -> Call:
    room = rng.randint(1, 40)
    return Call(service="catalog", path=f"/feed?room={room}", right=lambda body: body["room"] == room)


def _home(_rng: random.Random) -> Call:
    return Call(service="storefront", path="/", right=lambda body: body["reviews"] == 3 * len(PRODUCTS))


def _item(rng: random.Random) -> Call:
    product = PRODUCTS[_any_product(rng)]
    return Call(
        service="storefront",
        path=f"/items/{product.id}",
        right=lambda body: body["product"]["price"] == product.price,
    )


def _view(rng: random.Random) -> Call:
    number = _any_product(rng)
    body = json.dumps({"from": "list"}).encode()
    return Call(
        service="catalog",
        method="POST",
        path=f"/products/{number}/views",
        body=body,
        status=202,
        right=lambda answer: answer["id"] == number,
    )


def _checkout(rng: random.Random) -> Call:
    number = _any_product(rng)
    return Call(
        service="storefront",
        method="POST",
        path="/checkout",
        body=json.dumps({"product": number}).encode(),
        status=201,
        right=lambda answer: answer["product"] == number,
    )


_MIX: Final[dict[Callable[[random.Random], Call], int]] = {
    _products: 7,
    _product: 8,
    _unknown_product: 1,
    _shipping: 8,
    _price: 8,
    _discount: 8,
    _availability: 8,
    _recommendations: 8,
    _categories: 8,
    _category: 8,
    _search: 9,
    _feed: 8,
    _home: 2,
    _item: 2,
    _view: 4,
    _checkout: 3,
}
"""How often what is asked for, in per cent."""


def _kind(maker: Callable[[random.Random], Call]) -> str:
    return maker.__name__.removeprefix("_")


KINDS: Final = tuple(map(_kind, _MIX))
"""What can be asked for, by name."""
