"""What the shop sells: the same goods on every machine, so that an answer can be told right from wrong. PURE."""

from dataclasses import dataclass
from typing import Final

PRODUCT_IDS: Final = range(1, 61)
CATEGORY_IDS: Final = range(1, 13)
PER_CATEGORY: Final = 5

_THINGS: Final = ("kettle", "lamp", "chair", "teapot", "blanket", "clock", "mirror", "vase", "stool", "tray")
_STYLES: Final = ("oak", "copper", "linen", "glass", "enamel", "walnut")
_ROOMS: Final = (
    "kitchen", "study", "garden", "hall", "attic", "bedroom",
    "cellar", "terrace", "nursery", "pantry", "library", "workshop",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `cents` is its price, `grams` its weight."""

    id: int
    name: str
    category: int
    cents: int
    grams: int
    discount_percent: int

    @property
    def price(self) -> float:
        """The price in euros; never a whole number, so that it is a decimal number in every language's JSON."""
        return self.cents / 100


def _product(number: int) -> Product:
    return Product(
        id=number,
        name=f"{_STYLES[number % len(_STYLES)]} {_THINGS[number % len(_THINGS)]}",
        category=(number - 1) // PER_CATEGORY + 1,
        cents=1001 + (number * 7919) % 8900 // 10 * 10,
        grams=150 + number * 35,
        discount_percent=(number % 4) * 5 + 2,
    )


PRODUCTS: Final = {number: _product(number) for number in PRODUCT_IDS}
CATEGORIES: Final = {number: _ROOMS[number - 1] for number in CATEGORY_IDS}


def in_category(category: int) -> list[Product]:
    """Return the products of a category, by id."""
    return [product for product in PRODUCTS.values() if product.category == category]


def page_of_products(page: int, size: int) -> list[Product]:
    """Return page `page` (from 1) of `size` products, by id; empty behind the last page."""
    return list(PRODUCTS.values())[(page - 1) * size : page * size]


def matching(words: str) -> list[Product]:
    """Return the products whose name has one of the words in it, by id."""
    wanted = words.lower().split()
    return [product for product in PRODUCTS.values() if any(word in product.name for word in wanted)]


def stock_of(product: int) -> int:
    """Return how many pieces of a product are in stock."""
    return product * 13 % 40
