"""The report for a terminal: verdict first, then the sum of what was compared, then the findings, drift first.

Readable at 80 columns; a wider terminal gets a finding on one line. Colour only where it is asked for, and never
as the only sign of anything.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from microstax.model.report import EndpointReport, Latency, ReportDocument
from microstax.report import summary
from microstax.report.findings import Finding, findings
from microstax.report.text import cells, number, pad, visible, wrap

MIN_WIDTH: Final = 40
_LABEL: Final = 13
_COLOURS: Final = {"different": "31", "slower": "31", "undecided": "33", "same": "32", "faster": "32"}
_INDENT: Final = "  "
_ONE_LINE: Final = 120


def render_table(document: ReportDocument, *, width: int = 80, colour: bool = False) -> str:
    """Return the report as lines of at most `width` columns (words that must be copied whole may be cut in pieces)."""
    page = _Page(max(width, MIN_WIDTH), colour)
    lines = [*page.head(document)]
    for service in document["services"]:
        for endpoint in service["endpoints"]:
            lines += ["", *page.endpoint(service["service"], endpoint)]
    lines += [""] if document.get("ignored") else []
    lines += [line for rule in summary.ignored(document) for line in page.fact("ignored", rule)]
    return "\n".join(lines) + "\n"


class _Page:
    """The width and colour of one rendering."""

    def __init__(self, width: int, colour: bool) -> None:  # noqa: FBT001  # private
        self.width, self.colour = width, colour

    def paint(self, text: str, verdict: str) -> str:
        code = _COLOURS.get(verdict) if self.colour else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text

    def strong(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def head(self, document: ReportDocument) -> Iterator[str]:
        for line in wrap(visible(summary.title(document)), self.width):
            yield self.strong(self.paint(line, document["verdict"]))
        for reason in document["reasons"]:
            yield from (_INDENT + line for line in wrap(visible(reason), self.width - 2))
        facts = (
            ("since", document["since"]),
            ("coverage", summary.coverage_sum(document)),
            ("accuracy", summary.accuracy(document)),
            ("noise", summary.noise_source(document)),
            ("not mirrored", summary.skipped(document)),
            ("blocked", summary.blocked(document)),
        )
        yield ""
        for name, text in facts:
            yield from self.fact(name, text) if text else ()

    def fact(self, name: str, text: str) -> Iterator[str]:
        label = pad(name, _LABEL)
        for line in wrap(visible(text), self.width - _LABEL):
            yield f"{label}{line}"
            label = " " * _LABEL

    def endpoint(self, service: str, endpoint: EndpointReport) -> Iterator[str]:
        name = visible(f"{service}  {endpoint['endpoint']}")
        pairs = f"{number(endpoint['pairs'])} {'pair' if endpoint['pairs'] == 1 else 'pairs'}"
        standing = summary.standing(endpoint)
        tail = f"{pairs}  {standing}"
        room = self.width - cells(tail) - 2
        *first, last = wrap(name, room) if cells(name) <= room else [*wrap(name, self.width), ""]
        yield from (self.strong(line) for line in first)
        shown = f"{pairs}  {self.paint(standing, endpoint['verdict'])}"
        yield f"{self.strong(pad(last, room))}  {shown}"
        found = findings(endpoint)
        widths = [max((len(word) for word in column), default=0) for column in zip(*map(_words, found), strict=True)]
        for finding in found:
            yield from self.finding(finding, widths)
        if share := summary.accuracy(endpoint):
            yield from (_INDENT + line for line in self._labelled("accuracy", share))
        yield from self.latency(endpoint["latency"])

    def finding(self, finding: Finding, widths: Sequence[int]) -> Iterator[str]:
        """Yield what it is, and how often: on one line where it fits a wide terminal, else below each other."""
        words = [pad(word, width) for word, width in zip(_words(finding), widths, strict=True)]
        lead = f"{_INDENT}{self.paint(words[0], finding.verdict)}  {words[1]}  "
        room = self.width - sum(widths) - 6
        parts = [visible(part) for part in (finding.where, finding.change) if part]
        joined = "  ".join(parts)
        short = f"{finding.times}, noise {finding.noise_text}"
        figures = f"{short}, pair {visible(finding.pair)}" if finding.pair else short
        # Noise is there to be checked, not to be looked into: rather than a second line it gets no pair.
        fitting = [figures] if self.width >= _ONE_LINE else [short] if finding.verdict == "same" else []
        for tail in fitting:
            if cells(joined) + cells(tail) + 2 <= room:
                yield f"{lead}{pad(joined, room - cells(tail) - 2)}  {tail}"
                return
        for line in _pieces(parts, joined, room):
            yield f"{lead}{line}".rstrip()
            lead = " " * (self.width - room)
        yield from (f"      {line}" for line in wrap(figures, self.width - 6))

    def latency(self, latency: Latency) -> Iterator[str]:
        if not summary.measured(latency):
            return
        label = f"latency {latency['verdict']}"
        quantiles = [text for name in ("p50", "p90", "p99") if (text := summary.quantile(latency, name))]
        text = "; ".join(part for part in (*quantiles, summary.effects(latency), summary.spikes(latency)) if part)
        first = True
        for line in self._labelled(label, text):
            yield _INDENT + (self.paint(line, latency["verdict"]) if first else line)
            first = False

    def _labelled(self, label: str, text: str) -> Iterator[str]:
        width = 19
        for line in wrap(visible(text), self.width - width - len(_INDENT)):
            yield f"{pad(label, width)}{line}"
            label = ""


def _words(finding: Finding) -> tuple[str, str]:
    return finding.label, finding.kind


def _pieces(parts: Sequence[str], joined: str, room: int) -> list[str]:
    """Return place and change on one line, or each on its own lines where they are too long for one."""
    if cells(joined) <= room:
        return [joined]
    return [piece for part in parts for piece in wrap(part, room)]
