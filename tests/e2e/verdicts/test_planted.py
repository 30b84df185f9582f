"""One fault at a time in a real branch: it is found at its place, and nothing else is, latency included."""

from typing import Any

import pytest

from microstax.demo.planted import Kind
from microstax.demo.shop.faults import FAULTS, VARIABLE
from microstax.selftest.reading import findings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

AT_ONCE = 4
PAIRS = 700
RATE = 200.0
MORE = ("discount=30", "recommendations=30")
"""One fault hits only a tenth of the former; a latency is called from a hundred warm pairs on."""
NAMES = list(FAULTS)


@pytest.fixture(scope="module")
def documents(shop: Any) -> dict[str, Any]:
    """Run the branches, a few beside each other, each with one fault; return their reports."""
    found: dict[str, Any] = {}
    with shop.users(rate=RATE, seed=77, more=MORE) as users:
        for at in range(0, len(NAMES), AT_ONCE):
            assert users.are_here
            batch = NAMES[at : at + AT_ONCE]
            shop.together(shop.overlay, [(name, {VARIABLE: name}) for name in batch])
            found |= shop.reports(batch, pairs=PAIRS, within_s=60)
            shop.together(shop.delete, [(name,) for name in batch])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_fault_is_found_and_nothing_else(documents: dict[str, Any], name: str) -> None:
    planted = FAULTS[name].finding
    wanted = (planted.service, planted.endpoint, str(planted.kind), planted.place)
    told = {(one.service, one.endpoint, *one.sight) for one in findings(documents[name])}
    assert wanted in told, documents[name]["reasons"]
    also = {(*wanted[:2], str(Kind.SPIKE), "")} if planted.kind is Kind.SLOWER else set()
    assert told - also == {wanted}


def test_the_kinds_are_at_least_fifteen() -> None:
    assert len(NAMES) >= 15
