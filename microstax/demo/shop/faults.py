"""Faults that one service of the shop can be started with: `SHOP_FAULT=member-missing`. Each is one way to be wrong.

A fault changes the answers of one route and nothing else, so that a report on the branch has exactly one thing to find.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from aiohttp import web

from microstax.demo.planted import CATALOG, Finding, Kind

VARIABLE: Final = "SHOP_FAULT"
SLOWER_S: Final = 0.05

Body = dict[str, Any]


class UnknownFaultError(Exception):
    """There is no fault of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is done to the answers of `route`, and what a report has to say about it.

    `body` changes the JSON object in place, `answer` the answer as a whole; `delay_s` is how long it takes more.
    """

    route: str
    kind: Kind
    place: str = ""
    body: Callable[[Body], None] | None = None
    answer: Callable[[web.Response], None] | None = None
    delay_s: float = 0.0

    @property
    def finding(self) -> Finding:
        """What a report has to find."""
        return Finding(CATALOG, f"GET {self.route}", self.kind, self.place)


def planted(name: str) -> Any:
    """Return the aiohttp middleware that plants the fault `name`; raises UnknownFaultError."""
    fault = FAULTS.get(name)
    if fault is None:
        raise UnknownFaultError(f"{VARIABLE}={name!r} is no fault: use one of {', '.join(FAULTS)}")

    @web.middleware
    async def plant(request: web.Request, handler: Any) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        if isinstance(answer, web.Response) and _route(request) == fault.route:
            await asyncio.sleep(fault.delay_s)
            _apply(fault, answer)
        return answer

    return plant


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else request.path


def _apply(fault: Fault, answer: web.Response) -> None:
    if fault.body is not None and isinstance(answer.body, bytes):
        document = orjson.loads(answer.body)
        fault.body(document)
        answer.body = orjson.dumps(document)
    if fault.answer is not None:
        fault.answer(answer)


def _set(name: str, change: Callable[[Any], Any]) -> Callable[[Body], None]:
    def body(document: Body) -> None:
        document[name] = change(document[name])

    return body


def _without(name: str) -> Callable[[Body], None]:
    def body(document: Body) -> None:
        del document[name]

    return body


def _with_vat(document: Body) -> None:
    document["vatPercent"] = 19


def _nested(document: Body) -> None:
    document["package"]["weightGrams"] = document.pop("weightGrams")


def _flattened(document: Body) -> None:
    document["fragile"] = document["package"].pop("fragile")


def _sturdy(document: Body) -> None:
    document["package"]["fragile"] = not document["package"]["fragile"]


def _one_in_ten(document: Body) -> None:
    if document["id"] % 10 == 0:
        document["percent"] += 1


def _status(status: int) -> Callable[[web.Response], None]:
    return lambda answer: answer.set_status(status)


def _header(name: str, value: str | None) -> Callable[[web.Response], None]:
    def answer(response: web.Response) -> None:
        if value is None:
            response.headers.popall(name, None)
        else:
            response.headers[name] = value

    return answer


def _cut(response: web.Response) -> None:
    if isinstance(response.body, bytes):
        response.body = response.body[: len(response.body) // 2]


FAULTS: Final[Mapping[str, Fault]] = {
    "status-500": Fault(route="/products/{id}/discount", kind=Kind.STATUS, place="200 -> 500", answer=_status(500)),
    "status-class": Fault(route="/search", kind=Kind.STATUS, place="200 -> 203", answer=_status(203)),
    "member-missing": Fault(
        route="/products/{id}/price", kind=Kind.MISSING, place="$.currency", body=_without("currency")
    ),
    "member-added": Fault(route="/products/{id}/price", kind=Kind.EXTRA, place="$.vatPercent", body=_with_vat),
    "number-as-text": Fault(route="/products/{id}/price", kind=Kind.TYPE, place="$.amount", body=_set("amount", str)),
    "null": Fault(
        route="/products/{id}/price", kind=Kind.TYPE, place="$.currency", body=_set("currency", lambda _: None)
    ),
    "varying-null": Fault(route="/feed", kind=Kind.TYPE, place="$.answerId", body=_set("answerId", lambda _: None)),
    "nested": Fault(route="/products/{id}/shipping", kind=Kind.NESTING, place="$.weightGrams", body=_nested),
    "flattened": Fault(route="/products/{id}/shipping", kind=Kind.NESTING, place="$.package.fragile", body=_flattened),
    "array-shorter": Fault(
        route="/categories/{id}", kind=Kind.LENGTH, place="$.items", body=_set("items", lambda items: items[:-1])
    ),
    "array-order": Fault(
        route="/products/{id}/recommendations",
        kind=Kind.ORDER,
        place="$.products",
        body=_set("products", lambda products: products[::-1]),
    ),
    "number-shifted": Fault(
        route="/products/{id}/price",
        kind=Kind.VALUE,
        place="$.amount",
        body=_set("amount", lambda amount: round(amount * 1.01, 2)),
    ),
    "number-scaled": Fault(
        route="/products/{id}/price",
        kind=Kind.VALUE,
        place="$.amount",
        body=_set("amount", lambda amount: round(amount * 100)),
    ),
    "one-in-ten": Fault(route="/products/{id}/discount", kind=Kind.VALUE, place="$.percent", body=_one_in_ten),
    "text-case": Fault(
        route="/products/{id}/price", kind=Kind.VALUE, place="$.currency", body=_set("currency", str.lower)
    ),
    "text-empty": Fault(
        route="/products/{id}/price", kind=Kind.VALUE, place="$.currency", body=_set("currency", lambda _: "")
    ),
    "boolean": Fault(route="/products/{id}/shipping", kind=Kind.VALUE, place="$.package.fragile", body=_sturdy),
    "id-format": Fault(
        route="/feed",
        kind=Kind.VALUE,
        place="$.answerId",
        body=_set("answerId", lambda text: uuid.UUID(text).hex),
    ),
    "time-format": Fault(
        route="/feed",
        kind=Kind.TYPE,
        place="$.servedAt",
        body=_set("servedAt", lambda text: int(datetime.fromisoformat(text).timestamp())),
    ),
    "body-cut": Fault(route="/search", kind=Kind.TYPE, place="$", answer=_cut),
    "header-missing": Fault(
        route="/categories", kind=Kind.HEADER, place="cache-control", answer=_header("cache-control", None)
    ),
    "header-changed": Fault(
        route="/categories", kind=Kind.HEADER, place="cache-control", answer=_header("cache-control", "no-store")
    ),
    "charset": Fault(
        route="/search",
        kind=Kind.HEADER,
        place="content-type",
        answer=_header("content-type", "application/json; charset=iso-8859-1"),
    ),
    "slower": Fault(route="/products/{id}/recommendations", kind=Kind.SLOWER, delay_s=SLOWER_S),
}
"""By name. Every one is of another kind, or in a place of another kind."""
