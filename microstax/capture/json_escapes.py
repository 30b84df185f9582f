r"""Read a JSON text as it is meant, for patterns to find what escapes hide: `joe\u0040example.com`, `https:\/\/`.

Works on text alone, so also on documents that are cut or broken, in time that grows with their length. No I/O.
"""

import json
import re
from typing import Final

_ESCAPE: Final = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL
)
_ANY_BYTES: Final = "surrogateescape"


def json_text(body: bytes) -> str:
    """Return a JSON body as text, whichever encoding of Unicode it has."""
    try:
        return body.decode(json.detect_encoding(body) if b"\0" in body else "utf-8")
    except UnicodeDecodeError:
        return body.decode(errors=_ANY_BYTES)


def without_escapes(text: str) -> str:
    r"""Return the text without the escapes that JSON does not need: those of quotes, `\` and control stay."""
    return _ESCAPE.sub(_plain, text) if "\\u" in text or "\\/" in text else text


def _plain(match: re.Match[str]) -> str:
    high, low, single, short = match.groups()
    if high is not None:
        return (bytes.fromhex(high) + bytes.fromhex(low)).decode("utf-16-be")
    if single is not None:
        letter = chr(int(single, 16))
        return letter if letter.isprintable() and letter not in '"\\' else match[0]
    return "/" if short == "/" else match[0]
