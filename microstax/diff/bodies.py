"""What a body is, and how two bodies differ: as JSON, as text, or as bytes.

A chunked answer that broke off (the branch died in the middle) looks whole to the tap. Cut JSON does not parse, so it
is a text where the baseline has JSON; a cut text or binary is another one. Each shows as a difference.
"""

from enum import StrEnum
from typing import Any, Final

from microstax.diff.json_text import NotJsonError, TooMuchError, parse
from microstax.diff.rules import Rules
from microstax.diff.variations import Variation
from microstax.diff.walk import Align, Walk
from microstax.model.difference import BodyDifference, BodyKind, Difference
from microstax.model.exchange import Exchange
from microstax.model.media import holds_more, looks_like_json

_TEXT_TYPES: Final = ("text/", "xml", "javascript", "json", "x-www-form-urlencoded", "yaml", "graphql")
_NUL: Final = b"\0"


class Content(StrEnum):
    """What a body turned out to be, whatever its content type says."""

    EMPTY = "empty"
    JSON = "json"
    TEXT = "text"
    BINARY = "binary"


class Body:
    """One answer's body, read at most once, and only if somebody asks: equal bytes need no parse.

    `is_large` says, once it was read, that it may be JSON and is beyond what is taken apart: it counts as a text.
    """

    __slots__ = ("_content", "_document", "data", "is_large", "media_type")

    def __init__(self, exchange: Exchange) -> None:
        response = exchange.response
        self.data = b"" if response is None else response.body
        self.media_type = _media_type(exchange)
        self.is_large = False
        self._content: Content | None = None
        self._document: Any = None

    def content(self, rules: Rules) -> Content:
        """Return what the body is. A body that is not what its content type says is what it is."""
        if self._content is None:
            self._content = self._read(rules)
        return self._content

    @property
    def document(self) -> Any:
        """The JSON document, once `content` has said JSON."""
        return self._document

    def _read(self, rules: Rules) -> Content:
        if not self.data:
            return Content.EMPTY
        if looks_like_json(self.data, self.media_type):
            try:
                self._document = _parse(self.data, rules)
            except NotJsonError as error:
                self.is_large = isinstance(error, TooMuchError)
            else:
                return Content.JSON
        return Content.TEXT if self._is_text() else Content.BINARY

    def _is_text(self) -> bool:
        if _NUL in self.data:
            return False
        try:
            self.data.decode()
        except UnicodeDecodeError:
            return any(name in self.media_type for name in _TEXT_TYPES)
        return True


def compare_bodies(base: Body, other: Body, *, rules: Rules, align: Align) -> tuple[Difference | Variation, ...]:
    """Return how two bodies differ. Never raises, whatever the bytes."""
    if base.data == other.data:
        return ()
    before, after = base.content(rules), other.content(rules)
    if base.is_large or other.is_large:
        # That one side was read and the other is too large for it, is no news: both are compared as a whole.
        before, after = (Content.TEXT if content is Content.JSON else content for content in (before, after))
    if before is not after:
        return (BodyDifference(BodyKind.CONTENT_TYPE, before, after),)
    if before is Content.JSON:
        return Walk(rules, align).run(base.document, other.document)
    kind = BodyKind.TEXT if before is Content.TEXT else BodyKind.BINARY
    return (Variation.of_body(kind, base.data, other.data),)


def _parse(data: bytes, rules: Rules) -> Any:
    if len(data) > rules.max_json_bytes or holds_more(data, rules.max_json_values):
        raise TooMuchError("more than is looked at")
    return parse(data)


def _media_type(exchange: Exchange) -> str:
    if exchange.response is not None:
        for name, value in exchange.response.headers:
            if name == "content-type":
                return value.lower()
    return ""
