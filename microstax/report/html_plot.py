"""Latency distributions as a plot in SVG: densities over a logarithmic axis, quantiles with their intervals below.

Density is the share of a side's answers by the width of a bin on the axis, so that bins of any widths compare.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from microstax.model.report import Distribution, Latency
from microstax.report import latencies
from microstax.report.figures import milliseconds

_WIDTH: Final = 440
_LEFT: Final = 62
_RIGHT: Final = 12
_TOP: Final = 10
_HEIGHT: Final = 120
_ROW: Final = 20
_MAX_TICKS: Final = 6
_TICK_STEPS: Final = (1, 2, 5)
_SMALLEST: Final = 1e-3


@dataclass(frozen=True, slots=True)
class _Axis:
    """The logarithmic axis of a plot: from `low` to `high` ms."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """Return where a time stands, in the units of the picture; what is outside stands at the end."""
        share = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def ticks(self) -> list[float]:
        """Return round values on the axis, not too many."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        fine = [step * 10.0**power for power in range(first, last + 1) for step in _TICK_STEPS]
        shown = [value for value in fine if self.low <= value <= self.high]
        if len(shown) > _MAX_TICKS:
            shown = [value for value in shown if math.isclose(10 ** round(math.log10(value)), value)]
        return shown[:: max(1, math.ceil(len(shown) / _MAX_TICKS))]


def plot(latency: Latency, ident: str) -> Iterator[str]:
    """Yield the picture; nothing where there is no distribution. `ident` makes its ids unique in the page."""
    found = latency["distribution"]
    sides = _sides(found)
    axis = _axis(latency, sides)
    if axis is None:
        return
    rows = [name for name, _ in sides]
    height = _TOP + _HEIGHT + 24 + _ROW * len(rows) + 6
    yield f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{ident}-t {ident}-d">'
    yield f'<title id="{ident}-t">Latency distributions</title><desc id="{ident}-d">{_described(latency)}</desc>'
    yield from _grid(axis, height)
    top = max((density for _, counts in sides for density in _densities(found, counts)), default=0.0)
    for name, counts in sides:
        yield f'<path class="curve {name}" d="{_curve(axis, found, counts, top)}"/>'
    for index, name in enumerate(rows):
        yield from _marks(latency, axis, name, _TOP + _HEIGHT + 32 + _ROW * index)
    yield "</svg>"


def _sides(found: Distribution) -> list[tuple[str, list[int]]]:
    sides = [("baseline", found["baseline"]), ("control", found["control"] or []), ("branch", found["branch"])]
    return [(name, counts) for name, counts in sides if sum(counts)]


def _axis(latency: Latency, sides: list[tuple[str, list[int]]]) -> _Axis | None:
    """Return an axis that holds all that was seen, and the quantiles; None where nothing was."""
    edges = latency["distribution"]["edges_ms"]
    used = [index for _, counts in sides for index, count in enumerate(counts) if count]
    if not used or len(edges) < max(used) + 2:
        return None
    low, high = edges[min(used)], edges[max(used) + 1]
    known = [value for _, side, _ in latencies.sides(latency) for value in side.values() if isinstance(value, float)]
    low, high = min([low, *known]), max([high, *known])
    low = max(low, _SMALLEST, high / 1e6)
    return _Axis(low, max(high, low * 2))


def _densities(found: Distribution, counts: list[int]) -> list[float]:
    total, edges = sum(counts), found["edges_ms"]
    widths = [math.log(max(b, _SMALLEST * 2) / max(a, _SMALLEST)) for a, b in pairwise(edges)]
    return [count / total / width if width > 0 else 0.0 for count, width in zip(counts, widths, strict=False)]


def _curve(axis: _Axis, found: Distribution, counts: list[int], top: float) -> str:
    """Return the outline of a histogram, closed at its foot."""
    foot = _TOP + _HEIGHT
    steps = []
    for density, left, right in zip(_densities(found, counts), found["edges_ms"], found["edges_ms"][1:], strict=False):
        y = foot - (density / top if top else 0.0) * _HEIGHT
        steps.append(f"L{axis.x(left):.1f} {y:.1f}L{axis.x(right):.1f} {y:.1f}")
    first, last = found["edges_ms"][0], found["edges_ms"][len(counts)]
    return f"M{axis.x(first):.1f} {foot}{''.join(steps)}L{axis.x(last):.1f} {foot}Z"


def _grid(axis: _Axis, height: int) -> Iterator[str]:
    foot = _TOP + _HEIGHT
    for value in axis.ticks():
        x = axis.x(value)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - 4}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{foot + 15}">{value:g}</text>'
    yield f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{foot}" y2="{foot}"/>'
    yield f'<text class="unit" x="{_LEFT - 6}" y="{foot + 15}">ms</text>'


def _marks(latency: Latency, axis: _Axis, name: str, y: int) -> Iterator[str]:
    """Yield a row of quantiles: a line for the interval, a circle, square and triangle for p50, p90 and p99."""
    side, intervals = next((side, found) for one, side, found in latencies.sides(latency) if one == name)
    yield f'<g class="marks {name}"><text class="row" x="{_LEFT - 6}" y="{y + 4}">{name}</text>'
    for quantile in latencies.NAMES:
        value = side[quantile]
        if value is None:
            continue
        bounds = intervals[quantile] if intervals else None
        if bounds and bounds["low"] is not None and bounds["high"] is not None:
            yield f'<line x1="{axis.x(bounds["low"]):.1f}" x2="{axis.x(bounds["high"]):.1f}" y1="{y}" y2="{y}"/>'
        shape = _SHAPES[quantile].format(x=round(axis.x(value), 1), y=y)
        yield f'<path d="{shape}"><title>{name} {quantile} {milliseconds(value)} ms</title></path>'
    yield "</g>"


_SHAPES: Final = {
    "p50": "M{x} {y}m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
    "p90": "M{x} {y}m-4.5 -4.5h9v9h-9Z",
    "p99": "M{x} {y}m-5.5 5h11l-5.5 -10Z",
}


def _described(latency: Latency) -> str:
    """Return what the picture shows in words."""
    found = []
    for name, side, _ in latencies.sides(latency):
        quantiles = ", ".join(f"{one} {milliseconds(side[one])}" for one in latencies.NAMES)
        found.append(f"{name} {quantiles} ms")
    return f"{'; '.join(found)}. Below the curves: a circle for p50, a square for p90, a triangle for p99."
