"""The grammar of a place in a JSON body, as rules use it."""

import pytest

from microstax.errors import UsageError
from microstax.model.paths import parse_path


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("$", ()),
        ("$.user", ("user",)),
        ("$.items[].price", ("items", None, "price")),
        ('$["unit price"].a-b', ("unit price", "a-b")),
        ('$["quote \\" and \\u00e9"][][]', ('quote " and é', None, None)),
        ("$[]", (None,)),
    ],
)
def test_paths(path: str, steps: tuple[str | None, ...]) -> None:
    assert parse_path(path) == steps


@pytest.mark.parametrize(
    ("path", "place"),
    [("user", "begin"), ("$user", "character 2"), ("$.a[0]", "character 4"), ("$.1a", "character 2"), ('$["a]', "2")],
)
def test_a_wrong_path_says_where(path: str, place: str) -> None:
    with pytest.raises(UsageError, match=place):
        parse_path(path)
