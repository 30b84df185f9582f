"""Text that is safe to show, and how numbers are written, the same in every format.

Everything that came over the wire (paths, header values, bodies) may hold terminal escape sequences, bidirectional
overrides or bytes that are no text. `visible` makes them harmless and keeps them recognisable.
"""

import unicodedata
from collections.abc import Iterable


def visible(text: str) -> str:
    r"""Return `text` with every character that does not print written as its escape: ESC becomes `\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def visible_lines(text: str) -> str:
    """Return `text` as `visible` does, but keep its line breaks."""
    return "\n".join(visible(line.replace("\t", "    ")) for line in text.split("\n"))


def cells(text: str) -> int:
    """Return how many columns of a terminal the text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def pad(text: str, width: int) -> str:
    """Return the text filled with blanks up to `width` columns."""
    return text + " " * max(0, width - cells(text))


def wrap(text: str, width: int) -> list[str]:
    """Cut the text into pieces of at most `width` columns, at a blank where one is near."""
    lines: list[str] = []
    while cells(text) > width:
        cut = _cut(text, width)
        blank = text.rfind(" ", width // 2, cut + 1)
        cut = blank if blank > 0 else cut
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]


def _cut(text: str, width: int) -> int:
    used = 0
    for index, char in enumerate(text):
        used += cells(char)
        if used > width:
            return max(1, index)
    return len(text)


def number(count: int) -> str:
    """Return a count with its thousands apart: 12,345."""
    return f"{count:,}"


def percent(rate: float) -> str:
    """Return a rate of 0..1 as a percentage; what is neither none nor all never reads as 0% or 100%."""
    if rate in {0.0, 1.0}:
        return f"{rate:.0%}"
    return f"{min(max(rate * 100, 0.1), 99.9):.1f}%"


def milliseconds(value: float | None) -> str:
    """Return a time in ms with three significant digits, or a dash where nothing was measured."""
    if value is None:
        return "-"
    digits = 2 if value < 10 else 1 if value < 100 else 0  # noqa: PLR2004  # decimal orders of magnitude
    return f"{value:,.{digits}f}"


def counted(counts: Iterable[tuple[str, int]]) -> str:
    """Return `POST 34, PUT 2` for the pairs, largest first."""
    ordered = sorted(counts, key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{visible(name)} {number(count)}" for name, count in ordered)
