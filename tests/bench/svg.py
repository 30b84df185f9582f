"""What the charts share: one self-contained SVG, light or dark as the reader's system is, with words for who sees none.

A chart is text: no script, no font and nothing that is fetched, so it shows in README.md wherever that is read.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

STYLE: Final = """
  :root { color-scheme: light dark }
  .page { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, -apple-system, "Segoe UI", sans-serif }
  .title { font-size: 15px; font-weight: 600 } .head { font-weight: 600 } .faint { fill: #59636e; font-size: 11px }
  .on { fill: #ffffff; font-size: 11px }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .grid { stroke: #d1d9e0; stroke-width: 1 } .axis { stroke: #59636e; stroke-width: 1 }
  .range { stroke-width: 3; stroke-linecap: round } .spread { stroke-width: 1 }
  .a { fill: #0969da } .b { fill: #bc4c00 } .c { fill: #8250df } .d { fill: #59636e }
  .line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
  .line.a, .range.a, .spread.a { stroke: #0969da } .line.b, .range.b, .spread.b { stroke: #bc4c00 }
  .line.c, .range.c { stroke: #8250df } .line.d, .range.d, .spread.d { stroke: #59636e }
  .ours { fill: #0969da; fill-opacity: .07 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .on { fill: #0d1117 } text { fill: #e6edf3 } .faint { fill: #9198a1 }
    .grid { stroke: #30363d } .axis { stroke: #9198a1 }
    .a { fill: #58a6ff } .b { fill: #f0883e } .c { fill: #bc8cff } .d { fill: #9198a1 }
    .line { fill: none }
    .line.a, .range.a, .spread.a { stroke: #58a6ff } .line.b, .range.b, .spread.b { stroke: #f0883e }
    .line.c, .range.c { stroke: #bc8cff } .line.d, .range.d, .spread.d { stroke: #9198a1 }
    .ours { fill: #58a6ff; fill-opacity: .1 }
  }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A horizontal or vertical axis from `low` to `high` in the data, from `start` to `end` in the picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return where a value stands; what is outside stands at the end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values on the axis."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [10.0**power for power in powers]
        rough = (self.high - self.low) / most
        power = 10 ** math.floor(math.log10(rough))
        step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough)
        first = math.ceil(self.low / step)
        return [nth * step for nth in range(first, math.floor(self.high / step + 1e-9) + 1)]


def document(width: int, height: int, *, title: str, described: str, parts: Iterable[str]) -> str:
    """Return the whole picture; `described` says in words what it shows."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" aria-labelledby="title described">',
            f'<title id="title">{escape(title)}</title><desc id="described">{escape(described)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
            *parts,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Return words at a place; `kind` is a list of classes."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def bar(x: float, y: float, width: float, height: float, kind: str, said: str = "") -> str:
    """Return a rectangle; `said` shows where the pointer rests."""
    inner = f"<title>{escape(said)}</title>" if said else ""
    size = f'width="{max(0.0, width):.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}>{inner}</rect>'


def dot(x: float, y: float, kind: str, said: str = "") -> str:
    """Return a small circle."""
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(said)}</title></circle>'


def triangle(x: float, y: float, kind: str, said: str = "") -> str:
    """Return a small triangle."""
    return f'<path class="{kind}" d="M{x:.1f} {y:.1f}m-5 4.5h10l-5 -9.5Z"><title>{escape(said)}</title></path>'


def line(points: Iterable[tuple[float, float]], kind: str) -> str:
    """Return a line through points."""
    return f'<path class="line {kind}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def short(value: float) -> str:
    """Return a round number for a tick: 15k for 15,000."""
    return f"{value / 1000:,.10g}k" if value >= 1000 else f"{value:.10g}"


def columns(axis: Axis, top: float, foot: float, unit: str) -> Iterator[str]:
    """Yield the grid of a horizontal axis, with its ticks above."""
    for value in axis.ticks():
        x = axis.at(value)
        yield rule(x, top, x, foot, "grid")
        yield text(x, top - 5, short(value), "faint middle")
    if unit:
        yield text((axis.start + axis.end) / 2, top - 22, unit, "head middle")
