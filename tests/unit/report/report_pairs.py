"""Captured pairs made by hand, as examples for the documents of report_documents."""

import json
from typing import Any

from report_documents import pair_id

from microstax.model.difference import Difference, ShapeDifference, ShapeKind, StatusDifference, ValueDifference
from microstax.model.exchange import Exchange, Request, Response, Side, Triple
from microstax.report.pair import ComparedPair

JSON = (("content-type", "application/json"),)
MARKER = "redacted:5f3a9c1e7b2d4806"


def product(**changed: Any) -> dict[str, Any]:
    items = [{"sku": f"lamp-{number}", "price": 12.5 + number, "currency": "EUR"} for number in range(3)]
    return {"id": 7, "name": "Desk lamp", "generated_at": "10:00", "items": items, "tags": ["new", "sale"], **changed}


def exchange(side: Side, body: Any, *, status: int = 200, ms: float = 3.2, headers: Any = ()) -> Exchange:
    request = Request(
        method="GET",
        path="/products/7?country=DE&token=" + MARKER,
        authority="shop.example:8080",
        headers=(("accept", "application/json"), ("authorization", MARKER)),
    )
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(status=status, headers=(*JSON, *headers), body=content)
    return Exchange(
        id=pair_id(1),
        side=side,
        service="catalog",
        overlay="shadow-test",
        request=request,
        response=response,
        latency_us=round(ms * 1000),
    )


def compared(ident: str, branch: Exchange, *found: Difference, noise: tuple[Difference, ...] = ()) -> ComparedPair:
    triple = Triple(
        id=ident,
        service="catalog",
        overlay="shadow-test",
        baseline=exchange(Side.BASELINE, product(), headers=(("cache-control", "max-age=60"),)),
        branch=branch,
        control=exchange(Side.CONTROL, product(generated_at="10:02"), headers=(("cache-control", "max-age=60"),)),
    )
    return ComparedPair(triple=triple, differences=found, noise=noise)


def pairs() -> dict[str, ComparedPair]:
    """Return the examples of report_documents.full() that are at hand."""
    items = [{**item, "price": str(item["price"])} for item in product()["items"]]
    typed = exchange(
        Side.BRANCH, product(items=items, generated_at="10:01"), ms=4.1, headers=(("cache-control", "no-store"),)
    )
    failed = exchange(Side.BRANCH, {"error": "no tax rate for DE"}, status=500, ms=310)
    clock = ValueDifference(path="$.generated_at", baseline='"10:00"', branch='"10:01"')
    price = ShapeDifference(kind=ShapeKind.TYPE, path="$.items[].price", baseline="number", branch="string")
    return {
        pair_id(1): compared(pair_id(1), failed, StatusDifference(200, 500)),
        pair_id(2): compared(pair_id(2), typed, price, clock, noise=(clock,)),
        pair_id(8): compared(pair_id(8), failed, StatusDifference(200, 500)),
    }
