"""Text that is safe to show, the same in every format.

Everything that came over the wire (paths, header values, bodies) may hold terminal escape sequences, bidirectional
overrides or bytes that are no text. `visible` makes them harmless and keeps them recognisable.
"""

import unicodedata


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
    while text and cells(text) > width:
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
