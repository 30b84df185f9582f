"""`microstax selftest`: what the report finds where nothing changed, and whether it finds what was put in."""

from collections.abc import Mapping

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import echo_json, output_option
from microstax.cli.shape import command
from microstax.cli.values import FILE, alpha, duration, tolerance
from microstax.errors import UsageError
from microstax.model.shadow import ControlMode


def check_source(*, baseline: str | None, file: str | None, live: Mapping[str, object]) -> None:
    """Raise UsageError unless exactly one source of pairs is named, and nothing that only the other one takes."""
    if (baseline is None) == (file is None):
        raise UsageError("Name a baseline to test it live, or --file with exported pairs: one of the two.")
    idle = [flag for flag, value in live.items() if value]
    if file is not None and idle:
        raise UsageError(f"{idle[0]} says how to capture pairs and has no meaning with --file: leave it out.")


@command(
    None,
    "selftest",
    examples=[
        "microstax selftest production-cluster-01",
        "microstax selftest production-cluster-01 --service catalog --pairs 5000 --wait 15m",
        "microstax selftest --file pairs.msgpack -o json",
    ],
)
@click.argument("baseline", required=False)
@click.option("--pairs", type=click.IntRange(min=1), metavar="N", help="Wait for N pairs.  [default: 1000]")
@click.option("--service", "services", multiple=True, metavar="S", help="Only this service; may be repeated.")
@click.option("--wait", type=duration, metavar="TIME", help="Wait this long for them.  [default: 5m]")
@click.option(
    "--control",
    type=click.Choice([mode.value for mode in ControlMode]),
    help="Who measures the noise, as in 'env shadow'.  [default: copy where the service has a command, else self]",
)
@click.option(
    "--alpha", type=alpha, metavar="RATE", help="The share of false findings that is accepted.  [default: 0.05]"
)
@click.option(
    "--tolerance", type=tolerance, metavar="SHARE", help="An excess up to this share is the same.  [default: 1%]"
)
@click.option("--keep", is_flag=True, help="Leave the overlay with its pairs.")
@click.option("--file", "file", type=FILE, metavar="FILE", help="Test with the pairs of 'env export' instead.")
@output_option()
@settings_options
@pass_settings
@click.pass_context
def selftest(
    context: click.Context,
    settings: Settings,
    *,
    baseline: str | None,
    pairs: int | None,
    services: tuple[str, ...],
    wait: float | None,
    control: str | None,
    alpha: float | None,
    tolerance: float | None,
    keep: bool,
    file: str | None,
    output: str,
) -> None:
    """Prove the verdicts on a baseline of your own.

    BASELINE is mirrored into an unchanged copy of itself, where every finding is a false one. Then known faults are put
    into the captured answers, one kind at a time and in 100%, 10% and 1% of the requests, and the report has to find
    each of them and nothing else. The overlay is deleted at the end.

    Ends with 0 if there is no false finding and all that this traffic can decide was found, 1 for a false finding or a
    miss, 3 if there is not enough traffic.
    """
    live = {"--pairs": pairs, "--service": services, "--wait": wait, "--control": control, "--keep": keep}
    check_source(baseline=baseline, file=file, live=live)
    from microstax.cli.selftest_run import Judging, prove_file, prove_live
    from microstax.cli.selftest_stage import Wish
    from microstax.cli.selftest_table import lines

    judging = Judging(alpha=alpha, tolerance=tolerance)
    if file is not None:
        result = prove_file(settings, file, judging)
    else:
        wish = Wish(
            baseline=baseline or "",
            services=services,
            pairs=pairs or 1000,
            wait_s=wait or 300.0,
            control=control or "",
            alpha=alpha or 0.0,
            tolerance=tolerance or 0.0,
            keep=keep,
        )
        result = prove_live(settings, wish, judging)
    if output == "json":
        echo_json(result.document())
    else:
        for line in lines(result):
            click.echo(line)
    context.exit(result.exit_code)
