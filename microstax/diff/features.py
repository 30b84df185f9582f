"""What can be said about a request: the terms that a condition on requests is made of.

A feature is a short text for people, the same for the same request in every process:

    method POST                     query country=DE          path {id}=7
    header accept-language=de-DE    cookie beta               field $.customer.country=DE
    form country=DE                 field $.items is an array

Only what many requests may have in common is worth saying: of a value that names one thing among many (an id, a time, a
token, an address, long texts) only that it is there. Credentials and the values of cookies are never said; what was
redacted is a hash here as everywhere. What a family of features has more of than its limit is left out, and `query ...`
says so.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final
from urllib.parse import parse_qsl

from microstax.diff.request_fields import FIELD, fields_of, implied_by, place_of
from microstax.diff.rules import Rules
from microstax.diff.sayable import LONGEST, MORE, is_name, told_with, value_of
from microstax.diff.templates import ID
from microstax.model.exchange import Headers, Request

FAMILIES: Final = ("method", "query", FIELD, "form", "header", "cookie", "path")
"""In the order in which a condition prefers them."""

_LIMITS: Final = {"method": 1, "query": 8, "path": 3, FIELD: 12, "form": 3, "header": 6, "cookie": 3}
"""In the order in which features are told of a request, while there is room."""
FEATURES: Final = sum(_LIMITS.values())
_BYTES: Final = 640
"""Of all that is told of one request."""
_PATH_VALUE: Final = 20
_PATH_DIGITS: Final = 9
_READ: Final = 8_192
_FORM: Final = "application/x-www-form-urlencoded"

_PREFERRED: Final = frozenset({"accept", "accept-language"})
"""Lists of preferences: the first is what is asked for."""
_SAID: Final = frozenset({"accept-encoding", "api-version", "content-language", "content-type", "origin", "prefer"})
_PRESENT: Final = frozenset(
    {"authorization", "if-match", "if-modified-since", "if-none-match", "proxy-authorization", "range", "x-api-key"}
)
_PROXIES: Final = ("x-forwarded-", "x-real-", "x-b3-", "x-amz", "x-cloud-", "x-microstax-", "x-datadog-", "x-ot-")
"""Who passed the request on, and how it is traced: nothing that its sender asked for."""


def features_of(request: Request, template: str, rules: Rules) -> tuple[str, ...]:
    """Return what can be said about a request to an endpoint with this path template, sorted, at most FEATURES.

    Each is at most LONGEST characters that UTF-8 can carry and a terminal can print. Never raises.
    """
    path, _, query = request.path.partition("?")
    content_type = _header(request.headers, "content-type").lower()
    is_form = content_type.startswith(_FORM)
    families: dict[str, Iterable[str]] = {
        "method": [f"method {request.method}"],
        "query": _pairs("query", query),
        "path": _ids(path, template),
        FIELD: () if is_form else fields_of(request, content_type),
        "form": _pairs("form", request.body[:_READ].decode("latin-1")) if is_form else (),
        "header": _headers(request, rules),
        "cookie": _cookies(request.headers),
    }
    found: list[str] = []
    room = _BYTES
    for family, most in _LIMITS.items():
        told = _limited(family, families[family], most, room)
        room -= sum(len(feature.encode()) for feature in told)
        found += told
    return tuple(sorted(found))


@lru_cache(maxsize=8_192)
def implied(feature: str) -> tuple[str, ...]:
    """Return a feature and what it implies: `query country=DE` that there is a `query country`."""
    if place_of(feature):
        return tuple(dict.fromkeys((feature, *implied_by(feature))))
    name, equals, _ = feature.partition("=")
    return (feature, name) if equals else (feature,)


def is_more(feature: str) -> bool:
    """Tell whether the feature says that others were left out."""
    return feature.endswith(f" {MORE}")


def _limited(family: str, features: Iterable[str], most: int, room: int) -> list[str]:
    """Return the first `most` features of a family, of at most `room` bytes, and whether there were more.

    None is told twice, nor one that is too long to be read or cannot be printed.
    """
    told = sorted({feature for feature in features if len(feature) <= LONGEST and feature.isprintable()}, key=_order)
    ends = accumulate(len(feature.encode()) for feature in told)
    fitting = sum(end <= room for end in ends)
    return told if len(told) <= min(most, fitting) else [*told[: min(most - 1, fitting)], f"{family} {MORE}"]


def _order(feature: str) -> tuple[int, str]:
    """Return what sorts features by their text, and fields that are nearer to the body's root first."""
    place = place_of(feature)
    return (place.count(".") + place.count("["), feature)


def _pairs(family: str, text: str) -> Iterator[str]:
    """Yield the parameters of a query or form (WHATWG URL, 5.1)."""
    for name, value in parse_qsl(text[:_READ], keep_blank_values=True, errors="backslashreplace"):
        if is_name(name):
            yield told_with(f"{family} {name}", value_of(value))


def _headers(request: Request, rules: Rules) -> Iterator[str]:
    if request.authority:
        yield told_with("header host", value_of(request.authority.lower()))
    for name, value in request.headers:
        if name in _PRESENT:
            yield f"header {name}"
        elif name == "user-agent":
            yield told_with("header user-agent", value_of(value.partition("/")[0].strip()))
        elif name in _PREFERRED:
            yield told_with(f"header {name}", value_of(value.partition(",")[0].partition(";")[0].strip()))
        elif name in _SAID or (name.startswith("x-") and not _is_volatile(name, rules)):
            yield told_with(f"header {name}", value_of(value))


def _is_volatile(name: str, rules: Rules) -> bool:
    return (
        not is_name(name)
        or name in rules.volatile_headers
        or name.startswith((*rules.volatile_prefixes, *_PROXIES))
        or name.endswith(("-id", "-token", "-key", "-signature", "-secret"))
    )


def _cookies(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        if name == "cookie":
            crumbs = (crumb.partition("=") for crumb in value[:_READ].split(";"))
            yield from (
                f"cookie {cookie.strip()}" for cookie, equals, _ in crumbs if equals and is_name(cookie.strip())
            )


def _ids(path: str, template: str) -> Iterator[str]:
    """Yield the segments that the template does not show; of several, each is told with the segment before it."""
    shown, hidden = template.split("/"), path[:_READ].split("/")
    several = shown.count(ID) > 1
    for at, (name, segment) in enumerate(zip(shown, hidden, strict=False)):
        value = value_of(segment, longest=_PATH_VALUE, digits=_PATH_DIGITS)
        if name == ID and value:
            yield f"path {shown[at - 1]}/{ID}={value}" if several and at else f"path {ID}={value}"


def _header(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name == wanted), "")
