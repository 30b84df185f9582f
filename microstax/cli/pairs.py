"""Pairs for people: one on the terminal, alike for a live overlay and for a file, and the examples of a report."""

from typing import TYPE_CHECKING, Final

import click

from microstax.cli import screen
from microstax.cli.listing import echo_json

if TYPE_CHECKING:
    from microstax.api.client import Client
    from microstax.model.exchange import Triple
    from microstax.model.report import ReportDocument
    from microstax.report.pair import ComparedPair

_MOST_BYTES: Final = 8 * 1024 * 1024
"""How much is fetched for the examples of a report; what is shown of it is less."""


def echo_pair(triple: "Triple", output: str) -> None:
    """Print the pair with the differences that the rules of today find in it."""
    from microstax.offline import compared
    from microstax.report.pair import pair_document, render_pair

    pair = compared(triple)
    if output == "json":
        echo_json(pair_document(pair))
    else:
        click.echo(render_pair(pair, width=screen.width(), colour=screen.colour()), nl=False)


def examples(client: "Client", document: "ReportDocument") -> "dict[str, ComparedPair]":
    """Return the pairs that a report shows, by id, as far as they are kept still and are not too much."""
    from microstax.api.client import RemoteError
    from microstax.api.methods import GET_PAIR
    from microstax.model.record import decode_pair
    from microstax.offline import compared
    from microstax.report.examples import pairs_shown

    found: dict[str, ComparedPair] = {}
    left = _MOST_BYTES
    for pair_id in pairs_shown(document):
        try:
            record = client.call(GET_PAIR, GET_PAIR.request(overlay=document["overlay"], pair_id=pair_id)).record
        except RemoteError:
            continue  # pruned since; the report is worth more than its example
        left -= len(record)
        if left < 0:
            break
        found[pair_id] = compared(decode_pair(record, file=f"pair {pair_id}").triple)
    return found
