"""What a shadow begins with: as much as was asked for, within the limits for the traffic that there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.control.shares import first_shares, limits_of, percent
from microstax.model.shadow import MILLION, ShadowSettings

SECONDS = 0.3


def of(**given: int) -> ShadowSettings:
    return ShadowSettings(enabled=True, **{"max_rps": 1_000, "max_total_rps": 1_500, **given})


@pytest.mark.parametrize(
    ("demand", "shares"),
    [
        ({"catalog": 0.0}, {}),
        ({"catalog": 1_200.0}, {}),  # by chance, so far
        ({"catalog": 9_000.0}, {"catalog": 100_000}),
        ({"catalog": 600.0, "orders": 9_000.0}, {"orders": 90_000}),  # 900 of the 1,500 are left
        ({"catalog": 9_000.0, "orders": 9_000.0}, {"catalog": 75_000, "orders": 75_000}),
    ],
)
def test_a_service_begins_within_its_budget(demand: dict[str, float], shares: dict[str, int]) -> None:
    assert first_shares(of(), demand, seconds=SECONDS) == shares


def test_what_was_asked_for_counts_and_not_all_that_comes() -> None:
    assert first_shares(of(sample_ppm=50_000), {"catalog": 9_000.0}, seconds=SECONDS) == {}


def test_which_flag_holds_it() -> None:
    assert limits_of(of(), [9_000.0]).flag == "--max-rps"
    assert limits_of(of(), [9_000.0, 9_000.0]).flag == "--max-total-rps"


@given(
    st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e6), max_size=3),
    st.integers(1, 10_000),
    st.integers(1, 20_000),
    st.integers(1, MILLION),
)
def test_shares_are_shares_and_within_the_limit(
    demand: dict[str, float], max_rps: int, total: int, sample_ppm: int
) -> None:
    settings = of(max_rps=max_rps, max_total_rps=total, sample_ppm=sample_ppm)
    shares = first_shares(settings, demand, seconds=SECONDS)
    for service, ppm in shares.items():
        assert 1 <= ppm < sample_ppm
        assert demand[service] * (ppm - 1) / MILLION <= max_rps


def test_percent() -> None:
    assert [percent(ppm) for ppm in (MILLION, 125_000, 1)] == ["100%", "12.5%", "0.0001%"]
