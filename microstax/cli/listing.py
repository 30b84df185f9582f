"""How lists and objects of the API are printed: aligned tables for people, stable JSON for programs."""

import base64
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import click

from microstax.report.text import cells, pad, visible

FORMATS: Final = ("table", "json")
_COLUMN_GAP: Final = "  "


def output_option(formats: Sequence[str] = FORMATS) -> Callable[[Any], Any]:
    """Add -o/--output with these formats, the first one being the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(list(formats)),
        default=formats[0],
        show_default=True,
        help="How to print the result; json is stable for programs.",
    )


def plain(message: Any) -> Any:
    """Return a message of the API as JSON types, with the field names of the .proto file and every default."""
    if dataclasses.is_dataclass(message) and not isinstance(message, type):
        return {field.name: plain(getattr(message, field.name)) for field in dataclasses.fields(message)}
    if isinstance(message, list | tuple):
        return [plain(item) for item in message]
    if isinstance(message, dict):
        return {str(key): plain(value) for key, value in message.items()}
    if isinstance(message, bytes):
        return base64.b64encode(message).decode()
    return message


def echo_json(value: Any) -> None:
    """Print JSON on stdout; ASCII, so that nothing in it can steer a terminal."""
    click.echo(json.dumps(value, indent=2))


def echo_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows under their headers on stdout; `empty` says what to do where there are none, on stderr."""
    shown = [[visible(cell) for cell in row] for row in rows]
    if not shown:
        click.echo(empty, err=True)
        return
    for line in aligned([list(headers), *shown]):
        click.echo(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines, every column as wide as its widest cell."""
    widths = [max(cells(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        _COLUMN_GAP.join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def echo_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print `name  value` lines on stdout, leaving out what has no value."""
    for line in aligned([[name, visible(value)] for name, value in facts if value]):
        click.echo(line)


def moment(unix_ms: int) -> str:
    """Return a time of the API as local ISO 8601, or nothing for 0."""
    if not unix_ms:
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(unix_ms / 1000))


def yes(flag: bool) -> str:  # noqa: FBT001  # a formatter of exactly one boolean
    """Return yes or no."""
    return "yes" if flag else "no"
