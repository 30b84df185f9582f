"""`microstax env diffs`: the report, once, when it is decided, or live; or one pair."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.judging import judging, judging_options
from microstax.cli.listing import output_option
from microstax.cli.live import decided, watch_reports
from microstax.cli.pairs import echo_pair, examples
from microstax.cli.reports import ON_A_TERMINAL, Question, check_pair, failing, filter_options, gate_options, report
from microstax.cli.shape import command
from microstax.cli.values import duration
from microstax.errors import UsageError
from microstax.report.render import FORMATS

if TYPE_CHECKING:
    from microstax.api.client import Client


@command(
    None,
    "diffs",
    examples=[
        "microstax env diffs shadow-test",
        "microstax env diffs shadow-test --watch",
        "microstax env diffs shadow-test --pair 2f1c8a52-9d0b-4c56-8f0f-5e0a5a0a77a1",
        "microstax env diffs shadow-test --gate --min-pairs 500 --wait 5m -o junit",
        "microstax env diffs shadow-test --gate --fail-on different,undecided,slower --rules ci/microstax.yaml",
    ],
)
@click.argument("name")
@filter_options
@click.option("--watch", is_flag=True, help="Show the report live until Ctrl-C.")
@gate_options
@click.option(
    "--wait", type=duration, metavar="TIME", help="Wait at most this long, until the answer is final, and print it."
)
@judging_options
@output_option(FORMATS)
@settings_options
@pass_settings
@click.pass_context
def diffs(
    context: click.Context,
    settings: Settings,
    /,
    *,
    name: str,
    service: str,
    endpoint: str,
    kind: str | None,
    watch: bool,
    pair_id: str | None,
    gate: bool,
    fail_on: Collection[str] | None,
    wait: float | None,
    output: str,
    **verdicts: Any,
) -> None:
    """Report how an overlay behaves differently from its baseline.

    NAME is the overlay; the report is about what was mirrored so far.
    """
    _check(watch=watch, gate=gate, wait=wait, pair_id=pair_id, output=output)
    fail_on = failing(fail_on, gate=gate)
    question = Question(
        overlay=name, service=service, endpoint=endpoint, kind=kind or "", judging=judging(settings, **verdicts)
    )
    with settings.client() as client:
        if pair_id is not None:
            _show_pair(client, name, pair_id, output)
        elif watch:
            watch_reports(client, question, output)
        else:
            document = decided(settings, client, question, wait_s=wait or 0.0, fail_on=fail_on)
            pairs = examples(client, document) if output == "html" else None
            context.exit(report(settings, document, output, fail_on=fail_on if gate else None, pairs=pairs))


def _check(*, watch: bool, gate: bool, wait: float | None, pair_id: str | None, output: str) -> None:
    if watch and (gate or wait or pair_id):
        other = "--gate" if gate else "--wait" if wait else "--pair"
        raise UsageError(f"--watch shows reports until Ctrl-C and cannot be used with {other}: leave one of them out.")
    if watch and output not in ON_A_TERMINAL:
        raise UsageError(f"--watch can be printed as table or json, not as {output}.")
    check_pair(pair_id=pair_id, gate=gate or wait is not None, output=output)


def _show_pair(client: "Client", overlay: str, pair_id: str, output: str) -> None:
    from microstax.api.methods import GET_PAIR
    from microstax.model.record import decode_pair

    answer = client.call(GET_PAIR, GET_PAIR.request(overlay=overlay, pair_id=pair_id))
    echo_pair(decode_pair(answer.record, file=f"pair {pair_id}").triple, output)
