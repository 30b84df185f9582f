"""What can be said about the JSON body of a request: features like `field $.customer.country=DE`."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from microstax.diff.json_text import NotFinite, NotJsonError, parse
from microstax.diff.places import general_step
from microstax.diff.sayable import MAX_NAME, MORE, value_of
from microstax.diff.walk import CONTAINERS, type_name
from microstax.model.exchange import Request
from microstax.model.media import looks_like_json
from microstax.model.paths import ELEMENT, ROOT

FIELD: Final = "field"
_BYTES: Final = 256 * 1024
_DEPTH: Final = 3
_VISITED: Final = 64
_ELEMENTS: Final = 4
_NUMBER: Final = 12
"""Characters of a number."""
_IS: Final = " is "
_ARTICLES: Final = {"array": "an array", "object": "an object", "null": "null"}


def fields_of(request: Request, content_type: str) -> Iterator[str]:
    """Yield the features of a JSON body, a few levels deep; `field ...` says that there is more. Never raises."""
    body = request.body
    if not body or not looks_like_json(body, content_type):
        return
    try:
        document = parse(body) if len(body) <= _BYTES else None
    except NotJsonError:
        document = None
    if document is None:
        yield f"{FIELD} {MORE}"
        return
    for visited, (place, value) in enumerate(_leaves(document, ROOT, _DEPTH)):
        if place == MORE or visited == _VISITED:
            yield f"{FIELD} {MORE}"
        if visited == _VISITED:
            return
        if place != MORE:
            yield f"{FIELD} {place}{_scalar(value)}"


def place_of(feature: str) -> str:
    """Return the place of a field, nothing for another feature."""
    family, _, rest = feature.partition(" ")
    return rest.partition("=")[0].partition(_IS)[0] if family == FIELD else ""


def implied_by(feature: str) -> Iterator[str]:
    """Yield what a field implies: that it is there, of which type it is, and the containers around it.

    The type is read from the value, since a text that could be a number, a boolean or null is quoted.
    """
    place = place_of(feature)
    name, equals, value = feature.partition("=")
    yield f"{FIELD} {place}"
    if equals:
        yield f"{name}{_IS}{_said_type(value)}"
    yield from _containers(place)


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
        if len(below) > MAX_NAME or "=" in below or _IS in below:
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
        text = value_of(str(value)) if len(str(value)) <= _NUMBER else None
    elif isinstance(value, str):
        text = value_of(value)
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


def _containers(place: str) -> Iterator[str]:
    """Yield what a field implies about the containers around it."""
    while True:
        is_element = place.endswith(ELEMENT)
        place = place[: place.rfind('["' if place.endswith('"]') else "[" if is_element else ".")]
        if len(place) <= len(ROOT):
            return
        yield f"{FIELD} {place}"
        yield f"{FIELD} {place}{_IS}{_article('array' if is_element else 'object')}"
