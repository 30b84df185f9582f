"""What a shadow's settings become from what was asked for: the end, the budgets, and what copies lack."""

from dataclasses import replace
from typing import Any

import pytest

from microstax.control.settings import Wish, decide
from microstax.errors import UsageError
from microstax.model.header_names import MOST_STRIPPED
from microstax.model.shadow import DEFAULT_MAX_TOTAL_RPS, DEFAULT_TTL_MS, MOST_TTL_MS, ShadowSettings
from microstax.store.state import PutShadow, State, apply


def decided(state: State, **wish: Any) -> ShadowSettings:
    return decide(state, state.overlays["branch"], Wish(**wish))


def with_settings(state: State, **changes: Any) -> State:
    shadow = state.shadows["branch"]
    return apply(state, PutShadow(replace(shadow, settings=replace(shadow.settings, **changes))))


def test_what_is_not_said_is_usual_where_the_shadow_is_off(state: State) -> None:
    off = with_settings(state, enabled=False, ttl_ms=5_000, strip_headers=("cookie",), max_total_rps=7)
    chosen = decided(off)
    assert (chosen.ttl_ms, chosen.strip_headers, chosen.max_total_rps) == (DEFAULT_TTL_MS, (), DEFAULT_MAX_TOTAL_RPS)


def test_what_is_not_said_stays_where_it_is_on(state: State) -> None:
    on = with_settings(state, ttl_ms=5_000, strip_headers=("cookie",), max_total_rps=7)
    chosen = decided(on)
    assert (chosen.ttl_ms, chosen.strip_headers, chosen.max_total_rps) == (5_000, ("cookie",), 7)
    never = with_settings(state, ttl_ms=0)
    assert decided(never).ttl_ms == 0


@pytest.mark.parametrize("ttl_ms", [0, 1_000, MOST_TTL_MS])
def test_an_end_within_a_year_or_none(state: State, ttl_ms: int) -> None:
    assert decided(state, ttl_ms=ttl_ms).ttl_ms == ttl_ms


@pytest.mark.parametrize("ttl_ms", [-1, 999, MOST_TTL_MS + 1])
def test_no_other_end(state: State, ttl_ms: int) -> None:
    with pytest.raises(UsageError, match="must be at least 1 s and at most 365 days; 'never' lets"):
        decided(state, ttl_ms=ttl_ms)


def test_headers_are_said_as_a_whole(state: State) -> None:
    on = with_settings(state, strip_headers=("cookie",))
    assert decided(on, strip_headers=("X-Api-Key", "authorization", "x-api-key")).strip_headers == (
        "authorization",
        "x-api-key",
    )
    assert decided(on, strip_nothing=True).strip_headers == ()
    with pytest.raises(UsageError, match="contradict each other"):
        decided(on, strip_nothing=True, strip_headers=("cookie",))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (":authority", "is no header but a part of the request line"),
        ("", "is no name of a header"),
        ("two words", "is no name of a header"),
        ("größe", "is no name of a header"),
        ("x" * 257, "is no name of a header"),
        ("Host", "--strip-header host would leave a request that no server can read"),
        ("content-length", "would leave a request that no server can read"),
        ("Transfer-Encoding", "would leave a request that no server can read"),
        ("connection", "is about one connection"),
        ("x-microstax-exchange", "is microstax's own"),
    ],
)
def test_some_headers_cannot_be_taken_out(state: State, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        decided(state, strip_headers=(name,))


def test_there_is_a_limit_to_them(state: State) -> None:
    names = tuple(f"x-{number}" for number in range(MOST_STRIPPED + 1))
    assert len(decided(state, strip_headers=names[:-1]).strip_headers) == MOST_STRIPPED
    with pytest.raises(UsageError, match=f"names {MOST_STRIPPED + 1} headers, and at most {MOST_STRIPPED}"):
        decided(state, strip_headers=names)


@pytest.mark.parametrize("asked", [0, 1_000_001])
def test_a_budget_of_all_services_has_bounds(state: State, asked: int) -> None:
    with pytest.raises(UsageError, match=f"--max-total-rps is {asked}, and must be at least 1 and at most 1000000"):
        decided(state, max_total_rps=asked)
    assert decided(state, max_total_rps=1).max_total_rps == 1
