"""Header conditions of routes."""

from typing import Final

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.envoy.type.v3 import Int64Range

from microstax.envoy import names

_LENGTH: Final = "content-length"
_MOST: Final = 2**63 - 1


def has(name: str) -> HeaderMatcher:
    """Match where there is a header of that name."""
    return HeaderMatcher(name=name, present_match=True)


def lacks(name: str) -> HeaderMatcher:
    """Match where there is no header of that name."""
    return HeaderMatcher(name=name, present_match=True, invert_match=True)


def equals(name: str, text: str) -> HeaderMatcher:
    """Match where the header has exactly that value."""
    return HeaderMatcher(name=name, string_match=StringMatcher(exact=text))


def method_of(methods: tuple[str, ...]) -> HeaderMatcher:
    """Match where the request's method is one of `methods`."""
    if len(methods) == 1:
        return equals(":method", methods[0])
    return HeaderMatcher(
        name=":method", string_match=StringMatcher(safe_regex=RegexMatcher(regex="|".join(sorted(methods))))
    )


def body_within(low: int, high: int) -> tuple[HeaderMatcher, ...]:
    """Match a body of more than `low` and at most `high` bytes; with `low` below 0, also where no size is said.

    Without a content-length, HTTP/1.1 has no body (chunked bodies are told by CHUNKED_HEADER); HTTP/2 may have one,
    which the copy's buffer then bounds. A missing header is read as an empty text, which is in no range: hence the
    inversion.
    """
    if low >= 0:
        return (HeaderMatcher(name=_LENGTH, range_match=Int64Range(start=low + 1, end=high + 1)),)
    larger = HeaderMatcher(
        name=_LENGTH,
        range_match=Int64Range(start=high + 1, end=_MOST),
        invert_match=True,
        treat_missing_header_as_empty=True,
    )
    return equals(names.CHUNKED_HEADER, ""), larger
