"""The report for a terminal: verdict first, then the sum of what was compared, then the endpoints, the worst first.

Readable at 80 columns; a wider terminal gets a finding on one line. Colour only where it is asked for, and never
as the only sign of anything. An endpoint about which nothing has to be read takes one or two lines.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from microstax.model.report import EndpointReport, ReportDocument
from microstax.model.wording import counted
from microstax.report import bridge, declared, summary
from microstax.report.findings import Finding
from microstax.report.groups import clusters, noise
from microstax.report.ranking import ranked
from microstax.report.table_latency import latency_lines, latency_sentence
from microstax.report.text import cells, pad, visible, wrap

MIN_WIDTH: Final = 40
_LABEL: Final = 13
_COLOURS: Final = {
    "different": "31",
    "slower": "31",
    "missing": "31",
    "undecided": "33",
    "expired": "33",
    "news": "33",
    "same": "32",
    "faster": "32",
    "expected": "36",
}
_INDENT: Final = "  "
_ONE_LINE: Final = 120
_NOISE_SHOWN: Final = 4
_LEAST_ROOM: Final = 16


def render_table(document: ReportDocument, *, width: int = 80, colour: bool = False) -> str:
    """Return the report as lines of at most `width` columns (words that must be copied whole may be cut in pieces)."""
    page = _Page(max(width, MIN_WIDTH), colour)
    lines = [*page.head(document)]
    for service, endpoint in ranked(document):
        lines += ["", *page.endpoint(service, endpoint)]
    refused = bridge.calls(document)
    lines += ["", *(line for one in refused for line in page.fact("refused", one))] if refused else []
    for label, found in (("expected", declared.expected(document)), ("ignored", declared.ignored(document))):
        lines += [""] if found else []
        lines += [line for one in found for line in page.fact(label, one.sentence, one.state)]
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
        for reason in summary.why(document):
            yield from self.indented(reason)
        yield ""
        for name, text in summary.facts(document):
            yield from self.fact(name, text)

    def fact(self, name: str, text: str, state: str = "") -> Iterator[str]:
        label = pad(name, _LABEL)
        for line in wrap(visible(text), self.width - _LABEL):
            yield f"{self.paint(label, state)}{line}"
            label = " " * _LABEL

    def indented(self, text: str, indent: str = _INDENT) -> Iterator[str]:
        yield from (indent + line for line in wrap(visible(text), self.width - len(indent)))

    def endpoint(self, service: str, endpoint: EndpointReport) -> Iterator[str]:
        yield from self.heading(service, endpoint)
        if needs := summary.endpoint_needs(endpoint):
            yield from self.indented(f"{needs} decide it")
        waiting: list[Finding] = []
        for cluster in clusters(endpoint):
            if all(finding.is_noise_so_far for finding in cluster.findings):
                waiting += cluster.findings
                continue
            indent = _INDENT
            if cluster.sentence:
                yield from self.indented(cluster.sentence)
                indent = 2 * _INDENT
            yield from self.findings(cluster.findings, indent)
        for label, found in (("noise so far", waiting), ("noise", noise(endpoint))):
            if found:
                yield from self.labelled(label, _noise(found), "undecided" if found is waiting else "same")
        if endpoint["failing_contexts"]:
            yield from self.labelled("accuracy", summary.accuracy(endpoint), "")
        yield from self.latency(endpoint)

    def heading(self, service: str, endpoint: EndpointReport) -> Iterator[str]:
        name = visible(f"{service}  {endpoint['endpoint']}")
        pairs, standing = counted(endpoint["pairs"], "pair"), summary.standing_text(endpoint)
        room = self.width - cells(f"{pairs}  {standing}") - 2
        *first, last = wrap(name, room) if cells(name) <= room else [*wrap(name, self.width), ""]
        yield from (self.strong(line) for line in first)
        yield f"{self.strong(pad(last, room))}  {pairs}  {self.paint(standing, endpoint['verdict'])}"

    def findings(self, found: Sequence[Finding], indent: str) -> Iterator[str]:
        widths = [max(cells(word) for word in column) for column in zip(*map(_words, found), strict=True)]
        for finding in found:
            yield from self.finding(finding, widths, indent)

    def finding(self, finding: Finding, widths: Sequence[int], indent: str) -> Iterator[str]:
        """Yield what it is, and how often: on one line where it fits a wide terminal, else below each other."""
        words = [pad(word, width) for word, width in zip(_words(finding), widths, strict=True)]
        lead = f"{indent}{self.paint(words[0], finding.label)}  {words[1]}  "
        room = self.width - sum(widths) - 4 - len(indent)
        if room < _LEAST_ROOM:
            yield from self.indented(f"{finding.label} {finding.kind}", indent)
            lead, room = indent + 4 * " ", self.width - 4 - len(indent)
        parts = [visible(part) for part in (finding.where, finding.change) if part]
        joined = "  ".join(parts)
        pair = [f"pair {visible(finding.pair)}"] if finding.pair else []
        figures = ", ".join([*finding.figures, *pair])
        if self.width >= _ONE_LINE and cells(joined) + cells(figures) + 2 <= room:
            yield f"{lead}{pad(joined, room - cells(figures) - 2)}  {figures}"
            return
        for line in _pieces(parts, joined, room):
            yield f"{lead}{line}".rstrip()
            lead = " " * (self.width - room)
        yield from self.indented(figures, indent + 4 * " ")

    def latency(self, endpoint: EndpointReport) -> Iterator[str]:
        latency = endpoint["latency"]
        if summary.is_quiet(endpoint) and (sentence := latency_sentence(latency)):
            yield from self.labelled(f"latency {latency['verdict']}", sentence, latency["verdict"])
            return
        label = f"latency {latency['verdict']}"
        for line in latency_lines(latency, self.width - _LATENCY):
            yield f"{_INDENT}{self.paint(pad(label, _LATENCY - 2), latency['verdict'] if label else '')}{line}"
            label = ""

    def labelled(self, label: str, text: str, verdict: str) -> Iterator[str]:
        for line in wrap(visible(text), self.width - _LATENCY):
            yield f"{_INDENT}{self.paint(pad(label, _LATENCY - 2), verdict if label else '')}{line}"
            label = ""


_LATENCY: Final = 21


def _words(finding: Finding) -> tuple[str, str]:
    return finding.label, visible(finding.kind)


def _noise(found: Sequence[Finding]) -> str:
    """Return the findings that noise explains in one sentence: they are there to be checked, not to be looked into."""
    parts = [f"{one.name} ({one.times}, noise {one.noise_text})" for one in found[:_NOISE_SHOWN]]
    parts += [f"{len(found) - _NOISE_SHOWN} more"] if len(found) > _NOISE_SHOWN else []
    return ", ".join(parts)


def _pieces(parts: Sequence[str], joined: str, room: int) -> list[str]:
    """Return place and change on one line, or each on its own lines where they are too long for one."""
    if cells(joined) <= room:
        return [joined]
    return [piece for part in parts for piece in wrap(part, room)]
