"""What a user writes for sizes, shares, durations and methods, and what it means.

Each function and `FILE` is the `type` of a click option: text goes in, click.BadParameter with a sentence may come out.
"""

import re
from typing import Final

import click

from microstax.errors import UsageError
from microstax.model.header_names import stripped
from microstax.model.ignore import expiry_of

FILE: Final = click.Path(readable=False, allow_dash=True)
"""The path of a file: shells complete it; what is wrong with it says who reads or writes it."""
_QUANTITY: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z%]*)\s*", re.ASCII)
MOST_ALPHA: Final = 0.5
"""A report whose every second finding may be false says nothing."""
_MILLION: Final = 1_000_000
_BYTES: Final = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmg", start=1)
    for suffix, base in (("", 1024), ("ib", 1024), ("b", 1000))
}
_SECONDS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_METHOD: Final = re.compile(r"[A-Z][A-Z-]{0,31}")


def _quantity(text: str) -> tuple[float, str]:
    """Return number and unit; NaN, which no comparison accepts, where it is neither."""
    found = _QUANTITY.fullmatch(text)
    return (float(found[1]), found[2]) if found else (float("nan"), "")


def size(text: str) -> int:
    """Return the bytes of 4096, 64KiB (1024) or 1MB (1000)."""
    amount, unit = _quantity(text)
    total = amount * _BYTES.get(unit.lower(), float("nan"))
    if not 1 <= total < float("inf"):
        raise click.BadParameter(f"{text!r} is no size: write bytes or a unit, like 4096, 64KiB or 1MB.")
    return int(total)


def share(text: str) -> int:
    """Return the parts per million of 25% or 0.25: above 0 and at most 100%."""
    amount, unit = _quantity(text)
    ppm = amount * {"%": 0.01, "": 1.0}.get(unit, float("nan")) * _MILLION
    if not 0 < ppm <= _MILLION:
        raise click.BadParameter(f"{text!r} is no share: write 25% or 0.25; it must be above 0 and at most 100%.")
    return max(1, round(ppm))


def tolerance(text: str) -> float:
    """Return a share as `share` reads it, 0..1."""
    return share(text) / _MILLION


def alpha(text: str) -> float:
    """Return an error rate: above 0 and at most 0.5, like 0.05 or 5%."""
    amount, unit = _quantity(text)
    rate = amount * {"%": 0.01, "": 1.0}.get(unit, float("nan"))
    if not 0 < rate <= MOST_ALPHA:
        raise click.BadParameter(f"{text!r} is no error rate: write it like 0.05 or 5%; it is at most {MOST_ALPHA:g}.")
    return rate


def duration(text: str) -> float:
    """Return the seconds of 500ms, 30s, 5m, 1h or 2d; a bare number is seconds."""
    amount, unit = _quantity(text)
    seconds = amount * _SECONDS.get(unit, float("nan"))
    if not 0 < seconds < float("inf"):
        raise click.BadParameter(f"{text!r} is no duration: write it like 30s, 5m or 1h.")
    return seconds


def ttl(text: str) -> int:
    """Return the milliseconds of a duration as `duration` reads it; 0 for `never` and for 0."""
    if text.strip().lower() in {"never", "0"}:
        return 0
    try:
        return max(1, round(duration(text) * 1000))
    except click.BadParameter:
        raise click.BadParameter(f"{text!r} is no time: write it like 30m, 24h or 7d, or never.") from None


def header(text: str) -> str:
    """Return the name of a header that can be taken out of copies, in lower case."""
    try:
        return stripped((text,))[0]
    except UsageError as error:
        raise click.BadParameter(error.message) from error


def day(text: str) -> str:
    """Return the last day of a rule, YYYY-MM-DD, or nothing for `never`."""
    try:
        found = expiry_of(text.strip())
    except UsageError as error:
        raise click.BadParameter(error.message) from error
    return found.isoformat() if found else ""


def methods_list(text: str) -> tuple[str, ...]:
    """Return the HTTP methods of GET,HEAD in upper case, each once, in the user's order."""
    methods = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",")))
    if not all(_METHOD.fullmatch(method) for method in methods):
        raise click.BadParameter(f"{text!r} is no list of HTTP methods: write it like GET,HEAD.")
    return methods
