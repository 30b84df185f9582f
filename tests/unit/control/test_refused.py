"""Refused calls: kinds of bounded number, and the report's section of counters and list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.control import fence, past, refused
from microstax.control.refused import LONGEST, MOST_KINDS, OTHER_PATHS, RefusedCall, RefusedCalls
from microstax.envoy.bridge_stats import BridgeCounters
from microstax.errors import StorageError
from microstax.model.environment import ServiceSpec
from microstax.model.overlay import OverlaySpec


def call(path: str = "/orders/17", method: str = "POST", **given: object) -> RefusedCall:
    usual: dict[str, object] = {"service": "orders", "reason": refused.METHOD, "at_ms": 1_000}
    return RefusedCall(path=path, method=method, **{**usual, **given})  # type: ignore[arg-type]


def counted(counters: BridgeCounters, service: str = "orders") -> dict[tuple[str, str], int]:
    return {(service, name): value for name, value in fence.tallies(counters)}


def test_calls_of_a_kind_are_counted_with_the_first_as_their_example() -> None:
    calls = RefusedCalls()
    calls.add([call("/orders/17?a=1", user_agent="x"), call("/orders/18", at_ms=5_000), call("/orders", "DELETE")])
    (post, found), (delete, _) = calls.kinds.items()
    assert (post.path, found.count, found.last_ms, found.path) == ("/orders/{id}", 2, 5_000, "/orders/17?a=1")
    assert (delete.method, delete.path) == ("DELETE", "/orders")


@given(st.lists(st.text(max_size=500), max_size=300))
def test_what_is_kept_is_bounded_whatever_a_branch_thinks_of(words: list[str]) -> None:
    calls = RefusedCalls()
    calls.add(call(f"/{word}" if index % 2 else word, method=word[:40]) for index, word in enumerate(words))
    calls.add(call(f"/{number}{'x' * number}/{word}") for number in range(250) for word in words[:2])
    assert len(calls.kinds) <= MOST_KINDS + 20
    assert sum(noted.count for noted in calls.kinds.values()) == len(words) + 250 * len(words[:2])
    assert all(len(text) <= LONGEST for noted in calls.kinds.values() for text in (noted.path, noted.method))
    assert RefusedCalls.from_text(calls.to_text(), generation=3).kinds == calls.kinds


def test_beyond_the_most_kinds_paths_are_counted_together() -> None:
    calls = RefusedCalls()
    calls.add(call(f"/{'a' * (number % 20 + 1)}/{'b' * (number // 20 + 1)}") for number in range(400))
    assert len(calls.kinds) == MOST_KINDS + 1
    (rest,) = (noted.count for kind, noted in calls.kinds.items() if kind.path == OTHER_PATHS)
    assert rest == 400 - MOST_KINDS


def test_another_generation_begins_anew_but_the_first_has_what_came_before_it() -> None:
    calls = RefusedCalls()
    calls.add([call()])
    calls.begin(1)
    assert len(calls.kinds) == 1
    calls.begin(2)
    assert (calls.kinds, calls.generation) == ({}, 2)


@pytest.mark.parametrize("text", ["", "{", "[[1, 2]]", '[[{"service": 1}, {}]]'])
def test_a_list_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        RefusedCalls.from_text(text, generation=1)


def test_the_section_adds_up_by_counters_and_says_what_is_not_listed() -> None:
    calls = RefusedCalls()
    calls.add([call(), call(), call("/search", "GET", reason=refused.RATE)])
    counters = BridgeCounters(
        passed=12, passed_methods={"GET": 9, "PUT": 3}, blocked={"POST": 5, "body": 1}, limited=2, overflow=1
    )
    found = fence.report(counted(counters), calls, direct="refused")
    assert (found["passed"], found["unsafe_passed"], found["refused"], found["limited"]) == (12, 3, 6, 3)
    assert found["unsafe"] == [{"service": "orders", "method": "PUT", "count": 3}]
    assert (found["unlisted"], [one["count"] for one in found["calls"]]) == (6, [2, 1])
    assert found["calls"][0]["last"] == "1970-01-01T00:00:01Z"


def test_a_list_that_is_ahead_of_the_counters_is_believed() -> None:
    calls = RefusedCalls()
    calls.add([call(), call()])
    found = fence.report({}, calls, direct="open")
    assert (found["refused"], found["unlisted"]) == (2, 0)


def test_connections_to_a_database_are_listed_by_their_counter() -> None:
    found = fence.report(counted(BridgeCounters(blocked={"tcp": 7}), "db"), RefusedCalls(), direct="refused")
    (one,) = found["calls"]
    assert (one["service"], one["method"], one["reason"], one["count"], one["last"]) == ("db", "tcp", "tcp", 7, "")
    assert (found["refused"], found["unlisted"]) == (7, 0)


@pytest.mark.parametrize(
    ("spec", "can_deny", "direct"),
    [
        ({}, True, "refused"),
        ({}, False, "open"),
        ({"direct": True}, True, "allowed"),
        ({"services": (ServiceSpec(name="a", url="http://127.0.0.1:1"),)}, True, "open"),
    ],
)
def test_what_becomes_of_connections_past_the_bridge(spec: dict[str, object], can_deny: bool, direct: str) -> None:  # noqa: FBT001
    overlay = OverlaySpec(**{"name": "next", "baseline": "prod", "services": (), **spec})  # type: ignore[arg-type]
    assert past.direct(overlay, can_deny=can_deny) == direct
    assert bool(past.warning(overlay, can_deny=can_deny)) == (direct == "open")
