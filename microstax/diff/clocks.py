"""Tell two readings of one clock from two different times.

When a service writes the time into its answer, whether two sides wrote the same depends on how long each of them took
and on how the clock rounds: a branch that is a millisecond slower crosses into the next second more often than the
control does. Counted as drift or as noise, that would be evidence of latency, which is judged elsewhere. So times this
near each other say nothing; times further apart (another zone, another unit, a date that moved) are values like others.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from microstax.diff.formats import EPOCH_SECONDS, format_of
from microstax.model.difference import Difference, HeaderDifference, HeaderKind, ValueDifference

NEAR_S: Final = 5.0
"""How far apart two readings may be: answers that took this much longer are found by their latency."""

_UNITS: Final = (1, 1_000, 1_000_000, 1_000_000_000)


def is_reading(difference: Difference) -> bool:
    """Tell whether a difference is nothing but two readings of a clock, at most NEAR_S seconds apart."""
    if isinstance(difference, ValueDifference):
        return _are_near(difference.baseline, difference.branch)
    if isinstance(difference, HeaderDifference) and difference.kind is HeaderKind.VALUE:
        return _are_near(f'"{difference.baseline}"', f'"{difference.branch}"')
    return False


def _are_near(before: str, after: str) -> bool:
    """Compare two values given as compact JSON."""
    first = _seconds(before)
    second = _seconds(after) if first is not None else None
    return first is not None and second is not None and abs(first - second) <= NEAR_S


def _seconds(value: str) -> float | None:
    """Return a time in Unix seconds, None for what is no time. A time without a zone is taken for UTC.

    A number that could be seconds since 1970 is taken for a time, so two ids of ten digits can be taken for near ones.
    """
    match format_of(value):
        case "time":
            return _moment(value[1:-1])
        case "epoch":
            number = float(value)
            return next((number / unit for unit in _UNITS if int(number // unit) in EPOCH_SECONDS), None)
    return None


def _moment(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text) if text.endswith("GMT") else datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None  # the 30th of February has the form of a time
