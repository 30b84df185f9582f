"""An example pair on the page: request, what differs, and the answers side by side with their differences marked."""

from collections.abc import Iterator, Mapping
from os.path import commonprefix
from typing import Final

from microstax.model.exchange import Exchange
from microstax.model.wording import counted
from microstax.report.figures import milliseconds, number
from microstax.report.html_text import code, text
from microstax.report.pair import ComparedPair, described, request_lines, response_lines
from microstax.report.sides import Row, rows, shortened

BUDGET: Final = 2 * 1024 * 1024
"""How many characters all examples of a page may have together."""
_LINES: Final = 400
_LINE: Final = 4000
_SIGNS: Final = {
    " ": ("same", ""),
    "|": ("changed", "&ne;"),
    "<": ("baseline only", "&minus;"),
    ">": ("branch only", "+"),
}


class Examples:
    """The examples of one page: each pair is shown once, and no more than BUDGET of them together."""

    def __init__(self, pairs: Mapping[str, ComparedPair], *, overlay: str) -> None:
        self._pairs, self._overlay = pairs, overlay
        self._places: dict[str, str] = {}
        self._left = BUDGET
        self._skipped = 0

    def shown(self, pair: str) -> str:
        """Return the pair as HTML, a link where it is shown already, or nothing where it is not at hand."""
        if pair in self._places:
            return f'<p class="line"><a href="#{self._places[pair]}">Example: pair {code(pair)}, shown above</a></p>'
        if pair not in self._pairs:
            return ""
        place = f"p{len(self._places) + 1}"
        made = "\n".join(_pair(self._pairs[pair], place))
        if len(made) > self._left:
            self._skipped += 1
            return ""
        self._places[pair] = place
        self._left -= len(made)
        return made

    @property
    def note(self) -> str:
        """What to say where examples were left out; empty where none was."""
        if not self._skipped:
            return ""
        hint = f"'microstax env diffs {self._overlay} --pair ID' shows them."
        return f"{counted(self._skipped, 'example')} left out to keep this page small: {hint}"


def _pair(pair: ComparedPair, place: str) -> Iterator[str]:
    triple = pair.triple
    title = f"Example pair {code(triple.id)}: {text(_first(request_lines(triple.baseline.request)))}"
    yield f'<details class="pair" id="{place}"><summary>{title}</summary>'
    request = "\n".join(text(_cut(line)) for line in request_lines(triple.baseline.request)[:_LINES])
    yield f'<h5>Request</h5><pre tabindex="0" role="region" aria-label="Request">{request}</pre>'
    if pair.not_compared:
        yield f"<p>Not compared: {text(pair.not_compared)}.</p>"
    if pair.differences:
        yield f"<h5>What differs</h5><ul>{''.join(_differences(pair))}</ul>"
    yield from _both(triple.baseline, triple.branch, "branch")
    if triple.control is not None:
        yield '<details class="control"><summary>Baseline and control: the noise</summary>'
        yield from _both(triple.baseline, triple.control, "control")
        yield "</details>"
    yield "</details>"


def _differences(pair: ComparedPair) -> Iterator[str]:
    for difference in pair.differences[:_LINES]:
        kind, where, change = described(difference)
        aside = " (the control differs too: noise)" if difference in pair.noise else ""
        yield f"<li>{text(kind)} {code(_cut(where))} {code(_cut(change))}{aside}</li>"


def _both(baseline: Exchange, other: Exchange, name: str) -> Iterator[str]:
    found = list(shortened(list(rows(response_lines(baseline.response), response_lines(other.response)))))
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="Baseline and {name} side by side">'
    yield (
        f'<table class="sides"><caption class="sr">Baseline and {name} side by side</caption><thead><tr>'
        f'<th scope="col">{_timed("Baseline", baseline)}</th><th scope="col"><span class="sr">Difference</span></th>'
        f'<th scope="col">{_timed(name.capitalize(), other)}</th></tr></thead><tbody>'
    )
    yield from map(_row, found[:_LINES])
    yield "</tbody></table></div>"
    if len(found) > _LINES:
        yield f'<p class="note">{number(len(found) - _LINES)} more lines are not shown here.</p>'


def _row(row: Row) -> str:
    left, mark, right = row
    word, sign = _SIGNS[mark]
    left, right = _cut(left), _cut(right)
    shown = _marked(left, right) if mark == "|" else (text(left), text(right))
    aria = f'<span aria-hidden="true">{sign}</span><span class="sr">{word}</span>' if sign else ""
    css = f' class="{word.split()[0]}"' if sign else ""
    return f'<tr{css}><td>{shown[0]}</td><td class="sign">{aria}</td><td>{shown[1]}</td></tr>'


def _marked(left: str, right: str) -> tuple[str, str]:
    """Return both lines with what is not the same at their beginnings and ends marked."""
    start = len(commonprefix([left, right]))
    rest_left, rest_right = left[start:], right[start:]
    end = len(commonprefix([rest_left[::-1], rest_right[::-1]]))
    return _mark(left, start, end), _mark(right, start, end)


def _mark(line: str, start: int, end: int) -> str:
    middle = line[start : len(line) - end]
    marked = f"<mark>{text(middle)}</mark>" if middle else ""
    return f"{text(line[:start])}{marked}{text(line[len(line) - end :])}"


def _timed(name: str, exchange: Exchange) -> str:
    return name if exchange.latency_us is None else f"{name} {milliseconds(exchange.latency_us / 1000)} ms"


def _first(lines: list[str]) -> str:
    return _cut(lines[0])


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_LINE]}..."
