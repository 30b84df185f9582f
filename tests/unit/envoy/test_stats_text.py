"""What an admin interface says is read as far as it makes sense, and refused otherwise."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.envoy.memory import read_memory
from microstax.envoy.stats import read_counters
from microstax.envoy.stats_text import parse_stats

MIRRORED = "cluster.copy/catalog/branch/next.upstream_rq_total"


def test_counters_are_read_and_histograms_are_not() -> None:
    answer = {"stats": [{"name": MIRRORED, "value": 7}, {"histograms": {"supported_quantiles": [0.5]}}]}
    assert parse_stats(json.dumps(answer).encode()) == {MIRRORED: 7}


@pytest.mark.parametrize("value", [-1, 1.5, "7", None, True, [], 2**63, 1e99])
def test_what_is_no_count_is_left_out(value: Any) -> None:
    answer = {"stats": [{"name": MIRRORED, "value": value}, {"name": 1, "value": 1}, 7, None]}
    assert parse_stats(json.dumps(answer).encode()) == {}


@pytest.mark.parametrize("answer", [b"", b"oh", b"[]", b"{}", b'{"stats": {}}', b'{"stats": null}', b"[" * 100_000])
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_stats(answer)


@pytest.mark.parametrize(
    "name",
    [
        "cluster.copy/catalog/nowhere/next.upstream_rq_total",
        "cluster.branch/catalog/nowhere/next/h1.upstream_rq_timeout",
        "vhost.tee/catalog.route.skipped/whim.upstream_rq_total",
        "vhost.tee/catalog.route.skipped/methods.upstream_rq_total",
    ],
)
def test_names_that_no_envoy_of_ours_has_are_left_out(name: str) -> None:
    counters = read_counters({name: 1})
    assert not counters.mirrors
    assert not counters.skipped


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        (b'{"total_physical_bytes": "12582912"}', 12_582_912),
        (b'{"total_physical_bytes": 1}', 1),
        (b'{"total_physical_bytes": "-1"}', 0),
        (b'{"total_physical_bytes": []}', 0),
        (b'{"total_physical_bytes": "12e3"}', 0),
        (b"[" * 100_000, 0),
        (b"", 0),
    ],
)
def test_memory_is_what_an_envoy_says_in_digits(answer: bytes, held: int) -> None:
    assert read_memory(answer) == held


@given(st.binary())
def test_no_bytes_raise_anything_else(answer: bytes) -> None:
    with suppress(ValueError):
        parse_stats(answer)
    assert read_memory(answer) >= 0
