"""Follow the Progress stream of long work: messages to people, the result to stdout."""

import json
from typing import TYPE_CHECKING

import click

from microstax.cli.connection import Settings
from microstax.cli.listing import echo_json
from microstax.errors import FaultError
from microstax.report.text import visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from microstax.generated.management.microstax.management.v1 import Progress


def follow(settings: Settings, stream: "Iterable[Progress]", *, output: str = "table") -> None:
    """Show the stream's messages on stderr and its output (or, for json, its object) on stdout.

    Raises FaultError where the stream ends without `done`: then nobody knows whether the work was done.
    """
    done = False
    for progress in stream:
        if progress.message:
            (settings.warn if progress.warning else settings.say)(progress.message)
        if output == "json" and progress.object_json:
            echo_json(json.loads(progress.object_json))
        elif output != "json" and progress.output:
            click.echo(visible_lines(progress.output).rstrip("\n"))
        done = done or progress.done
    if not done:
        raise FaultError("The control plane stopped before the work was done; 'microstax status' shows what is there.")
