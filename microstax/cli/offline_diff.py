"""`microstax diff`: the report of a file of pairs, without a control plane."""

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import output_option
from microstax.cli.pairs import echo_pair
from microstax.cli.reports import check_pair, filter_options, gate_options, report
from microstax.cli.shape import command
from microstax.cli.values import FILE
from microstax.report.render import FORMATS


@command(
    None,
    "diff",
    examples=[
        "microstax diff pairs.msgpack",
        "microstax diff pairs.msgpack --gate -o junit",
        "microstax diff pairs.msgpack --pair 2f1c8a52-9d0b-4c56-8f0f-5e0a5a0a77a1",
    ],
)
@click.argument("file", type=FILE)
@filter_options
@gate_options
@output_option(FORMATS)
@settings_options
@pass_settings
@click.pass_context
def diff(
    context: click.Context,
    settings: Settings,
    *,
    file: str,
    service: str,
    endpoint: str,
    kind: str | None,
    pair_id: str | None,
    gate: bool,
    min_pairs: int,
    output: str,
) -> None:
    """Compare exported pairs again, offline, by the rules of today.

    FILE is what `microstax env export` wrote. It holds the pairs that were stored, not every pair that was
    compared: its counts are smaller.
    """
    check_pair(pair_id=pair_id, gate=gate, output=output)
    from microstax.offline import Selection, find_pair, report_of

    if pair_id is not None:
        echo_pair(find_pair(file, pair_id), output)
        return
    selection = Selection(service=service, endpoint=endpoint, kind=kind or "", min_pairs=min_pairs)
    context.exit(report(settings, report_of(file, selection), output, gate=gate))
