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
from typing import Any, Final
from urllib.parse import parse_qsl

from microstax.diff.formats import is_identifier
from microstax.diff.json_text import NotFinite, NotJsonError, parse
from microstax.diff.places import general_step
from microstax.diff.rules import Rules
from microstax.diff.templates import ID
from microstax.diff.walk import CONTAINERS, type_name
from microstax.model.exchange import Headers, Request
from microstax.model.media import looks_like_json
from microstax.model.paths import ANY_NAME, ELEMENT, ROOT

FAMILIES: Final = ("method", "query", "field", "form", "header", "cookie", "path")
"""In the order in which a condition prefers them."""
LONGEST: Final = 64
MORE: Final = "..."
"""`query ...`: the request has more parameters than are told of, so none of them can be said to be missing."""

_LIMITS: Final = {"method": 1, "query": 8, "path": 3, "field": 12, "form": 3, "header": 6, "cookie": 3}
"""In the order in which features are told of a request, while there is room."""
FEATURES: Final = sum(_LIMITS.values())
_BYTES: Final = 640
"""Of all that is told of one request."""
_NAME: Final = 40
_VALUE: Final = 40
_PATH_VALUE: Final = 20
_DIGITS: Final = 6
"""Of a number that may be said: a page, a size, an amount, but no customer's number."""
_PATH_DIGITS: Final = 9
_READ: Final = 8_192
_BODY: Final = 256 * 1024
_DEPTH: Final = 3
_VISITED: Final = 64
_ELEMENTS: Final = 4
_IS: Final = " is "
_FORM: Final = "application/x-www-form-urlencoded"

_PREFERRED: Final = frozenset({"accept", "accept-language"})
"""Lists of preferences: the first is what is asked for."""
_SAID: Final = frozenset({"accept-encoding", "api-version", "content-language", "content-type", "origin", "prefer"})
_PRESENT: Final = frozenset(
    {"authorization", "if-match", "if-modified-since", "if-none-match", "proxy-authorization", "range", "x-api-key"}
)
_PROXIES: Final = ("x-forwarded-", "x-real-", "x-b3-", "x-amz", "x-cloud-", "x-microstax-", "x-datadog-", "x-ot-")
"""Who passed the request on, and how it is traced: nothing that its sender asked for."""

_ARTICLES: Final = {"array": "an array", "object": "an object", "null": "null"}


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
        "field": () if is_form else _fields(request, content_type),
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
    """Return a feature and what it implies: `query country=DE` that there is a `query country`.

    A field's value implies its type, since a text that could be read as a number, a boolean or null is quoted; and a
    field implies those it is in.
    """
    name, equals, value = feature.partition("=")
    place = _place(feature)
    if not place:
        return (feature, name) if equals else (feature,)
    types = (f"{name}{_IS}{_said_type(value)}",) if equals else ()
    return tuple(dict.fromkeys((feature, f"field {place}", *types, *_containers(place))))


def is_more(feature: str) -> bool:
    """Tell whether the feature says that others were left out."""
    return feature.endswith(f" {MORE}")


def _containers(place: str) -> Iterator[str]:
    """Yield what a field implies about the containers around it."""
    while True:
        is_element = place.endswith(ELEMENT)
        place = place[: place.rfind('["' if place.endswith('"]') else "[" if is_element else ".")]
        if len(place) <= len(ROOT):
            return
        yield f"field {place}"
        yield f"field {place}{_IS}{_article('array' if is_element else 'object')}"


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
    place = _place(feature)
    return (place.count(".") + place.count("["), feature)


def _place(feature: str) -> str:
    """Return the place of a field, nothing for another feature."""
    family, _, rest = feature.partition(" ")
    return rest.partition("=")[0].partition(_IS)[0] if family == "field" else ""


def _pairs(family: str, text: str) -> Iterator[str]:
    """Yield the parameters of a query or form (WHATWG URL, 5.1)."""
    for name, value in parse_qsl(text[:_READ], keep_blank_values=True, errors="backslashreplace"):
        if _is_name(name):
            yield _told(f"{family} {name}", _value(value))


def _headers(request: Request, rules: Rules) -> Iterator[str]:
    if request.authority:
        yield _told("header host", _value(request.authority.lower()))
    for name, value in request.headers:
        if name in _PRESENT:
            yield f"header {name}"
        elif name == "user-agent":
            yield _told("header user-agent", _value(value.partition("/")[0].strip()))
        elif name in _PREFERRED:
            yield _told(f"header {name}", _value(value.partition(",")[0].partition(";")[0].strip()))
        elif name in _SAID or (name.startswith("x-") and not _is_volatile(name, rules)):
            yield _told(f"header {name}", _value(value))


def _is_volatile(name: str, rules: Rules) -> bool:
    return (
        not _is_name(name)
        or name in rules.volatile_headers
        or name.startswith((*rules.volatile_prefixes, *_PROXIES))
        or name.endswith(("-id", "-token", "-key", "-signature", "-secret"))
    )


def _cookies(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        if name == "cookie":
            crumbs = (crumb.partition("=") for crumb in value[:_READ].split(";"))
            yield from (
                f"cookie {cookie.strip()}" for cookie, equals, _ in crumbs if equals and _is_name(cookie.strip())
            )


def _ids(path: str, template: str) -> Iterator[str]:
    """Yield the segments that the template does not show; of several, each is told with the segment before it."""
    shown, hidden = template.split("/"), path[:_READ].split("/")
    several = shown.count(ID) > 1
    for at, (name, segment) in enumerate(zip(shown, hidden, strict=False)):
        value = _value(segment, longest=_PATH_VALUE, digits=_PATH_DIGITS)
        if name == ID and value:
            yield f"path {shown[at - 1]}/{ID}={value}" if several and at else f"path {ID}={value}"


def _fields(request: Request, content_type: str) -> Iterator[str]:
    body = request.body
    if not body or not looks_like_json(body, content_type):
        return
    try:
        document = parse(body) if len(body) <= _BODY else None
    except NotJsonError:
        document = None
    if document is None:
        yield f"field {MORE}"
        return
    for visited, (place, value) in enumerate(_leaves(document, ROOT, _DEPTH)):
        if place == MORE or visited == _VISITED:
            yield f"field {MORE}"
        if visited == _VISITED:
            return
        if place != MORE:
            yield f"field {place}{_scalar(value)}"


def _leaves(value: Any, place: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the places below a value with what stands there; of a container that has something in it, what that is."""
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = ((place + general_step(name), item) for name, item in value.items())
    elif isinstance(value, list):
        inner = ((place + ELEMENT, item) for item in value[:_ELEMENTS])
        if len(value) > _ELEMENTS:
            yield MORE, None
    for below, item in inner:
        if len(below) > _NAME or "=" in below or _IS in below:
            yield MORE, None
        elif depth > 1 and item and type(item) in CONTAINERS:
            yield from _leaves(item, below, depth - 1)
        else:
            yield below, item


def _scalar(value: Any) -> str:
    """Return what can be said about a member's value: `=DE`, or ` is an array`."""
    text = None
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, NotFinite | int | float):
        text = _value(str(value)) if len(str(value)) <= 2 * _DIGITS else None
    elif isinstance(value, str):
        text = _value(value)
        if text is not None and _said_type(text) != _article("string"):
            text = f'"{text}"'
    return f"{_IS}{_article(type_name(value))}" if text is None else f"={text}"


def _said_type(text: str) -> str:
    """Return the type of a value as `_scalar` writes it."""
    if text in ("true", "false"):
        return _article("boolean")
    if text == "null":
        return text
    try:
        float(text)
    except ValueError:
        return _article("string")
    return _article("number")


def _article(name: str) -> str:
    return _ARTICLES.get(name, f"a {name}")


def _header(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name == wanted), "")


def _told(name: str, value: str | None) -> str:
    told = f"{name}={value}"
    return name if value is None or len(told) > LONGEST else told


def _is_name(text: str) -> bool:
    """Tell whether a name is one that many requests may have, and can be written down as it is."""
    plain = text.isprintable() and text == text.strip() and "=" not in text
    return 0 < len(text) <= _NAME and plain and not is_identifier(text) and text not in (MORE, ANY_NAME)


def _value(text: str, *, longest: int = _VALUE, digits: int = _DIGITS) -> str | None:
    """Return a value if many requests may have it, None for one that is not worth saying or nothing at all."""
    if not 0 < len(text) <= longest or not text.isprintable():
        return None
    if is_identifier(text):
        number = text.lstrip("+-")
        return text if number.isascii() and number.isdigit() and len(number) <= digits else None
    return text
