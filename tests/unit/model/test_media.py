"""What is taken for JSON."""

import pytest

from microstax.model.media import looks_like_json


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"1", "application/problem+json", True),
        (b'\xef\xbb\xbf \n{"a": 1}', "text/plain", True),
        (b"[1]", "", True),
        (b"<html>", "text/html", False),
        (b"", "", False),
    ],
)
def test_by_content_type_or_by_how_it_begins(body: bytes, content_type: str, *, expected: bool) -> None:
    assert looks_like_json(body, content_type) is expected
