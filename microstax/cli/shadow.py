"""`microstax env shadow`: the switch that mirrors the baseline's live requests into an overlay."""

from typing import Final

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import output_option
from microstax.cli.progress import follow
from microstax.cli.shadow_usage import check_idle, check_pairs, check_switch
from microstax.cli.shape import command
from microstax.cli.values import header, methods_list, share, size, ttl
from microstax.errors import ControlPlaneUnreachableError
from microstax.model.shadow import DEFAULT_RECHECK_RPS, MOST_KEPT_PAIRS, MOST_RECHECK_RPS, ControlMode

ALL_TIMEOUT_S: Final = 15.0
"""Seconds after which a control plane that says nothing to --disable-all is taken for one that hangs."""


@command(
    None,
    "shadow",
    examples=[
        "microstax env shadow shadow-test --enable",
        "microstax env shadow shadow-test --enable --sample 25% --max-rps 50 --service catalog",
        "microstax env shadow shadow-test --enable --recheck",
        "microstax env shadow shadow-test --enable --keep-pairs 1000",
        "microstax env shadow shadow-test --enable --strip-header authorization --strip-header cookie",
        "microstax env shadow shadow-test --enable --ttl 2h",
        "microstax env shadow shadow-test --disable",
        "microstax env shadow --disable-all",
    ],
)
@click.argument("name", required=False)
@click.option("--enable", is_flag=True, help="Start mirroring, or change its settings.")
@click.option("--disable", is_flag=True, help="Stop mirroring; what was found stays.")
@click.option(
    "--disable-all",
    is_flag=True,
    help="The kill switch: stop all mirroring there is, at once, whatever else is broken. Takes no NAME.",
)
@click.option("--sample", type=share, metavar="SHARE", help="Mirror this share of requests [default: 100%].")
@click.option(
    "--max-rps",
    type=click.IntRange(min=1, max=1_000_000),
    metavar="N",
    help="At most N pairs a second a service [default: 200].",
)
@click.option(
    "--max-total-rps",
    type=click.IntRange(min=1, max=1_000_000),
    metavar="N",
    help="At most N pairs a second of all services together [default: 1000].",
)
@click.option(
    "--ttl",
    type=ttl,
    metavar="TIME",
    help="Mirroring ends by itself so long after this, also if the control plane is gone by then; enabling again "
    "starts the time anew, and 'never' lets it not end [default: 24h].",
)
@click.option(
    "--strip-header",
    "strip_headers",
    type=header,
    multiple=True,
    metavar="NAME",
    help="Take this header (authorization, cookie) out of every copy; may be repeated.",
)
@click.option("--no-strip-headers", is_flag=True, help="Take no header out of copies any more.")
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
    name: str | None,
    enable: bool,
    disable: bool,
    disable_all: bool,
    sample: int | None,
    max_rps: int | None,
    max_total_rps: int | None,
    ttl: int | None,
    strip_headers: tuple[str, ...],
    no_strip_headers: bool,
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
    check_switch(name, enable=enable, disable=disable, disable_all=disable_all)
    given = {
        "--sample": sample,
        "--max-rps": max_rps,
        "--max-total-rps": max_total_rps,
        "--ttl": ttl,
        "--strip-header": strip_headers,
        "--no-strip-headers": no_strip_headers,
        "--methods": methods,
        "--unsafe-methods": unsafe_methods,
        "--control": control,
        "--service": services,
        "--max-body": max_body,
        "--recheck": recheck,
        "--recheck-rps": recheck_rps,
        "--keep-pairs": keep_pairs,
    }
    check_idle(given, disable=disable, disable_all=disable_all)
    check_pairs(recheck=recheck, recheck_rps=recheck_rps, strip=strip_headers, strip_nothing=no_strip_headers)
    if disable_all:
        _disable_all(settings, output)
        return
    from microstax.api.methods import SET_SHADOW

    request = SET_SHADOW.request(
        overlay=name or "",
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
        strip_headers=list(strip_headers),
        strip_nothing=no_strip_headers,
        ttl_ms=ttl,
        max_total_rps=max_total_rps,
    )
    with settings.client() as client:
        follow(settings, client.stream(SET_SHADOW, request), output=output)


def _disable_all(settings: Settings, output: str) -> None:
    from microstax.api.methods import DISABLE_SHADOWS

    try:
        with settings.client() as client:
            stream = client.stream(DISABLE_SHADOWS, DISABLE_SHADOWS.request(), timeout_s=ALL_TIMEOUT_S)
            follow(settings, stream, output=output)
    except ControlPlaneUnreachableError as error:
        raise ControlPlaneUnreachableError(
            f"{error.message} Without it Envoys go on as they were told last, and each stops mirroring by itself when "
            "the --ttl of the first of its shadows is over. To stop now: end a control plane that hangs with 'kill -9' "
            "(Envoys and services stay), then 'microstax up --detach', then this command again."
        ) from error
