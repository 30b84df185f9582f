"""`microstax overlay`: sparse environments with only the services that a branch modifies."""

from typing import TYPE_CHECKING, Final

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.env import echo_services
from microstax.cli.listing import echo_facts, echo_json, echo_table, moment, output_option, plain, yes
from microstax.cli.progress import follow
from microstax.cli.shape import Group, command
from microstax.cli.sources import read_source
from microstax.cli.values import FILE
from microstax.report.text import visible_lines

if TYPE_CHECKING:
    from microstax.generated.management.microstax.management.v1 import OverlayInfo

_DIRECT: Final = {
    "refused": "connections to the baseline's own ports are refused",
    "allowed": "connections to the baseline's own ports are allowed by patch.yaml (bridge: {direct: allow})",
    "open": "fence: direct connections are not enforced",
}


@click.group("overlay", cls=Group, examples=("microstax overlay list", "microstax overlay show shadow-test"))
def overlay() -> None:
    """Overlays: only what a branch changes, on top of a baseline."""


@command(
    overlay,
    "create",
    examples=[
        "microstax overlay create --baseline production-cluster-01 --file ./patch.yaml --name shadow-test",
        "microstax overlay create --baseline production-cluster-01 --file ./patch.yaml --name shadow-test --dry-run",
    ],
)
@click.option("--baseline", required=True, metavar="B", help="The promoted environment to stand on.")
@click.option(
    "--file", "file", required=True, type=FILE, metavar="FILE", help="The patch.yaml with the changes; - is stdin."
)
@click.option("--name", required=True, metavar="N", help="The name of the overlay.")
@click.option("--dry-run", is_flag=True, help="Print what would run and what is bridged, start nothing.")
@output_option()
@settings_options
@pass_settings
def create(settings: Settings, *, baseline: str, file: str, name: str, dry_run: bool, output: str) -> None:
    """Start the services that a patch.yaml modifies, and bridge all others to the baseline."""
    from microstax.api.methods import CREATE_OVERLAY

    request = CREATE_OVERLAY.request(name=name, baseline=baseline, file=read_source(file), dry_run=dry_run)
    with settings.client() as client:
        follow(settings, client.stream(CREATE_OVERLAY, request), output=output)


@command(overlay, "list", examples=["microstax overlay list", "microstax overlay list -o json"])
@output_option()
@settings_options
@pass_settings
def list_overlays(settings: Settings, *, output: str) -> None:
    """List the overlays."""
    from microstax.api.methods import LIST_OVERLAYS

    with settings.client() as client:
        found = client.call(LIST_OVERLAYS, LIST_OVERLAYS.request()).overlays
    if output == "json":
        echo_json(plain(found))
        return
    rows = [
        (
            one.name,
            one.baseline,
            ", ".join(service.name for service in one.services if service.runs_in != "bridge"),
            yes(one.shadowed),
            moment(one.created_ms),
        )
        for one in found
    ]
    echo_table(
        ("NAME", "BASELINE", "MODIFIES", "SHADOWED", "CREATED"),
        rows,
        empty="No overlay yet: make one with 'microstax overlay create --baseline B --file patch.yaml --name N'.",
    )


@command(overlay, "show", examples=["microstax overlay show shadow-test"])
@click.argument("name")
@output_option()
@settings_options
@pass_settings
def show(settings: Settings, *, name: str, output: str) -> None:
    """Show the overlay NAME: what runs in it, what is bridged, and how it differs from the baseline."""
    from microstax.api.methods import GET_OVERLAY

    with settings.client() as client:
        found = client.call(GET_OVERLAY, GET_OVERLAY.request(name=name))
    if output == "json":
        echo_json(plain(found))
        return
    allowed = [f"{one.allowed} on {one.service}" for one in found.fence if one.allowed]
    echo_facts(
        (
            ("name", found.name),
            ("baseline", found.baseline),
            ("created", moment(found.created_ms)),
            ("shadowed", _shadowed(found)),
            ("bridge allows", "; ".join(allowed) or "safe methods only"),
            ("past the bridge", _DIRECT.get(found.direct, found.direct)),
        )
    )
    echo_services(found.services)
    if found.fence:
        click.echo("\nfence: what it may do to the baseline")
        rows = [
            (
                one.service,
                f"safe methods{f', {one.allowed}' if one.allowed else ''}"
                if one.protocol == "http"
                else ("connections" if one.allowed else "nothing: connections are closed"),
                f"{one.max_concurrent:,}",
                f"{one.max_rps:,}",
            )
            for one in found.fence
        ]
        echo_table(("SERVICE", "PASSES", "AT A TIME", "A SECOND"), rows, empty="")
    if found.manifest_diff:
        click.echo(f"\n{visible_lines(found.manifest_diff).rstrip()}")


def _shadowed(found: "OverlayInfo") -> str:
    ends = moment(found.ends_ms)
    if found.shadowed:
        return f"yes, until {ends}" if ends else "yes, and it does not end by itself"
    again = f"'microstax env shadow {found.name} --enable' switches it on again"
    return f"no: it ended by itself at {ends}; {again}" if ends else "no"


@command(overlay, "delete", examples=["microstax overlay delete shadow-test"])
@click.argument("name")
@settings_options
@pass_settings
def delete(settings: Settings, *, name: str) -> None:
    """Switch the shadow of the overlay NAME off, stop its services and forget it."""
    from microstax.api.methods import DELETE_OVERLAY

    with settings.client() as client:
        follow(settings, client.stream(DELETE_OVERLAY, DELETE_OVERLAY.request(name=name)))
