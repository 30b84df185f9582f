"""The planted list is what the differ sees in the two catalogs, beyond what the first one differs from itself."""

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from aiohttp import ClientSession

from microstax.demo.planted import PLANTED, WITHOUT_DRIFT, Finding, Kind
from microstax.demo.traffic import Call, calls
from microstax.diff.compare import compare
from microstax.model.difference import (
    Difference,
    HeaderDifference,
    ShapeDifference,
    StatusDifference,
    ValueDifference,
)
from microstax.model.exchange import Exchange, Request, Response, Side

IN_TIME = {Kind.SLOWER, Kind.FASTER, Kind.SPIKE}


class ShopAt(Protocol):
    urls: dict[str, str]


async def ask(http: ClientSession, url: str, call: Call, side: Side) -> Exchange:
    async with http.get(url + call.path) as response:
        body = await response.read()
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
    return Exchange(
        id="1",
        side=side,
        service="catalog",
        overlay="shadow-test",
        request=Request(method="GET", path=call.path, authority="catalog", headers=()),
        response=Response(status=response.status, headers=headers, body=body),
    )


def endpoint(call: Call) -> str:
    path = call.path.partition("?")[0]
    return "GET " + "/".join("{id}" if part.isdigit() else part for part in path.split("/"))


def seen(call: Call, differences: tuple[Difference, ...]) -> Iterator[Finding]:
    for difference in differences:
        match difference:
            case StatusDifference(baseline=before, branch=after):
                kind, place = Kind.STATUS, f"{before} -> {after}"
            case ShapeDifference(kind=shape, path=path):
                kind, place = Kind(shape.value), path
            case ValueDifference(path=path):
                kind, place = Kind.VALUE, path
            case HeaderDifference(name=name):
                kind, place = Kind.HEADER, name
            case _:
                raise AssertionError(difference)
        yield Finding("catalog", endpoint(call), kind, place)


async def test_what_is_planted_is_all_that_is_different(shop: ShopAt, http: ClientSession) -> None:
    drift: set[Finding] = set()
    noise: set[Finding] = set()
    asked = [call for call in islice(calls(3), 600) if call.service == "catalog" and call.method == "GET"]
    for call in asked:
        baseline = await ask(http, shop.urls["catalog"], call, Side.BASELINE)
        branch = await ask(http, shop.urls["catalog-v2"], call, Side.BRANCH)
        control = await ask(http, shop.urls["catalog-control"], call, Side.CONTROL)
        drift.update(seen(call, compare(baseline, branch)))
        noise.update(seen(call, compare(baseline, control)))
    assert drift - noise == {finding for finding in PLANTED if finding.kind not in IN_TIME}
    assert not {finding.place for finding in noise} & {finding.place for finding in PLANTED if finding.place}
    noisy = {(finding.service, finding.endpoint) for finding in noise}
    assert set(WITHOUT_DRIFT) <= noisy
    assert {Kind.ORDER, Kind.VALUE} <= {finding.kind for finding in noise if finding.endpoint == "GET /feed"}
