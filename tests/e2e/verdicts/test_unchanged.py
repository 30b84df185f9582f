"""The unchanged baseline as its own branch, with all of its noise: nothing is found, and the verdict is `same`."""

import time
from typing import Any

import pytest

from microstax.selftest.reading import findings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

REQUESTS = 20_000
RATE = 700.0
MORE = ("feed=40",)
"""A third of all: an array is shuffled there, alike in 1 of 120, and that takes more requests to be called the same."""
NAME = "unchanged"
NOISY = {"$.servedAt", "$.answerId", "$.online", "$.served"}


def test_twenty_thousand_requests_without_a_finding(shop: Any) -> None:
    shop.overlay(NAME, {})
    began = time.monotonic()
    with shop.users(rate=RATE, seed=20, clients=16, more=MORE) as users:
        document = shop.reports([NAME], pairs=REQUESTS, within_s=240)[NAME]
    took = time.monotonic() - began
    print(f"{users.tally['sent']:,} requests in {took:.0f} s, {document['contexts']} inputs; {document['coverage']}")
    shop.delete(NAME)
    assert document["coverage"]["paired"] >= REQUESTS
    assert [str(finding) for finding in findings(document)] == []
    assert document["verdict"] == "same", document["reasons"]
    assert document["calibrated"]
    noise = {
        shape["path"]
        for service in document["services"]
        for endpoint in service["endpoints"]
        for kind in ("values", "shape")
        for shape in endpoint[kind]
    }
    assert noise >= NOISY, "the noise was there, and was seen"
