"""What reports say in words wherever they say it: in their sentences and in every format."""

from typing import Final

_HOUR: Final = 60
_DAY: Final = 24 * _HOUR


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
