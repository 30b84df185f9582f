"""How a figure is written: one function a kind of figure, so that it is the same text in every format.

Rounding, for whoever reads figures back: counts are exact; rates have one decimal of a percent, between 0 and 1% and
between 99% and 100% two significant digits of what they are away from it; latencies have three significant digits;
ratios two decimals; evidence above 1,000 is a power of ten with one decimal; minutes are whole.
"""

import math
from collections.abc import Iterable
from typing import Final

from microstax.model.wording import counted, duration
from microstax.report.text import visible

UNKNOWN: Final = "-"
_LEAST: Final = 1e-8


def number(count: int) -> str:
    """Return a count with its thousands apart: 12,345."""
    return f"{count:,}"


def listed(counts: Iterable[tuple[str, int]]) -> str:
    """Return `POST 34, PUT 2` for the pairs, largest first."""
    ordered = sorted(counts, key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{visible(name)} {number(count)}" for name, count in ordered)


def percent(rate: float) -> str:
    """Return a rate as a percentage; what is neither none nor all never reads as 0% or 100%: 0.03%, 99.97%."""
    if rate in {0.0, 1.0}:
        return f"{rate:.0%}"
    if rate < 0:
        return f"-{percent(-rate)}"
    near = min(rate, 1 - rate) if rate < 1 else 1.0
    near = max(near, _LEAST)
    digits = 1 if near >= 0.01 else 1 - math.floor(math.log10(near * 100))  # noqa: PLR2004  # a percent
    return f"{(min(max(rate, _LEAST), 1 - _LEAST) if rate < 1 else rate) * 100:.{digits}f}%"


def threshold(rate: float) -> str:
    """Return a rate that somebody chose, as they wrote it: 0.01 is 1%."""
    return f"{rate * 100:g}%"


def milliseconds(value: float | None) -> str:
    """Return a time in ms with three significant digits, or a dash where nothing was measured."""
    if value is None:
        return UNKNOWN
    digits = 2 if value < 10 else 1 if value < 100 else 0  # noqa: PLR2004  # decimal orders of magnitude
    return f"{value:,.{digits}f}"


def ratio(value: float) -> str:
    """Return a ratio: `x1.04`."""
    return f"x{value:,.2f}"


def e_value(log10: float) -> str:
    """Return an e-value from its logarithm to base 10: `e-value 250`, `e-value 10^120.4`."""
    if log10 >= 3:  # noqa: PLR2004  # a thousand
        return f"e-value 10^{log10:.1f}"
    if log10 >= 1:
        return f"e-value {10**log10:.0f}"
    return f"e-value {10**log10:.2g}" if log10 > -3 else "e-value under 0.001"  # noqa: PLR2004


def more(needs: int | None, minutes: float | None) -> str:
    """Return `about 1,200 more requests, 6 minutes at the rate so far`; empty where it is not known."""
    if not needs:
        return ""
    time = f", {duration(minutes)} at the rate so far" if minutes is not None else ""
    return f"about {counted(needs, 'more request')}{time}"
