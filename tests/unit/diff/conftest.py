"""Builders of captured answers for the differ's tests."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from microstax.model.exchange import Exchange, Headers, Request, Response, Side, Triple

JSON: Headers = (("content-type", "application/json"),)


def answer(
    body: Any = b"",
    *,
    side: Side = Side.BASELINE,
    status: int = 200,
    headers: Headers = JSON,
    path: str = "/things/1",
    method: str = "GET",
    latency_us: int | None = 2_000,
    **response: Any,
) -> Exchange:
    """Return an exchange; a `body` that is no bytes is written as JSON."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return Exchange(
        id="x",
        side=side,
        service="shop",
        overlay="branch",
        request=Request(method=method, path=path, authority="shop.test", headers=(("accept", "*/*"),)),
        response=Response(status=status, headers=headers, body=data, **response),
        started_us=None,
        latency_us=latency_us,
    )


def joined(baseline: Exchange, branch: Exchange, control: Exchange | None = None, *, pair: str = "p") -> Triple:
    """Return the triple of the exchanges."""
    return Triple(id=pair, service="shop", overlay="branch", baseline=baseline, branch=branch, control=control)


@pytest.fixture(name="answer", scope="session")
def _answer() -> Callable[..., Exchange]:
    return answer


@pytest.fixture(name="joined", scope="session")
def _joined() -> Callable[..., Triple]:
    return joined
