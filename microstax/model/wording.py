"""What reports say in words wherever they say it: in their sentences and in every format."""

from datetime import UTC, datetime
from typing import Final

_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


def counted(count: int, noun: str, plural: str = "s") -> str:
    """Return `1 pair` or `1,200 pairs`."""
    return f"{count:,} {noun}{'' if count == 1 else plural}"


def duration(minutes: float) -> str:
    """Return a time for people: `under a minute`, `6 minutes`, `3.5 hours`, `12 days`."""
    if minutes < 1:
        return "under a minute"
    if minutes < 2 * _HOUR:
        return counted(round(minutes), "minute")
    if minutes < 2 * _DAY:
        return f"{minutes / _HOUR:.1f} hours"
    return f"{minutes / _DAY:,.0f} days"


def rfc3339(unix_ms: int) -> str:
    """Return a time in UTC to the second: `2026-11-25T14:50:18Z`. A time that no calendar has becomes the epoch."""
    try:
        moment = datetime.fromtimestamp(unix_ms // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.isoformat().replace("+00:00", "Z")


def size(count: int) -> str:
    """Return bytes for people: `512 bytes`, `256 MiB`, `1.2 GiB`."""
    amount, unit = float(count), 0
    while amount >= _STEP - 0.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    digits = 1 if unit and amount < 10 and amount != round(amount) else 0  # noqa: PLR2004  # one digit
    return f"{amount:,.{digits}f} {_UNITS[unit]}"
