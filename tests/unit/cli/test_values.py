"""What a user writes for sizes, shares, durations and methods."""

import contextlib

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.cli.values import duration, methods_list, share, size


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


@pytest.mark.parametrize(("text", "expected"), [("5m", 300), ("30s", 30), ("1h", 3600), ("500ms", 0.5), ("2", 2)])
def test_duration(text: str, expected: float) -> None:
    assert duration(text) == expected


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
