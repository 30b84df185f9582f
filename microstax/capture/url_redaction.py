"""Replace parameters of URLs and forms by hashes, and find patterns that percent escapes hide. No I/O.

A pattern of e-mail addresses must find `joe%40example.com`, which is how a query has it: what holds escapes is looked
at as it is meant, and written again where something was found.
"""

from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import quote, unquote_plus

Hash = Callable[[bytes], str]
_ESCAPES: Final = frozenset("%+")
_ANY_BYTES: Final = "surrogateescape"


class UrlRedactor:
    """Hashes the values of `parameters`, and lets `hide` replace what it finds in texts without their escapes."""

    def __init__(self, parameters: Collection[str], hide: Callable[[str], str], hash_of: Hash) -> None:
        self._parameters = frozenset(parameters)
        self._hide, self._hash = hide, hash_of

    def url(self, url: str) -> str:
        """Return a URL or its path without secrets in its segments and its query."""
        start, question, rest = url.partition("?")
        if "%" in start:
            start = "/".join(self._meant(segment, plus=False) for segment in start.split("/"))
        query, hash_sign, fragment = rest.partition("#")
        return f"{start}{question}{self.form(query)}{hash_sign}{fragment}"

    def form(self, text: str) -> str:
        """Return the fields of a query or a form (application/x-www-form-urlencoded) without secrets."""
        return "&".join(map(self._field, text.split("&")))

    def _field(self, field: str) -> str:
        name, equals, value = field.partition("=")
        if equals and value and unquote_plus(name) in self._parameters:
            return f"{name}={self._hash(unquote_plus(value).encode())}"
        return f"{self._meant(name)}{equals}{self._meant(value)}" if _ESCAPES.intersection(field) else field

    def _meant(self, text: str, *, plus: bool = True) -> str:
        """Look at a text without its escapes; return it as it came where nothing is hidden in it."""
        meant = unquote_plus(text if plus else text.replace("+", "%2B"), errors=_ANY_BYTES)
        hidden = self._hide(meant)
        return text if hidden == meant else quote(hidden, safe=":", errors=_ANY_BYTES)
