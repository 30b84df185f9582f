"""The rules: what is refused, and how they travel."""

import pytest

from microstax.capture.redaction import Redaction
from microstax.errors import UsageError

KEY = b"k" * 32


def test_rules_travel_as_they_are() -> None:
    rules = Redaction(
        key=KEY, headers=("x-token",), json_paths=("$.user.email",), parameters=("token",), patterns=(r"\d{16}",)
    )
    assert Redaction.from_bytes(rules.to_bytes()) == rules


def test_no_rules_are_the_defaults_under_a_key_of_their_own() -> None:
    first, second = Redaction.from_bytes(b""), Redaction.from_bytes(b"")
    assert first.headers == ()
    assert first.key != second.key


@pytest.mark.parametrize("data", [b"\xc1", b"\x01", b"\x80", b"\x81\xa3key\x01", b"garbage"])
def test_unreadable_rules_are_refused_and_not_taken_for_none(data: bytes) -> None:
    with pytest.raises(UsageError):
        Redaction.from_bytes(data)


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 65])
def test_a_key_must_be_one(key: bytes) -> None:
    with pytest.raises(UsageError, match="redaction key has"):
        Redaction(key=key)


def test_a_pattern_must_be_one() -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        Redaction(key=KEY, patterns=("(",))
    with pytest.raises(UsageError, match="matches the empty text"):
        Redaction(key=KEY, patterns=("a*",))


def test_a_path_must_be_one() -> None:
    with pytest.raises(UsageError, match="does not begin"):
        Redaction(key=KEY, json_paths=("user.email",))
