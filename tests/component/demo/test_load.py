"""The load generator tells a shop that answers right from one that does not, and stops when it is told to."""

import asyncio
import io
import json
from typing import Protocol

from microstax.demo.load import Load, Tally


class ShopAt(Protocol):
    urls: dict[str, str]


async def sent(shop: ShopAt, *, catalog: str, number: int, record: io.StringIO | None = None) -> Tally:
    targets = {"storefront": shop.urls["storefront"], "catalog": shop.urls[catalog]}
    return await Load(targets, rate=2000, clients=4, seed=1, requests=number, record=record).run()


async def test_no_answer_of_the_baseline_is_wrong(shop: ShopAt) -> None:
    record = io.StringIO()
    tally = await sent(shop, catalog="catalog", number=300, record=record)
    assert (tally.failed, tally.failures) == (0, [])
    lines = [json.loads(line) for line in record.getvalue().splitlines()]
    assert len(lines) == tally.sent >= 300
    assert all(line["problem"] is None and line["took_ms"] > 0 for line in lines)


async def test_answers_of_the_branch_are_wrong(shop: ShopAt) -> None:
    tally = await sent(shop, catalog="catalog-v2", number=300)
    assert tally.failed > 50
    assert len(tally.failures) == 20
    assert all("not the baseline's answer" in text or "status 500" in text for text in tally.failures)


async def test_a_stopped_load_finishes_what_is_under_way_and_no_more(shop: ShopAt) -> None:
    targets = {"storefront": shop.urls["storefront"], "catalog": shop.urls["catalog"]}
    load = Load(targets, rate=200, clients=4, seed=1)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(load.run())
        await asyncio.sleep(0.1)
        load.stop()
    tally = running.result()
    assert (tally.failed, tally.failures) == (0, [])


async def test_a_shop_that_is_not_there_is_a_failure_of_every_request(shop: ShopAt) -> None:
    shop.urls["catalog"] = shop.urls["storefront"] = "http://127.0.0.1:9"
    tally = await sent(shop, catalog="catalog", number=10)
    assert tally.failed == tally.sent
    assert "no answer" in tally.failures[0]
