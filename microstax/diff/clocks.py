"""Tell two readings of one clock from two different times.

When a service writes the time into its answer, whether two sides wrote the same depends on how long each of them took
and on how the clock rounds: a branch that is a millisecond slower crosses into the next second more often than the
control does. Counted as drift or as noise, that would be evidence of latency, which is judged elsewhere. So times this
near each other, in one format, say nothing; times further apart (another zone, another unit, a date that moved) are
values like others.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from microstax.diff.formats import CLOCKS

NEAR_S: Final = 5.0
"""How far apart two readings may be: answers that took this much longer are found by their latency."""

_UNITS: Final = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
_DAY_S: Final = 86_400.0


def _log_time(text: str) -> datetime:
    day, _, time = text.partition(":")
    return parsedate_to_datetime(f"{day.replace('/', ' ')} {time}")


def _time(text: str) -> datetime:
    """Return a time of day on some day."""
    return datetime.fromisoformat(f"2000-01-01T{text}")


_READERS: Final[dict[str, Callable[[str], datetime]]] = {
    "http_date": parsedate_to_datetime,
    "mail_date": parsedate_to_datetime,
    "ctime": parsedate_to_datetime,
    "log_time": _log_time,
    "time": _time,
}


def is_reading(base: Any, other: Any, found: str) -> bool:
    """Tell whether two values of the format `found` are but two readings of a clock, at most NEAR_S seconds apart.

    A number that could be seconds since 1970 is taken for a time, so two ids of ten digits can be taken for near ones.
    """
    if found not in CLOCKS:
        return False
    first, second = _seconds(base, found), _seconds(other, found)
    if first is None or second is None:
        return False
    apart = abs(first - second)
    return apart <= NEAR_S or (found == "time" and _DAY_S - apart <= NEAR_S)


def _seconds(value: Any, found: str) -> float | None:
    """Return a time in Unix seconds, None for what only looks like one. A time without a zone is taken for UTC."""
    unit = _UNITS.get(found)
    if unit is not None:
        return float(value) / unit
    try:
        time = _READERS.get(found, datetime.fromisoformat)(value)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None  # the 30th of February has the form of a time
