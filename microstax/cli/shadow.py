"""`microstax env shadow`: the switch that mirrors the baseline's live requests into an overlay."""

from collections.abc import Mapping

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import output_option
from microstax.cli.progress import follow
from microstax.cli.shape import command
from microstax.cli.values import methods_list, share, size
from microstax.errors import UsageError
from microstax.model.shadow import DEFAULT_RECHECK_RPS, MOST_KEPT_PAIRS, MOST_RECHECK_RPS, ControlMode


def check_switch(*, enable: bool, disable: bool) -> None:
    """Raise UsageError unless exactly one of the two is asked for."""
    if enable and disable:
        raise UsageError("--enable and --disable exclude each other: give one of them.")
    if not enable and not disable:
        raise UsageError("Say --enable to start mirroring or --disable to stop it.")


def check_idle(given: Mapping[str, object], *, disable: bool) -> None:
    """Raise UsageError for settings beside --disable: the user may believe that they take effect."""
    idle = [flag for flag, value in given.items() if value]
    if disable and idle:
        raise UsageError(f"{idle[0]} says how to mirror and has no meaning with --disable: leave it out.")


@command(
    None,
    "shadow",
    examples=[
        "microstax env shadow shadow-test --enable",
        "microstax env shadow shadow-test --enable --sample 25% --max-rps 50 --service catalog",
        "microstax env shadow shadow-test --enable --recheck",
        "microstax env shadow shadow-test --enable --keep-pairs 1000",
        "microstax env shadow shadow-test --disable",
    ],
)
@click.argument("name")
@click.option("--enable", is_flag=True, help="Start mirroring, or change its settings.")
@click.option("--disable", is_flag=True, help="Stop mirroring; what was found stays.")
@click.option("--sample", type=share, metavar="SHARE", help="Mirror this share of requests [default: 100%].")
@click.option(
    "--max-rps",
    type=click.IntRange(min=1, max=1_000_000),
    metavar="N",
    help="At most N pairs a second a service [default: 200].",
)
@click.option("--methods", type=methods_list, metavar="LIST", help="Methods to mirror [default: GET,HEAD,OPTIONS].")
@click.option("--unsafe-methods", is_flag=True, help="Accept methods that change data; the branch runs them too.")
@click.option(
    "--control",
    type=click.Choice([mode.value for mode in ControlMode]),
    help="Who answers a second time for the baseline, to measure noise: a copy, the baseline itself, or nobody "
    "[default: copy where the service has a command, else none].",
)
@click.option("--service", "services", multiple=True, metavar="S", help="Only this service; may be repeated.")
@click.option("--max-body", type=size, metavar="SIZE", help="Mirror no request with a larger body [default: 64KiB].")
@click.option(
    "--recheck",
    is_flag=True,
    help="Ask mismatches on safe requests again, of every side, and count only what comes back: a read that met a "
    f"write is no difference. At most {DEFAULT_RECHECK_RPS} a second and service.",
)
@click.option(
    "--recheck-rps",
    type=click.IntRange(min=0, max=MOST_RECHECK_RPS),
    metavar="N",
    help="The same, at most N a second and service; 0 asks nothing again [default: 0].",
)
@click.option(
    "--keep-pairs",
    type=click.IntRange(min=0, max=MOST_KEPT_PAIRS),
    metavar="N",
    help="Keep the first N pairs of each service, whatever they show, at most 256 MiB; 'env export' writes them "
    "[default: 0, only what findings show].",
)
@output_option()
@settings_options
@pass_settings
def shadow(
    settings: Settings,
    *,
    name: str,
    enable: bool,
    disable: bool,
    sample: int | None,
    max_rps: int | None,
    methods: tuple[str, ...] | None,
    unsafe_methods: bool,
    control: str | None,
    services: tuple[str, ...],
    max_body: int | None,
    recheck: bool,
    recheck_rps: int | None,
    keep_pairs: int | None,
    output: str,
) -> None:
    """Switch the mirroring of live traffic into an overlay.

    NAME is the overlay, and the traffic is its baseline's.
    Users of the baseline notice nothing: their responses never wait for the branch.
    """
    check_switch(enable=enable, disable=disable)
    given = {
        "--sample": sample,
        "--max-rps": max_rps,
        "--methods": methods,
        "--unsafe-methods": unsafe_methods,
        "--control": control,
        "--max-body": max_body,
        "--recheck": recheck,
        "--recheck-rps": recheck_rps,
        "--keep-pairs": keep_pairs,
    }
    check_idle(given, disable=disable)
    if recheck and recheck_rps == 0:
        raise UsageError("--recheck and --recheck-rps 0 contradict each other: leave one of them out.")
    from microstax.api.methods import SET_SHADOW

    request = SET_SHADOW.request(
        overlay=name,
        enable=enable,
        sample_ppm=sample,
        max_rps=max_rps,
        methods=list(methods or ()),
        unsafe_methods=unsafe_methods,
        control=control or "",
        services=list(services),
        max_body_bytes=max_body,
        recheck_rps=DEFAULT_RECHECK_RPS if recheck and recheck_rps is None else recheck_rps,
        keep_pairs=keep_pairs,
    )
    with settings.client() as client:
        follow(settings, client.stream(SET_SHADOW, request), output=output)
