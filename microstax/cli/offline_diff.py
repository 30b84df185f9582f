"""`microstax diff`: the report of a file of pairs, without a control plane."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.judging import Judging, judging, judging_options
from microstax.cli.listing import output_option
from microstax.cli.pairs import echo_pair
from microstax.cli.reports import check_pair, failing, filter_options, gate_options, report
from microstax.cli.shape import command
from microstax.cli.values import FILE
from microstax.report.render import FORMATS

if TYPE_CHECKING:
    from microstax.offline import Selection


@command(
    None,
    "diff",
    examples=[
        "microstax diff pairs.msgpack",
        "microstax diff pairs.msgpack --gate -o junit",
        "microstax diff pairs.msgpack --rules ./microstax.yaml --tolerance 0.5%",
        "microstax diff pairs.msgpack --pair 2f1c8a52-9d0b-4c56-8f0f-5e0a5a0a77a1",
    ],
)
@click.argument("file", type=FILE)
@filter_options
@gate_options
@judging_options
@output_option(FORMATS)
@settings_options
@pass_settings
@click.pass_context
def diff(
    context: click.Context,
    settings: Settings,
    /,
    *,
    file: str,
    service: str,
    endpoint: str,
    kind: str | None,
    pair_id: str | None,
    gate: bool,
    fail_on: Collection[str] | None,
    output: str,
    **verdicts: Any,
) -> None:
    """Compare exported pairs again, offline, by the rules of today.

    FILE is what `microstax env export` wrote. It holds the pairs that were stored, not every pair that was
    compared: its counts are smaller.
    """
    check_pair(pair_id=pair_id, gate=gate, output=output)
    from microstax.offline import find_pair, find_pairs, report_of
    from microstax.report.examples import pairs_shown

    fail_on = failing(fail_on, gate=gate)
    if pair_id is not None:
        echo_pair(find_pair(file, pair_id), output)
        return
    chosen = selection(judging(settings, **verdicts), service=service, endpoint=endpoint, kind=kind or "")
    document = report_of(file, chosen)
    pairs = find_pairs(file, pairs_shown(document)) if output == "html" else None
    context.exit(report(settings, document, output, fail_on=fail_on if gate else None, pairs=pairs))


def selection(asked: Judging, **filters: str) -> "Selection":
    """Return what a report of a file is about. Raises InvalidFileError for a file of rules that cannot be used."""
    from microstax.blueprint.rules import RuleFile, parse_rules
    from microstax.diff import Policy
    from microstax.offline import Selection

    rules = parse_rules(asked.rules.text, file=asked.rules.name) if asked.rules else RuleFile()
    policy = Policy.asked(min_pairs=asked.min_pairs, alpha=asked.alpha, tolerance=asked.tolerance)
    return Selection(policy=policy, rules=rules, today=datetime.now(UTC).date(), **filters)
