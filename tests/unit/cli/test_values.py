"""What a user writes for sizes, shares, durations and methods."""

import contextlib

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.cli.values import alpha, day, duration, header, methods_list, share, size, tolerance, ttl


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4096", 4096), ("64KiB", 65536), ("64k", 65536), ("1MB", 1_000_000), ("1.5 MiB", 1_572_864), ("1b", 1)],
)
def test_size(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("25%", 250_000), ("0.25", 250_000), ("100%", 10**6), ("1", 10**6)])
def test_share(text: str, expected: int) -> None:
    assert share(text) == expected


def test_the_smallest_share_is_not_none() -> None:
    assert share("0.00001%") == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("5m", 300), ("30s", 30), ("1h", 3600), ("2d", 172_800), ("500ms", 0.5), ("2", 2)]
)
def test_duration(text: str, expected: float) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("never", 0), ("Never", 0), ("0", 0), ("24h", 86_400_000), ("1ms", 1)])
def test_ttl(text: str, expected: int) -> None:
    assert ttl(text) == expected


def test_a_header_is_written_in_lower_case() -> None:
    assert header("X-Api-Key") == "x-api-key"


@pytest.mark.parametrize(("text", "expected"), [("0.05", 0.05), ("5%", 0.05), (".5", 0.5), ("1e-3", None), ("0", None)])
def test_alpha(text: str, expected: float | None) -> None:
    if expected is None:
        with pytest.raises(click.BadParameter, match="is no error rate: write it like 0.05 or 5%"):
            alpha(text)
    else:
        assert alpha(text) == pytest.approx(expected)


def test_tolerance_is_a_share() -> None:
    assert (tolerance("1%"), tolerance("0.5")) == (0.01, 0.5)


@pytest.mark.parametrize(("text", "expected"), [("2027-03-01", "2027-03-01"), ("never", ""), (" never ", "")])
def test_day(text: str, expected: str) -> None:
    assert day(text) == expected


def test_methods() -> None:
    assert methods_list("get, HEAD,GET") == ("GET", "HEAD")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (size, "big"),
        (size, "0"),
        (size, "-1"),
        (size, "9" * 400 + "G"),
        (size, "3 parsecs"),
        (share, "0"),
        (share, "0%"),
        (share, "101%"),
        (share, "2"),
        (share, "25 percent"),
        (duration, "0s"),
        (duration, "soon"),
        (duration, "5y"),
        (duration, ""),
        (day, "2027-02-30"),
        (day, "tomorrow"),
        (methods_list, "GET,,HEAD"),
        (methods_list, "GET;HEAD"),
    ],
)
def test_nonsense_is_refused_with_an_example(function: object, text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is no .*(like|write)"):
        function(text)  # type: ignore[operator]


@given(text=st.text(max_size=12))
def test_any_text_is_a_value_or_a_bad_parameter(text: str) -> None:
    for function in (size, share, duration, methods_list):
        with contextlib.suppress(click.BadParameter):
            assert function(text)
