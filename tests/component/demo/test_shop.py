"""The two catalogs differ in what is planted, each at an endpoint of its own, and in noise; and in nothing else."""

import asyncio
from typing import Any, Protocol

import pytest
from aiohttp import ClientSession

NOISE = ("servedAt", "answerId")


class ShopAt(Protocol):
    urls: dict[str, str]


async def both(shop: ShopAt, http: ClientSession, path: str) -> tuple[Any, Any]:
    """Return the JSON answers of both catalogs, without what is noise in all of them."""
    bodies = []
    for name in ("catalog", "catalog-v2"):
        async with http.get(shop.urls[name] + path) as response:
            body = await response.json()
            bodies.append({key: value for key, value in body.items() if key not in NOISE})
    return bodies[0], bodies[1]


async def test_order(shop: ShopAt, http: ClientSession) -> None:
    one, two = await both(shop, http, "/products?page=2&size=8")
    assert one != two
    assert sorted(two["products"], key=lambda item: item["id"]) == one["products"]


async def test_renamed_key(shop: ShopAt, http: ClientSession) -> None:
    one, two = await both(shop, http, "/products/5")
    assert two.pop("amount") == one.pop("price")
    assert one == two


async def test_moved_nesting(shop: ShopAt, http: ClientSession) -> None:
    one, two = await both(shop, http, "/products/5/shipping")
    assert two["package"].pop("weightGrams") == one.pop("weightGrams")
    assert one == two


async def test_number_turned_string(shop: ShopAt, http: ClientSession) -> None:
    one, two = await both(shop, http, "/products/5/price")
    assert isinstance(one["amount"], float)
    assert two["amount"] == f"{one['amount']:.2f}"


@pytest.mark.parametrize("product", range(1, 5))
async def test_changed_value(shop: ShopAt, http: ClientSession, product: int) -> None:
    one, two = await both(shop, http, f"/products/{product}/discount")
    assert one["percent"] < two["percent"]
    assert type(one["percent"]) is type(two["percent"])


async def test_missing_element(shop: ShopAt, http: ClientSession) -> None:
    one, two = await both(shop, http, "/categories/3?theme=dark")
    assert two["items"] == one["items"][:-1] != []


async def test_changed_header(shop: ShopAt, http: ClientSession) -> None:
    headers = []
    for name in ("catalog", "catalog-v2"):
        async with http.get(f"{shop.urls[name]}/categories") as response:
            headers.append(response.headers["cache-control"])
    assert headers == ["public, max-age=300", "no-store"]
    one, two = await both(shop, http, "/categories")
    assert one == two


@pytest.mark.parametrize(("words", "expected"), [("oak lamp", [200, 200]), ("café", [200, 500])])
async def test_status_for_one_kind_of_input(shop: ShopAt, http: ClientSession, words: str, expected: list[int]) -> None:
    statuses = []
    for name in ("catalog", "catalog-v2"):
        async with http.get(f"{shop.urls[name]}/search", params={"q": words}) as response:
            statuses.append(response.status)
    assert statuses == expected


async def test_spike_for_one_kind_of_input(shop: ShopAt, http: ClientSession) -> None:
    async def version_two(product: int) -> None:
        async with http.get(f"{shop.urls['catalog-v2']}/products/{product}/recommendations") as response:
            await response.read()

    slow = asyncio.ensure_future(version_two(17))
    await version_two(16)
    assert not slow.done()
    await slow
    one, two = await both(shop, http, "/products/16/recommendations")
    assert one == two


async def test_the_second_version_tries_to_change_the_inventory(shop: ShopAt, http: ClientSession) -> None:
    one, two = await both(shop, http, "/products/9/availability")
    assert one == two
    async with http.get(f"{shop.urls['inventory']}/__received") as response:
        # No bridge stands between here: the hold arrives, and would have changed the world.
        assert await response.json() == {"GET /stock/{id}": 2, "POST /stock/{id}/holds": 1}


async def test_the_endpoint_without_drift_has_nothing_but_noise(shop: ShopAt, http: ClientSession) -> None:
    one, two = await both(shop, http, "/feed?room=4")
    assert set(one) == set(two) == {"room", "served", "online"}
    assert sorted(one["online"]) == sorted(two["online"])
    seen = {tuple((await both(shop, http, "/feed?room=4"))[0]["online"]) for _ in range(20)}
    assert len(seen) > 1


@pytest.mark.parametrize("path", ["/products/9999", "/products/9999/price", "/categories/99"])
async def test_what_is_not_there_is_a_404_in_both(shop: ShopAt, http: ClientSession, path: str) -> None:
    one, two = await both(shop, http, path)
    assert one == two
    assert "error" in one


async def test_a_query_that_is_no_number_is_the_callers_mistake(shop: ShopAt, http: ClientSession) -> None:
    async with http.get(f"{shop.urls['catalog']}/products?page=x") as response:
        assert response.status == 400


async def test_an_order_reserves_a_piece_and_is_counted_as_received(shop: ShopAt, http: ClientSession) -> None:
    async with http.post(f"{shop.urls['storefront']}/checkout", json={"product": 3}) as response:
        assert (response.status, (await response.json())["product"]) == (201, 3)
    async with http.get(f"{shop.urls['inventory']}/stock/3") as response:
        assert (await response.json())["reserved"] == 1
    async with http.post(f"{shop.urls['storefront']}/checkout", json={"product": 9999}) as response:
        assert response.status == 404
    async with http.get(f"{shop.urls['orders']}/__received") as response:
        assert await response.json() == {"POST /orders": 2}
