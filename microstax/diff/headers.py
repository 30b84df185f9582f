"""Compare response headers and trailers: what describes behaviour, not what describes this one answer."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from microstax.diff.json_text import shown_text
from microstax.diff.rules import Rules
from microstax.diff.variations import Variation
from microstax.model.difference import HeaderDifference, HeaderKind
from microstax.model.exchange import Exchange, Headers

_Values = dict[str, list[str]]
_NAME_SHOWN: Final = 80
_LOCAL_HOSTS: Final = ("localhost", "127.", "[::1]", "0.0.0.0", "10.", "192.168.")  # noqa: S104  # no address to bind


def compare_headers(base: Exchange, other: Exchange, rules: Rules) -> tuple[HeaderDifference | Variation, ...]:
    """Return how the headers and trailers of two answers differ, by name.

    A name that stands several times is compared as its values in order; `set-cookie` as the names of the cookies;
    `location` without a host that is the request's own or a private one. Both exchanges must have a response.
    """
    left, right = _all_headers(base), _all_headers(other)
    if left == right:
        return ()
    names = {name for name, _ in set(left).symmetric_difference(right)}
    if len(left) != len(right):
        names |= _uneven(left, right)
    if not names:
        return ()
    sides = (base, _by_name(left, names)), (other, _by_name(right, names))
    return tuple(islice(_differences(sorted(names), *sides, rules=rules), rules.max_differences))


def _by_name(headers: Headers, names: set[str]) -> _Values:
    """Return the values of the names that differ: an answer may have ten thousand headers."""
    found: _Values = {}
    for name, value in headers:
        if name in names:
            found.setdefault(name, []).append(value)
    return found


def _differences(
    names: list[str], base: tuple[Exchange, _Values], other: tuple[Exchange, _Values], *, rules: Rules
) -> Iterator[HeaderDifference | Variation]:
    for name in names:
        if name in rules.volatile_headers or name.startswith(rules.volatile_prefixes):
            continue
        before, after = _value(name, base, rules), _value(name, other, rules)
        if before == after:
            continue
        told = shown_text(name, _NAME_SHOWN)
        if after is None:
            yield HeaderDifference(HeaderKind.MISSING, told, shown_text(before or ""), None)
        elif before is None:
            yield HeaderDifference(HeaderKind.EXTRA, told, None, shown_text(after))
        elif name not in rules.presence_headers:
            yield Variation.of_header(told, before, after)


def _all_headers(exchange: Exchange) -> Headers:
    response = exchange.response
    if response is None:
        return ()
    return response.headers + response.trailers if response.trailers else response.headers


def _uneven(left: Headers, right: Headers) -> set[str]:
    """Return the names of headers that stand more often on one side, with the same value."""
    before, after = Counter(left), Counter(right)
    return {name for name, _ in (before - after) | (after - before)}


def _value(name: str, side: tuple[Exchange, _Values], rules: Rules) -> str | None:
    exchange, headers = side
    values = headers.get(name)
    if values is None:
        return None
    if name == "set-cookie":
        return ", ".join(sorted({value.partition("=")[0].strip() for value in values}))
    if name == "location":
        return _local(values[0], exchange)
    if name == "content-type":
        return _media_type(values[0])
    if name in rules.list_headers:
        return ", ".join(sorted(item.strip().lower() for value in values for item in value.split(",")))
    return ", ".join(values)


def _media_type(value: str) -> str:
    """Return a content type in one spelling: names and charsets are case-insensitive (RFC 9110, 8.3)."""
    return "; ".join(part.strip().replace('"', "").lower() for part in value.split(";") if part.strip())


def _local(value: str, exchange: Exchange) -> str:
    """Return the target of a redirect without the host, where the host only says who answered."""
    try:
        target = urlsplit(value)
    except ValueError:
        return value
    host = target.netloc.lower()
    if not host or not (host == exchange.request.authority.lower() or host.startswith(_LOCAL_HOSTS)):
        return value
    return target._replace(scheme="", netloc="").geturl() or "/"
