"""`microstax env diffs`: the report, once, when it is decided, or live."""

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from microstax.cli import screen
from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import output_option
from microstax.cli.pairs import echo_pair
from microstax.cli.shape import command
from microstax.cli.values import duration
from microstax.errors import EXIT_DIFFERENT, EXIT_DONE, EXIT_UNDECIDED, MicrostaxError, UsageError
from microstax.model.ignore import KINDS
from microstax.report.render import FORMATS, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from microstax.api.client import Client
    from microstax.model.report import ReportDocument

POLL_S: Final = 0.5
WATCHABLE: Final = ("table", "json")
GATE_CODES: Final = {"same": EXIT_DONE, "different": EXIT_DIFFERENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which report is asked for."""

    overlay: str
    service: str = ""
    endpoint: str = ""
    kind: str = ""
    min_pairs: int = 0

    def ask(self, client: "Client") -> "ReportDocument":
        """Return the report of now; raises MicrostaxError."""
        from microstax.api.methods import GET_REPORT

        request = GET_REPORT.request(
            overlay=self.overlay,
            service=self.service,
            endpoint=self.endpoint,
            kind=self.kind,
            min_pairs=self.min_pairs,
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


def exit_code(document: "ReportDocument", *, gate: bool) -> int:
    """Return how the command ends: with a gate by the verdict, else by whether there was anything to read."""
    if gate:
        return GATE_CODES.get(document["verdict"], EXIT_UNDECIDED)
    return EXIT_UNDECIDED if waits_for(document) else EXIT_DONE


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
        "--min-pairs",
        type=click.IntRange(min=1),
        default=100,
        show_default=True,
        metavar="N",
        help="An endpoint with fewer than N pairs is never called the same.",
    )(function)
    function = click.option("--gate", is_flag=True, help="End with 1 for different, 3 for undecided, 0 for the same.")(
        function
    )
    return click.option("--pair", "pair_id", metavar="ID", help="Show this pair side by side instead of the report.")(
        function
    )


@command(
    None,
    "diffs",
    examples=[
        "microstax env diffs shadow-test",
        "microstax env diffs shadow-test --watch",
        "microstax env diffs shadow-test --pair 2f1c8a52-9d0b-4c56-8f0f-5e0a5a0a77a1",
        "microstax env diffs shadow-test --gate --min-pairs 500 --wait 5m -o junit",
    ],
)
@click.argument("name")
@filter_options
@click.option("--watch", is_flag=True, help="Show the report live until Ctrl-C.")
@gate_options
@click.option("--wait", type=duration, metavar="TIME", help="Wait this long for a verdict before printing it.")
@output_option(FORMATS)
@settings_options
@pass_settings
@click.pass_context
def diffs(
    context: click.Context,
    settings: Settings,
    *,
    name: str,
    service: str,
    endpoint: str,
    kind: str | None,
    watch: bool,
    pair_id: str | None,
    gate: bool,
    min_pairs: int,
    wait: float | None,
    output: str,
) -> None:
    """Report how an overlay behaves differently from its baseline.

    NAME is the overlay; the report is about what was mirrored so far.
    """
    _check(watch=watch, gate=gate, wait=wait, pair_id=pair_id, output=output)
    question = Question(overlay=name, service=service, endpoint=endpoint, kind=kind or "", min_pairs=min_pairs)
    with settings.client() as client:
        if pair_id is not None:
            _show_pair(client, name, pair_id, output)
        elif watch:
            _watch(client, question, output)
        else:
            document = _decided(settings, client, question, wait or 0.0)
            context.exit(report(settings, document, output, gate=gate))


def report(settings: Settings, document: "ReportDocument", output: str, *, gate: bool) -> int:
    """Print the report, and on stderr what it waits for; return the exit code."""
    click.echo(_rendered(document, output), nl=False)
    sentence = waits_for(document)
    if sentence is not None:
        settings.write(sentence)
    return exit_code(document, gate=gate)


def _check(*, watch: bool, gate: bool, wait: float | None, pair_id: str | None, output: str) -> None:
    if watch and (gate or wait or pair_id):
        other = "--gate" if gate else "--wait" if wait else "--pair"
        raise UsageError(f"--watch shows reports until Ctrl-C and cannot be used with {other}: leave one of them out.")
    if watch and output not in WATCHABLE:
        raise UsageError(f"--watch can be printed as table or json, not as {output}.")
    check_pair(pair_id=pair_id, gate=gate or wait is not None, output=output)


def check_pair(*, pair_id: str | None, gate: bool, output: str) -> None:
    """Raise UsageError for options that say nothing about one pair."""
    if pair_id is None:
        return
    if gate:
        raise UsageError("--pair shows one pair, which has no verdict: leave out --gate and --wait.")
    if output not in WATCHABLE:
        raise UsageError(f"--pair can be printed as table or json, not as {output}.")


def _rendered(document: "ReportDocument", output: str) -> str:
    return render(document, output, width=screen.width(), colour=screen.colour())


def _show_pair(client: "Client", overlay: str, pair_id: str, output: str) -> None:
    from microstax.api.methods import GET_PAIR
    from microstax.model.record import decode_pair

    answer = client.call(GET_PAIR, GET_PAIR.request(overlay=overlay, pair_id=pair_id))
    echo_pair(decode_pair(answer.record, file=f"pair {pair_id}").triple, output)


def _decided(settings: Settings, client: "Client", question: Question, wait_s: float) -> "ReportDocument":
    """Return the report once its verdict is final, at the latest after `wait_s` seconds."""
    ends = time.monotonic() + wait_s
    said = ""
    while True:
        late = time.monotonic() >= ends
        try:
            document = question.ask(client)
        except MicrostaxError as error:
            if error.exit_code != EXIT_UNDECIDED or late:
                raise
            sentence = error.message
        else:
            if late or document["verdict"] in GATE_CODES:
                return document
            sentence = " ".join(document["reasons"]) or "no verdict yet."
        if sentence != said:
            settings.say(f"Waiting: {sentence}")
            said = sentence
        time.sleep(max(0.0, min(POLL_S, ends - time.monotonic())))


def _snapshots(client: "Client", question: Question, output: str) -> "Iterator[str]":
    """Yield the report, or the sentence that says why there is none yet, each time that it changed."""
    shown = None
    while True:
        try:
            document = question.ask(client)
            text = render(document, "json") if output == "json" else _rendered(document, output)
        except MicrostaxError as error:
            if error.exit_code != EXIT_UNDECIDED:
                raise
            text = f"{error.message}\n"
        if text != shown:
            shown = text
            yield text
        time.sleep(POLL_S)


def _watch(client: "Client", question: Question, output: str) -> None:
    """Redraw on a terminal; in a pipe print what changed, with an empty line between. Ctrl-C is how it ends."""
    try:
        if screen.is_terminal():
            with screen.Screen() as drawn:
                for text in _snapshots(client, question, output):
                    drawn.draw(text)
        for index, text in enumerate(_snapshots(client, question, output)):
            click.echo(f"\n{text}" if index else text, nl=False)
    except KeyboardInterrupt:
        return
