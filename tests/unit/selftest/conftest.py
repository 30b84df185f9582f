"""Pairs of a small service that was shadowed with itself: steady answers, with honest noise in them."""

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from microstax.model.exchange import Exchange, Request, Response, Side, Triple
from microstax.model.record import StoredPair

NAMES = ("oak kettle", "copper lamp", "linen chair", "glass café", "enamel clock")
SIDES = (Side.BASELINE, Side.BRANCH, Side.CONTROL)


def _product(number: int, rng: random.Random) -> dict[str, Any]:
    return {
        "id": number,
        "name": NAMES[number % 5],
        "price": number + 0.99,
        "stock": number % 7 + 1,
        "sold": number % 2 == 0,
        "package": {"kind": "box", "grams": number * 10},
        "sizes": ["s", "m", "l"],
        "owner": str(uuid.UUID(int=number, version=4)),
        "parts": [{"id": part, "label": f"part {part}"} for part in range(number % 3 + 2)],
        "served": rng.randrange(1, 100),
        "servedAt": f"2026-01-01T10:{rng.randrange(60):02}:{rng.randrange(60):02}Z",
        "answerId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    }


def _exchange(number: int, side: Side, rng: random.Random) -> Exchange:
    headers = (("content-type", "application/json"), ("cache-control", "no-cache"), ("x-instance", f"{side}-7f"))
    found = number % 10 != 9
    body = _product(number % 50, rng) if found else {"error": "no such product"}
    return Exchange(
        id=f"pair-{number}",
        side=side,
        service="catalog",
        overlay=None if side is Side.BASELINE else "selftest",
        request=Request(method="GET", path=f"/products/{number % 50}", authority="shop", headers=()),
        response=Response(status=200 if found else 404, headers=headers, body=json.dumps(body).encode()),
        started_us=1_700_000_000_000_000 + number * 1_000_000,
        latency_us=3000 + rng.randrange(600),
    )


def make_pairs(count: int, *, control: bool = True, seed: int = 7) -> list[StoredPair]:
    rng = random.Random(seed)
    made = []
    for number in range(count):
        baseline, branch, second = (_exchange(number, side, rng) for side in SIDES)
        triple = Triple(
            id=f"pair-{number}",
            service="catalog",
            overlay="selftest",
            baseline=baseline,
            branch=branch,
            control=second if control else None,
        )
        made.append(StoredPair(triple=triple, captured_ms=1_700_000_000_000 + number))
    return made


@pytest.fixture(scope="session")
def pairs() -> Callable[..., list[StoredPair]]:
    """Return what makes so many unchanged pairs."""
    return make_pairs
