"""What a regular expression may cost is known before it is used."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.errors import UsageError
from microstax.model.pattern_cost import TooCostlyError, cost_of
from microstax.model.redaction import MAX_PATTERN, check_pattern

STEPS = 20_000_000
CPU_S = 5.0
"""Many times what so many steps take, in CPU time, so that no other work can make a test fail."""
BODY = '{"id": 17, "mail": "ann@shop.example", "card": "4111 1111 1111 1111", "note": "as agreed"}, ' * 700


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a*)*b",
        r"(a|a)*b",
        r"(a|aa)+$",
        r"(\w+\s?)*x",
        r"(?:\d+)+@",
        r"([a-z]+)*[A-Z]",
        r"(x+x+)+y",
        r"(.*a){20}",
        r"(?:a?){40}b",
    ],
)
def test_what_may_take_for_ever_is_refused_with_a_way_out(pattern: str) -> None:
    with pytest.raises(TooCostlyError):
        cost_of(pattern)
    with pytest.raises(UsageError, match=r"repeat one class of characters instead, such as \[\\w\.-\]\+"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b\d{16}\b",
        r"\d{4}[- ]?\d{4}[- ]?\d{4}[- ]?\d{4}",
        r"(?:\d{4}[- ]?){3}\d{4}",
        r"[\w.+-]+@[\w.-]+",
        r"[\w.]+@[\w-]+(?:\.[\w-]+)+",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}",
        r'"ssn":\s*"([^"]*)"',
        r"(?i)bearer [\w.~+/-]+=*",
        r"eyJ[\w-]+\.[\w-]+\.[\w-]*",
        r"(?<=key=)\w+",
        r"(password|secret)=([^&\s]+)",
    ],
)
def test_patterns_of_everyday_are_used_on_bodies_of_everyday(pattern: str) -> None:
    assert check_pattern(pattern) == pattern
    assert len(BODY) > 60_000
    assert not cost_of(pattern).exceeds(BODY, STEPS)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"[\w.]+@[\w.]+", "a" * 65_536),
        (r"[\w.]+@[\w.]+", "a." * 32_768),
        (r".+secret.+", "a" * 65_536),
        (r"\s+$", " " * 65_536),
        (r"a[^b]*b", "a" * 65_536),
        (r"(?=.*a)(?=.*b)c", "x" * 65_536),
        (r"(x|y|key)=\w+", "x=" * 9_000 + "y" * 30_000),
        (r"-----BEGIN [\s\S]*?-----END", "-----BEGIN " * 6_000),
        (r"(?<!\w)\w+\w+@", "a" * 65_536),
    ],
)
def test_a_text_that_would_take_long_is_known(pattern: str, text: str) -> None:
    assert cost_of(pattern).exceeds(text, STEPS)


def test_what_follows_the_last_repetition_is_nothing_that_can_fail() -> None:
    cost = cost_of(r".+secret.+")
    assert not cost.exceeds("x" * 3_000, STEPS)
    assert not cost.exceeds("secret" * 500, STEPS)
    assert cost.exceeds("x" * 4_000, STEPS)
    assert cost_of(r"a.*b{1000,}").exceeds("a" + "ab" * 2_000 + "b" * 999, STEPS)


def test_a_bound_is_a_bound() -> None:
    """What is let through is fast, for texts that lie just below the limit."""
    for pattern, unit in (
        (r"[\w.]+@[\w.]+", "a"),
        (r"\w+\s*=\s*\w+;", "a "),
        (r"(?:\.\w+)+!", ".a"),
        (r".*x.*y", "x"),
        (r".+x.+", "xy"),
    ):
        cost, length = cost_of(pattern), 65_536
        while cost.exceeds(unit * length, STEPS):
            length = length * 3 // 4
        began = time.process_time()
        re.sub(pattern, "", unit * length)
        assert time.process_time() - began < CPU_S, pattern


PIECES = st.sampled_from(
    [*"ab.*+?|()[]^$\\-{}", r"\d", r"\w", "(?:", "{2,}", "{1,3}", "[^a]", "+?", "(?=", "(?i)", r"\b"]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_every_pattern_is_taken_or_refused(pattern: str) -> None:
    try:
        check_pattern(pattern)
    except UsageError:
        return
    for text in ("a" * 5_000, "ab" * 2_500, "1 " * 2_500):
        if not cost_of(pattern).exceeds(text, STEPS):
            began = time.process_time()
            re.sub(pattern, "", text)
            assert time.process_time() - began < CPU_S, pattern


@pytest.mark.parametrize("pattern", ["(", "a{99999999999999999999}", "(?P<x>a", "[b-a]", "(?<=a+)b", "(" * 500])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="redaction pattern"):
        check_pattern(pattern)


def test_a_pattern_may_not_be_a_book() -> None:
    with pytest.raises(UsageError, match=f"more than {MAX_PATTERN} characters") as caught:
        check_pattern("a" * (MAX_PATTERN + 1))
    assert len(caught.value.message) < 400
