"""Apply a Redaction to what exchanges hold, before anything else sees it. No I/O, and no exception for any traffic."""

import re
from hashlib import blake2b
from typing import Final

from microstax.capture import form_data
from microstax.capture.json_escapes import json_text, without_escapes
from microstax.capture.json_redaction import JsonRedactor, TooMuchError
from microstax.capture.redaction import DEFAULT_HEADERS, Redaction
from microstax.capture.url_redaction import UrlRedactor
from microstax.model.media import looks_like_json
from microstax.model.pattern_cost import cost_of

MARK: Final = "redacted:"
_DIGEST_BYTES: Final = 8
_MOST_STEPS: Final = 20_000_000
"""Of a pattern on a text: some tens of milliseconds."""
_ANY_BYTES: Final = "surrogateescape"
_FORM: Final = "application/x-www-form-urlencoded"
_COOKIES: Final = frozenset({"cookie", "set-cookie"})
_URL_HEADERS: Final = frozenset({":path", "referer", "location", "content-location"})
_PSEUDO: Final = frozenset({":method", ":scheme", ":authority", ":status", ":protocol"})


class Redactor:
    """Redacts the parts of exchanges by one set of rules."""

    def __init__(self, rules: Redaction) -> None:
        self._key = rules.key
        self._secret = frozenset(name.lower() for name in (*DEFAULT_HEADERS, *rules.headers))
        self._parameters = frozenset(rules.parameters)
        self._patterns = tuple((re.compile(pattern), cost_of(pattern)) for pattern in rules.patterns)
        self._reads_urls = bool(rules.parameters or rules.patterns)
        self._urls = UrlRedactor(self._parameters, self._text, self.hash)
        self._json = JsonRedactor(rules.json_paths, self.hash) if rules.json_paths else None
        self.has_body_rules = bool(rules.json_paths or rules.parameters or rules.patterns)

    def hash(self, value: bytes) -> str:
        """Return what stands in place of `value`: BLAKE2b (RFC 7693) with this installation's key, 64 bits."""
        return MARK + blake2b(value, key=self._key, digest_size=_DIGEST_BYTES).hexdigest()

    def header(self, name: str, value: str) -> str:
        """Return what may be kept of a header or trailer, or of a pseudo-header, of which `:path` has rules."""
        if name in self._secret:
            return self._cookie(name, value) if name in _COOKIES else self._value(value)
        if name in _URL_HEADERS:
            return self._short_text(value, is_url=self._reads_urls)
        return value if name in _PSEUDO else self._short_text(value)

    def body(self, body: bytes, content_type: str, *, encoded: bool) -> bytes:
        """Return `body` without secrets; one that is still `encoded` cannot be looked into and is hashed as a whole."""
        return self.body_or_hash(body, content_type, encoded=encoded)[0]

    def body_or_hash(self, body: bytes, content_type: str, *, encoded: bool) -> tuple[bytes, bool]:
        """Return the same, and whether it is a hash of the whole since `body` cannot be looked into (in time)."""
        if not body or not self.has_body_rules:
            return body, encoded
        if encoded:
            return self.hash(body).encode(), True
        try:
            return self._looked_into(body, content_type), False
        except TooMuchError:
            return self.hash(body).encode(), True

    def _looked_into(self, body: bytes, content_type: str) -> bytes:
        kind = content_type.lower()
        if self._json is not None:
            body = self._json.redact(body, kind)
        if self._reads_urls and kind.startswith(_FORM):
            body = self._urls.form(body.decode("latin-1")).encode("latin-1")
        elif self._parameters and kind.startswith(form_data.KIND):
            body = form_data.redact_parts(body, content_type, self._parameters, self.hash)
        return self._plain_body(body, kind) if self._patterns else body

    def _plain_body(self, body: bytes, kind: str) -> bytes:
        """Let the patterns look at a text as it is meant; return it as it came where they find nothing."""
        is_json = looks_like_json(body, kind)
        meant = without_escapes(json_text(body)) if is_json else body.decode(errors=_ANY_BYTES)
        hidden = self._text(meant)
        return body if hidden == meant else hidden.encode(errors=_ANY_BYTES)

    def _value(self, value: str) -> str:
        """Hash a value; an empty one is no secret, and that it is empty is worth seeing."""
        return self.hash(value.encode()) if value else value

    def _cookie(self, name: str, value: str) -> str:
        """Keep a cookie's name and attributes (RFC 6265, 4.1.1 and 4.2.1), hash the values."""
        parts = value.split(";")
        secret = len(parts) if name == "cookie" else 1
        return ";".join([*map(self._crumb, parts[:secret]), *parts[secret:]])

    def _crumb(self, part: str) -> str:
        name, equals, value = part.partition("=")
        if equals:
            return f"{name}={self._value(value.strip())}"
        return self._value(part.strip())

    def _text(self, value: str) -> str:
        """Hash what the patterns match; raises TooMuchError where that may take long."""
        for pattern, cost in self._patterns:
            if cost.exceeds(value, _MOST_STEPS):
                raise TooMuchError
            value = pattern.sub(self._match, value)
        return value

    def _short_text(self, value: str, *, is_url: bool = False) -> str:
        try:
            return self._text(self._urls.url(value) if is_url else value)
        except TooMuchError:
            return self._value(value)

    def _match(self, match: re.Match[str]) -> str:
        """Hash what the pattern's groups matched, or the whole match where no group did."""
        spans = sorted(match.span(group) for group in range(1, (match.re.groups or 0) + 1))
        pieces, done, end = [], match.start(), match.end()
        for start, stop in spans:
            if start >= done and stop > start:
                pieces += [match.string[done:start], self._piece(match.string[start:stop])]
                done = stop
        return "".join([*pieces, match.string[done:end]]) if pieces else self._piece(match.group())

    def _piece(self, text: str) -> str:
        return self.hash(text.encode(errors=_ANY_BYTES))
