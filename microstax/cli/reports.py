"""Ask for a report, print it, and say how a command that printed it ends: for a live overlay and for a file alike."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from microstax.cli import screen
from microstax.cli.connection import Settings
from microstax.cli.judging import Judging
from microstax.errors import EXIT_DONE, EXIT_UNDECIDED, UsageError
from microstax.model.ignore import KINDS
from microstax.report.gate import FAIL_ON, FAILURES, gate
from microstax.report.render import render

if TYPE_CHECKING:
    from microstax.api.client import Client
    from microstax.model.report import ReportDocument
    from microstax.report.pair import ComparedPair

ON_A_TERMINAL: Final = ("table", "json")
"""The formats of what is no whole report: one pair, or reports one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which report is asked for."""

    overlay: str
    service: str = ""
    endpoint: str = ""
    kind: str = ""
    judging: Judging = field(default_factory=Judging)

    def ask(self, client: "Client") -> "ReportDocument":
        """Return the report of now; raises MicrostaxError."""
        from microstax.api.methods import GET_REPORT

        request = GET_REPORT.request(
            overlay=self.overlay,
            service=self.service,
            endpoint=self.endpoint,
            kind=self.kind,
            min_pairs=self.judging.min_pairs,
            alpha=self.judging.alpha,
            tolerance=self.judging.tolerance,
            rules=self.judging.rules,
        )
        document: ReportDocument = json.loads(client.call(GET_REPORT, request).document)
        return document


def waits_for(document: "ReportDocument") -> str | None:
    """Return the sentence that says what a report without a single pair waits for; None where there are pairs."""
    coverage = document["coverage"]
    if coverage["paired"]:
        return None
    overlay, baseline = document["overlay"], document["baseline"]
    if document["reasons"]:
        return f"No verdict on {overlay} yet: {' '.join(document['reasons'])}"
    if not coverage["mirrored"]:
        return f"No verdict on {overlay} yet: it waits for traffic on {baseline}, and no request was mirrored."
    return f"No verdict on {overlay} yet: none of {coverage['mirrored']:,} mirrored requests was compared."


def filter_options(function: "click.decorators.FC") -> "click.decorators.FC":
    """Add the options that choose what of a report is shown."""
    function = click.option(
        "--kind",
        type=click.Choice(KINDS),
        metavar="K",
        help=f"Only this kind of difference: {', '.join(KINDS)}.",
    )(function)
    function = click.option(
        "--endpoint", default="", metavar="E", help="Only this endpoint, as the report names it: 'GET /products/{id}'."
    )(function)
    return click.option("--service", default="", metavar="S", help="Only this service.")(function)


def gate_options(function: "click.decorators.FC") -> "click.decorators.FC":
    """Add the options that say which pair or which verdict is asked for."""
    function = click.option(
        "--fail-on",
        type=failures,
        metavar="LIST",
        help=f"What --gate fails on, some of {','.join(FAILURES)}.  [default: {','.join(FAIL_ON)}]",
    )(function)
    function = click.option(
        "--gate", is_flag=True, help="End with 1 for different, 3 for undecided, 0 for the same; say why on stderr."
    )(function)
    return click.option("--pair", "pair_id", metavar="ID", help="Show this pair side by side instead of the report.")(
        function
    )


def failures(text: str) -> tuple[str, ...]:
    """Return what a gate fails on: `different,slower`."""
    named = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for name in named:
        if name not in FAILURES:
            raise click.BadParameter(f"{name!r} is nothing to fail on: write some of {','.join(FAILURES)}.")
    return named


def failing(named: Collection[str] | None, *, gate: bool) -> Collection[str]:
    """Return what the gate fails on; raises UsageError where there is none to fail."""
    if named is not None and not gate:
        raise UsageError("--fail-on says when a gate fails: add --gate.")
    return FAIL_ON if named is None else named


def report(
    settings: Settings,
    document: "ReportDocument",
    output: str,
    *,
    fail_on: Collection[str] | None = None,
    pairs: "Mapping[str, ComparedPair] | None" = None,
) -> int:
    """Print the report, and on stderr what it waits for; return the exit code, by a gate if `fail_on` is given.

    `pairs` are the examples that HTML shows, by id.
    """
    click.echo(rendered(document, output, pairs), nl=False)
    sentence = waits_for(document)
    if fail_on is not None:
        outcome = gate(document, fail_on)
        settings.write(outcome.sentence)
        return outcome.exit_code
    if sentence is None:
        return EXIT_DONE
    settings.write(sentence)
    return EXIT_UNDECIDED


def rendered(document: "ReportDocument", output: str, pairs: "Mapping[str, ComparedPair] | None" = None) -> str:
    """Return the report in a format, as wide and as colourful as stdout allows."""
    return render(document, output, width=screen.width(), colour=screen.colour(), pairs=pairs)


def check_pair(*, pair_id: str | None, gate: bool, output: str) -> None:
    """Raise UsageError for options that say nothing about one pair."""
    if pair_id is None:
        return
    if gate:
        raise UsageError("--pair shows one pair, which has no verdict: leave out --gate and --wait.")
    if output not in ON_A_TERMINAL:
        raise UsageError(f"--pair can be printed as table or json, not as {output}.")
