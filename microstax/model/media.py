"""What a body claims to be."""

from typing import Final

_OPENERS: Final = (b"{", b"[")
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
"""What may stand before a JSON text: its white space (RFC 8259, 2) and a byte order mark."""


def holds_more(body: bytes, values: int) -> bool:
    """Tell whether a JSON text may hold more than so many values and containers, without reading it."""
    return len(body) > 2 * values and sum(body.count(one) for one in (b",", b"[", b"{")) > values


def looks_like_json(body: bytes, content_type: str) -> bool:
    """Tell whether a body should be read as JSON: by its content type (in lower case), or by how it begins."""
    return "json" in content_type or body.lstrip(_BLANK).startswith(_OPENERS)
