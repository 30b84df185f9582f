"""How a report is to be judged: how sure, and by which rules of the user's."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from microstax.cli.connection import Settings
from microstax.cli.sources import read_source
from microstax.cli.values import FILE, alpha, tolerance
from microstax.errors import UsageError

if TYPE_CHECKING:
    from microstax.generated.management.microstax.management.v1 import SourceFile

RULES: Final = "microstax.yaml"
"""The file that is used where it is there and nobody says otherwise."""
MOST_PAIRS: Final = 10**12
"""More than any endpoint will ever have; what is beyond a 64-bit integer could not even be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What the options said; 0 is the default of whoever builds the report."""

    min_pairs: int = 0
    alpha: float = 0.0
    tolerance: float = 0.0
    rules: "SourceFile | None" = None


def judging_options(function: Any) -> Any:
    """Add --min-pairs, --alpha, --tolerance, --rules and --no-rules."""
    for option in (
        click.option("--no-rules", is_flag=True, help=f"Leave {RULES} in this folder alone."),
        click.option(
            "--rules",
            type=FILE,
            metavar="FILE",
            help=f"The file of ignore rules and expected changes.  [default: {RULES}, if it is here]",
        ),
        click.option(
            "--tolerance",
            type=tolerance,
            metavar="SHARE",
            help="An excess over noise up to this share of the requests is the same, like 1%.  [default: 1%]",
        ),
        click.option(
            "--alpha",
            type=alpha,
            metavar="RATE",
            help="The share of false findings that is accepted, at most 0.5.  [default: 0.05]",
        ),
        click.option(
            "--min-pairs",
            type=click.IntRange(min=1),
            default=100,
            show_default=True,
            metavar="N",
            help="An endpoint with fewer than N pairs is never called the same.",
        ),
    ):
        function = option(function)
    return function


def judging(
    settings: Settings,
    *,
    min_pairs: int,
    alpha: float | None,
    tolerance: float | None,
    rules: str | None,
    no_rules: bool,
) -> Judging:
    """Return what the options say, with the file of rules read. Raises UsageError, InvalidFileError."""
    return Judging(
        min_pairs=min(min_pairs, MOST_PAIRS),
        alpha=alpha or 0.0,
        tolerance=tolerance or 0.0,
        rules=rules_file(settings, rules, no_rules=no_rules),
    )


def rules_file(settings: Settings, rules: str | None, *, no_rules: bool) -> "SourceFile | None":
    """Return the file of rules, None for none; tell a person which one it is."""
    if rules is not None and no_rules:
        raise UsageError("--rules and --no-rules exclude each other: give one of them.")
    if no_rules or (rules is None and not _is_here()):
        return None
    found = read_source(rules or RULES, option="--rules", what="file of rules")
    settings.say(f"Rules: {found.name}")
    return found


def _is_here() -> bool:
    """Tell whether the folder has a file of rules; a link that leads nowhere is one that cannot be read, not none."""
    return os.path.lexists(RULES) and not Path(RULES).is_dir()
