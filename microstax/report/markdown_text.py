"""Captured text in Markdown: shown as it is, and unable to mark up, to link, to mention or to close anything.

GitHub looks for mentions, issue numbers, addresses and emoji in the text after Markdown was rendered, so that a
backslash does not help there; an empty comment in the middle of the word does.
"""

import re
from typing import Final

from microstax.report.text import visible

_SPECIAL: Final = re.compile(r"[\\`*_{}\[\]<>|~&!]")
_REFERENCE: Final = re.compile(r"@|#|GH-|:(?=//|[\w+\\-]+:)|www\.", re.IGNORECASE)
_DOLLAR: Final = re.compile(r"\$")
_LIST: Final = re.compile(r"^(\d+)(?=[.)](?:\s|$))|^(?=[-+=])")
_TICKS: Final = re.compile(r"`+")
_BREAK: Final = "<!-- -->"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, also at the start of a line and in a table."""
    shown = _SPECIAL.sub(r"\\\g<0>", visible(text))
    shown = _LIST.sub(lambda found: f"{found[1] or ''}\\", shown)
    shown = _REFERENCE.sub(_broken, shown)
    # Between two dollars GitHub sees a formula, unless they are elements of their own.
    return _DOLLAR.sub("<span>$</span>", shown)


def code(text: str) -> str:
    """Return the text as a code span for a table, whatever backticks and bars it has."""
    shown = visible(text).replace("|", r"\|")
    if not shown.strip():
        return ""
    fence = "`" * (max((len(run) for run in _TICKS.findall(shown)), default=0) + 1)
    blank = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def _broken(found: re.Match[str]) -> str:
    """Return the word with an empty comment after its first part: `@`, `#`, `GH`, `www`, `:`."""
    stem = found[0].rstrip("-.")
    return f"{stem}{_BREAK}{found[0][len(stem) :]}"
