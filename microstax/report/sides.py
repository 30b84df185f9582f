"""Two texts side by side with their differences marked, as `sdiff` does: readable without colour and in a pipe."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from microstax.report.text import pad, visible, wrap

_CONTEXT: Final = 3
_MAX_LINES: Final = 2000
"""Above this many lines the matcher, which is quadratic, gives way to a comparison line by line."""

Row = tuple[str, str, str]
"""Left line, mark (` ` equal, `|` changed, `<` left only, `>` right only), right line."""


def rows(left: Sequence[str], right: Sequence[str]) -> Iterator[Row]:
    """Yield the aligned lines of both sides."""
    if max(len(left), len(right)) > _MAX_LINES:
        yield from _by_index(left, right)
        return
    keys = [_key(line) for line in left], [_key(line) for line in right]
    for tag, i1, i2, j1, j2 in SequenceMatcher(a=keys[0], b=keys[1], autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ((a, " ", b) for a, b in zip(left[i1:i2], right[j1:j2], strict=True))
        else:
            yield from _by_index(left[i1:i2], right[j1:j2])


def _by_index(left: Sequence[str], right: Sequence[str]) -> Iterator[Row]:
    for a, b in zip_longest(left, right):
        if a is None:
            yield "", ">", b
        elif b is None:
            yield a, "<", ""
        else:
            yield a, " " if _key(a) == _key(b) else "|", b


def _key(line: str) -> str:
    """Return what of a line is compared: a comma at its end says only that another member follows."""
    return line.removesuffix(",")


def side_by_side(left: Sequence[str], right: Sequence[str], *, width: int, colour: bool = False) -> list[str]:
    """Return the lines of both sides in two columns; long equal stretches are cut to their ends."""
    half = (width - 3) // 2
    lines: list[str] = []
    for a, mark, b in shortened(list(rows(left, right))):
        for part_a, part_b in zip_longest(wrap(visible(a), half), wrap(visible(b), half), fillvalue=""):
            line = f"{pad(part_a, half)} {mark} {part_b}".rstrip()
            lines.append(f"\x1b[33m{line}\x1b[0m" if colour and mark != " " else line)
    return lines


def shortened(found: list[Row]) -> Iterator[Row]:
    """Yield the rows with long equal stretches cut to their ends."""
    marked = [index for index, row in enumerate(found) if row[1] != " "]
    near = {index + step for index in marked for step in range(-_CONTEXT, _CONTEXT + 1)}
    hidden = 0
    for index, row in enumerate(found):
        if index in near or len(found) <= 4 * _CONTEXT:
            yield from _gap(hidden)
            hidden = 0
            yield row
        else:
            hidden += 1
    yield from _gap(hidden)


def _gap(hidden: int) -> Iterator[Row]:
    if hidden:
        note = f"... {hidden} equal {'line' if hidden == 1 else 'lines'}"
        yield note, " ", note
