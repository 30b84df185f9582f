"""`microstax env`: environments, from their services to their differences."""

from typing import TYPE_CHECKING, Final

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import aligned, echo_facts, echo_json, echo_table, moment, output_option, plain, yes
from microstax.cli.progress import follow
from microstax.cli.shape import Group, Lazy, command
from microstax.cli.sources import read_source
from microstax.cli.values import FILE
from microstax.report.text import visible

if TYPE_CHECKING:
    from microstax.generated.management.microstax.management.v1 import ServiceInfo

LATER: Final = {
    "shadow": Lazy("microstax.cli.shadow:shadow", "Switch the mirroring of live traffic into an overlay."),
    "diffs": Lazy("microstax.cli.diffs:diffs", "Report how an overlay behaves differently from its baseline."),
    "export": Lazy("microstax.cli.export:export", "Write the stored pairs of an overlay to a file."),
    "logs": Lazy("microstax.cli.logs:logs", "Print what the services of an environment log."),
}
SERVICE_HEADERS: Final = ("SERVICE", "PHASE", "URL", "PROCESS", "PID", "RESTARTS")


@click.group("env", cls=Group, lazy=LATER, examples=("microstax env list", "microstax env diffs shadow-test"))
def env() -> None:
    """Environments: create, promote, shadow, read the differences."""


@command(env, "create", examples=["microstax env create production-cluster-01 --file ./env.yaml"])
@click.argument("name")
@click.option(
    "--file", "file", required=True, type=FILE, metavar="FILE", help="The env.yaml with the services; - is stdin."
)
@output_option()
@settings_options
@pass_settings
def create(settings: Settings, *, name: str, file: str, output: str) -> None:
    """Start the services of an env.yaml as the environment NAME, and wait until they are healthy."""
    from microstax.api.methods import CREATE_ENVIRONMENT

    request = CREATE_ENVIRONMENT.request(name=name, file=read_source(file))
    with settings.client() as client:
        follow(settings, client.stream(CREATE_ENVIRONMENT, request), output=output)


@command(env, "list", examples=["microstax env list", "microstax env list -o json"])
@output_option()
@settings_options
@pass_settings
def list_environments(settings: Settings, *, output: str) -> None:
    """List the environments."""
    from microstax.api.methods import LIST_ENVIRONMENTS

    with settings.client() as client:
        found = client.call(LIST_ENVIRONMENTS, LIST_ENVIRONMENTS.request()).environments
    if output == "json":
        echo_json(plain(found))
        return
    rows = [
        (one.name, one.runtime, one.health, yes(one.promoted), str(len(one.services)), ", ".join(one.overlays))
        for one in found
    ]
    echo_table(
        ("NAME", "RUNTIME", "HEALTH", "BASELINE", "SERVICES", "OVERLAYS"),
        rows,
        empty="No environment yet: make one with 'microstax env create NAME --file env.yaml'.",
    )


@command(env, "show", examples=["microstax env show production-cluster-01"])
@click.argument("name")
@output_option()
@settings_options
@pass_settings
def show(settings: Settings, *, name: str, output: str) -> None:
    """Show the environment NAME with its services."""
    from microstax.api.methods import GET_ENVIRONMENT

    with settings.client() as client:
        found = client.call(GET_ENVIRONMENT, GET_ENVIRONMENT.request(name=name))
    if output == "json":
        echo_json(plain(found))
        return
    echo_facts(
        (
            ("name", found.name),
            ("runtime", found.runtime),
            ("health", found.health),
            ("baseline", f"since {moment(found.promoted_ms)}" if found.promoted else "no"),
            ("overlays", ", ".join(found.overlays)),
        )
    )
    echo_services(found.services)


def echo_services(services: "list[ServiceInfo]") -> None:
    """Print services as a table, and below it what there is to say about single ones."""
    if not services:
        return
    click.echo()
    bridged = any(service.runs_in for service in services)
    headers = (*SERVICE_HEADERS, "RUNS IN") if bridged else SERVICE_HEADERS
    rows = [_service_row(service)[: len(headers)] for service in services]
    for line in aligned([headers, *([visible(cell) for cell in row] for row in rows)]):
        click.echo(line)
    for service in services:
        if service.message:
            click.echo(f"{visible(service.name)}: {visible(service.message)}")


def _service_row(service: "ServiceInfo") -> tuple[str, ...]:
    pid, restarts = str(service.pid or ""), str(service.restarts) if service.pid else ""
    return service.name, service.phase, service.url, service.address, pid, restarts, service.runs_in


@command(env, "delete", examples=["microstax env delete production-cluster-01"])
@click.argument("name")
@settings_options
@pass_settings
def delete(settings: Settings, *, name: str) -> None:
    """Stop the services of the environment NAME and forget it."""
    from microstax.api.methods import DELETE_ENVIRONMENT

    with settings.client() as client:
        follow(settings, client.stream(DELETE_ENVIRONMENT, DELETE_ENVIRONMENT.request(name=name)))


@command(
    env,
    "promote",
    examples=[
        "microstax env promote production-cluster-01",
        "microstax env promote production-cluster-01 --file ./env.yaml",
    ],
)
@click.argument("name")
@click.option(
    "--file", "file", type=FILE, metavar="FILE", help="Create the environment from this env.yaml first; - is stdin."
)
@click.option("--context", metavar="C", help="Kubernetes: the kubeconfig context of the cluster.")
@click.option("--namespace", metavar="N", help="Kubernetes: the namespace with the services.")
@output_option()
@settings_options
@pass_settings
def promote(
    settings: Settings, *, name: str, file: str | None, context: str | None, namespace: str | None, output: str
) -> None:
    """Make the environment NAME a baseline: the stable source of traffic, if all of its services are healthy."""
    from microstax.api.methods import PROMOTE_ENVIRONMENT

    request = PROMOTE_ENVIRONMENT.request(
        name=name, file=read_source(file) if file else None, context=context or "", namespace=namespace or ""
    )
    with settings.client() as client:
        follow(settings, client.stream(PROMOTE_ENVIRONMENT, request), output=output)
