"""What of a request many requests may have in common, so that it is worth saying.

A value that names one thing among many (an id, a time, a token, an address, a long text) is not, nor is such a name.
What is said is short and can be printed, and so be sent as UTF-8.
"""

from typing import Final

from microstax.diff.formats import is_identifier

LONGEST: Final = 64
"""Characters of one feature."""
MORE: Final = "..."
"""`query ...`: the request has more parameters than are told of, so none of them can be said to be missing."""
MAX_NAME: Final = 40
_VALUE: Final = 40
_DIGITS: Final = 6
"""Of a number that may be said: a page, a size, an amount, but no customer's number."""


def told_with(name: str, value: str | None) -> str:
    """Return `name=value`, or the name where the value is not worth saying or would make it too long."""
    told = f"{name}={value}"
    return name if value is None or len(told) > LONGEST else told


def is_name(text: str) -> bool:
    """Tell whether a name is one that many requests may have, and can be written down as it is."""
    plain = text.isprintable() and text == text.strip() and "=" not in text
    return 0 < len(text) <= MAX_NAME and plain and not is_identifier(text) and text != MORE


def value_of(text: str, *, longest: int = _VALUE, digits: int = _DIGITS) -> str | None:
    """Return a value if many requests may have it, None for one that is not worth saying or nothing at all."""
    if not 0 < len(text) <= longest or not text.isprintable():
        return None
    if is_identifier(text):
        number = text.lstrip("+-")
        return text if number.isascii() and number.isdigit() and len(number) <= digits else None
    return text
