"""What a value looks like: formats, lengths, signs and magnitudes, and in which of them two values differ."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.formats import ANEW
from microstax.diff.signatures import Signature, aspects, signature_of
from microstax.diff.variations import Variation

FORMATS = [
    ("e58ed763-928c-4155-bee9-fdbaaadc15f3", "uuid"),
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "ulid"),
    ("2026-11-24T07:00:00Z", "rfc3339"),
    ("2026-11-24 07:00:00.123+01:00", "rfc3339"),
    ("2026-11-24T07:00:00", "local_time"),
    ("Tue, 24 Nov 2026 07:00:00 GMT", "http_date"),
    ("Tue, 24 Nov 2026 07:00:00 +0000", "mail_date"),
    ("4 Nov 2026 07:00:00 UTC", "mail_date"),
    ("Wed Nov  4 07:00:00 2026", "ctime"),
    ("24/Nov/2026:07:00:00 +0000", "log_time"),
    ("07:00:00.123", "time"),
    ("07:00", "text"),
    ("1795503600.25", "epoch_s"),
    ("2026-11-24", "date"),
    (1795503600, "epoch_s"),
    (1795503600.25, "epoch_s"),
    (1795503600123, "epoch_ms"),
    (1795503600123456, "epoch_us"),
    (1795503600123456789, "epoch_ns"),
    ("1795503600123", "epoch_ms"),
    ("0a097c976bf46c697d2caf82eeeacbe2", "hex"),
    ("A1B2C3D4", "short_hex"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_", "jwt"),
    ("q83vEjRWeJCrze8SNFZ4kKs=", "base64"),
    ("kV3xT-9aQz_7LmN2pR8sWbYc", "base64"),
    ("https://shop.test/a?b=c", "url"),
    ("jo@shop.test", "email"),
    ("17", "integer"),
    ("-17.50", "decimal"),
    (17, "integer"),
    (-1795503600, "integer"),
    (99999999999999999999999, "integer"),
    (17.5, "decimal"),
    (1e300, "decimal"),
    ("", "empty"),
    ("hello world, this is text", "text"),
    ("deadbeefdeadbeef", "text"),
    ("MicrosoftOffice2026Professional", "text"),
    ("internationalization", "text"),
    ("an address: jo@shop.test", "text"),
    ("redacted:0a097c976bf46c69", "redacted"),
    ("line\nbreak", "text"),
]


@pytest.mark.parametrize(("value", "expected"), FORMATS)
def test_formats(value: Any, expected: str) -> None:
    signature = signature_of(value)
    assert signature is not None
    assert signature.format == expected


@pytest.mark.parametrize(
    ("base", "other", "expected"),
    [
        ("e58ed763-928c-4155-bee9-fdbaaadc15f3", "0a097c976bf46c697d2caf82eeeacbe2", [("format", "uuid>hex")]),
        ("2026-11-24T07:00:00Z", "2026-11-24T07:00:00", [("format", "rfc3339>local_time")]),
        (1795503600, 1795503600123, [("format", "epoch_s>epoch_ms")]),
        ("0a097c976bf46c697d2caf82eeeacbe2", "", [("format", "hex>empty")]),
        ("jo@shop.test", "https://shop.test", [("format", "email>url")]),
        ("some words", "some more words that are longer", [("length_class", "")]),
        ("some words", "other word", []),
        (17, -17, [("sign", "")]),
        (17, 0, [("sign", "")]),
        (17, 1700, [("magnitude", "")]),
        (17, -1700.5, [("format", "integer>decimal"), ("sign", ""), ("magnitude", "")]),
        (17, 99, []),
        (0.5, 0.05, [("magnitude", "")]),
        # What a clock says is long and large as it comes.
        ("2026-11-24T07:00:00Z", "2027-11-24T07:00:00.123456789+01:00", []),
        (1795503600, 995503600, []),
    ],
)
def test_aspects(base: Any, other: Any, expected: list[tuple[str, str]]) -> None:
    before, after = signature_of(base), signature_of(other)
    assert before is not None
    assert after is not None
    assert list(aspects(before, after)) == expected


@pytest.mark.parametrize("value", [None, True, False, [], {}, [1], {"a": 1}])
def test_what_has_no_form_has_no_signature(value: Any) -> None:
    assert signature_of(value) is None


VALUES = st.text() | st.integers(-(10**400), 10**400) | st.floats(allow_nan=False, allow_infinity=False) | st.binary()


@given(base=VALUES, other=VALUES)
def test_any_two_values_compare_alike_both_ways(base: Any, other: Any) -> None:
    before, after = signature_of(base), signature_of(other)
    assert before is not None
    assert after is not None
    forth, back = aspects(before, after), aspects(after, before)
    assert [kind for kind, _ in forth] == [kind for kind, _ in back]
    assert not aspects(before, before)
    assert bool(forth) is (before != after)


@given(value=st.integers(-(10**400), 10**400) | st.floats(allow_nan=False, allow_infinity=False))
def test_signs_and_magnitudes_are_those_of_the_number(value: float) -> None:
    signature = signature_of(value)
    assert signature is not None
    if signature.sign is None:
        assert signature == Signature(signature.format)
        assert signature.format.startswith("epoch")
    else:
        assert (signature.sign > 0, signature.sign < 0) == (value > 0, value < 0)
        assert signature.magnitude is None or isinstance(signature.magnitude, int)
    if isinstance(value, int) and 0 < value < 10**6:
        assert signature.magnitude == len(str(value)) - 1


def test_a_long_text_is_judged_as_a_whole() -> None:
    base, other = "word " * 100, "word " * 1000
    variation = Variation.of_value("$.a", base, other)
    assert [aspect.kind for aspect in variation.aspects()] == ["length_class"]
    assert len(variation.sides()[1]) < 200
    token = Variation.of_value("$.a", "0a" * 150, "0z" * 150)
    assert [(aspect.kind, aspect.detail) for aspect in token.aspects()] == [("format", "hex>text")]


@pytest.mark.parametrize("name", ["email", "url", "text", "integer", "date", "short_hex", "redacted", "empty"])
def test_what_is_not_made_anew_is_no_noise(name: str) -> None:
    assert name not in ANEW


def test_an_id_that_is_a_number_does_not_grow() -> None:
    """An id that is made of the time (a snowflake) is larger on the side that answers later."""
    assert Variation.of_value("$.a", 7_398_752_258_155_873_839, 7_398_752_258_436_894_705).growth() is None
    assert Variation.of_value("$.a", 2**53, 2**53 + 1).growth() == 1


def test_numbers_that_no_double_holds_are_compared_without_an_error() -> None:
    variation = Variation.of_value("$.a", 10**400, 0.5)
    assert variation.growth() is None
    assert variation.direction() == 0
    assert Variation.of_value("$.a", 10**400, 10**400 + 1).growth() is None
    assert json.loads(variation.sides()[1]) == 0.5
