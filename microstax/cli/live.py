"""Reports over time: wait for a verdict, or show every change until Ctrl-C."""

import time
from typing import TYPE_CHECKING, Final

import click

from microstax.cli import screen
from microstax.cli.connection import Settings
from microstax.cli.reports import Question, rendered
from microstax.errors import EXIT_UNDECIDED, MicrostaxError
from microstax.report.gate import gate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from microstax.api.client import Client
    from microstax.model.report import ReportDocument

POLL_S: Final = 0.5


def decided(
    settings: Settings, client: "Client", question: Question, *, wait_s: float, fail_on: "Collection[str]"
) -> "ReportDocument":
    """Return the report once it is final for a gate that fails on `fail_on`, at the latest after `wait_s` seconds."""
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
            outcome = gate(document, fail_on)
            if late or outcome.final:
                return document
            sentence = " ".join(document["reasons"]) or outcome.sentence
        if sentence != said:
            settings.say(f"Waiting: {sentence}")
            said = sentence
        time.sleep(max(0.0, min(POLL_S, ends - time.monotonic())))


def snapshots(client: "Client", question: Question, output: str) -> "Iterator[str]":
    """Yield the report, or the sentence that says why there is none yet, each time that it changed."""
    shown = None
    while True:
        try:
            document = question.ask(client)
            text = rendered(document, output)
        except MicrostaxError as error:
            if error.exit_code != EXIT_UNDECIDED:
                raise
            text = f"{error.message}\n"
        if text != shown:
            shown = text
            yield text
        time.sleep(POLL_S)


def watch_reports(client: "Client", question: Question, output: str) -> None:
    """Redraw on a terminal; in a pipe print what changed, with an empty line between. Ctrl-C is how it ends."""
    try:
        if screen.is_terminal():
            with screen.Screen() as drawn:
                for text in snapshots(client, question, output):
                    drawn.draw(text)
        for index, text in enumerate(snapshots(client, question, output)):
            click.echo(f"\n{text}" if index else text, nl=False)
    except KeyboardInterrupt:
        return
