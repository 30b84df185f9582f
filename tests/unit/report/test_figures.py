"""How figures are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.model import wording
from microstax.report import figures


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (0.5, "50.0%"),
        (0.123456, "12.3%"),
        (0.01, "1.0%"),
        (0.0025, "0.25%"),
        (0.0003, "0.030%"),
        (0.000001, "0.00010%"),
        (1e-300, "0.0000010%"),
        (0.985, "98.5%"),
        (0.9997, "99.970%"),
        (0.99999999999, "99.9999990%"),
        (-0.031, "-3.1%"),
        (1.5, "150.0%"),
    ],
)
def test_percent(rate: float, shown: str) -> None:
    assert figures.percent(rate) == shown


@given(rate=st.floats(0, 1))
def test_a_percentage_is_all_or_nothing_only_where_it_is(rate: float) -> None:
    shown = float(figures.percent(rate).rstrip("%")) / 100
    assert (shown == 0) == (rate == 0)
    assert (shown == 1) == (rate == 1)
    assert shown == pytest.approx(rate, abs=max(min(0.00051, 0.051 * min(rate, 1 - rate)), 1.1e-8))


@pytest.mark.parametrize(
    ("log10", "shown"),
    [
        (120.44, "e-value 10^120.4"),
        (3.0, "e-value 10^3.0"),
        (2.5, "e-value 316"),
        (1.0, "e-value 10"),
        (0.0, "e-value 1"),
        (-0.5, "e-value 0.32"),
        (-40.0, "e-value under 0.001"),
    ],
)
def test_e_value(log10: float, shown: str) -> None:
    assert figures.e_value(log10) == shown


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [(0.2, "under a minute"), (1.0, "1 minute"), (6.2, "6 minutes"), (119.0, "119 minutes"), (190.0, "3.2 hours")],
)
def test_duration(minutes: float, shown: str) -> None:
    assert wording.duration(minutes) == shown


def test_a_wait_of_days() -> None:
    assert wording.duration(3 * 24 * 60) == "3 days"
    assert wording.duration(1e9) == "694,444 days"


@pytest.mark.parametrize(
    ("needs", "minutes", "shown"),
    [
        (1200, 6.2, "about 1,200 more requests, 6 minutes at the rate so far"),
        (1, None, "about 1 more request"),
        (None, None, ""),
        (0, 0.0, ""),
    ],
)
def test_more(needs: int | None, minutes: float | None, shown: str) -> None:
    assert figures.more(needs, minutes) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.4, "0.40"), (12.44, "12.4"), (310.0, "310"), (12345.6, "12,346")]
)
def test_milliseconds(value: float | None, shown: str) -> None:
    assert figures.milliseconds(value) == shown


def test_lists_stand_largest_first() -> None:
    assert figures.listed([("PUT", 2), ("POST", 34), ("\x1b", 2)]) == "POST 34, \\x1b 2, PUT 2"
