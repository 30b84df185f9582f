"""One pair on the terminal, the same for a live overlay and for a file of pairs."""

from typing import TYPE_CHECKING

import click

from microstax.cli import screen
from microstax.cli.listing import echo_json

if TYPE_CHECKING:
    from microstax.model.exchange import Triple


def echo_pair(triple: "Triple", output: str) -> None:
    """Print the pair with the differences that the rules of today find in it."""
    from microstax.offline import compared
    from microstax.report.pair import pair_document, render_pair

    pair = compared(triple)
    if output == "json":
        echo_json(pair_document(pair))
    else:
        click.echo(render_pair(pair, width=screen.width(), colour=screen.colour()), nl=False)
