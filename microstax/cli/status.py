"""`microstax status`: is everything as it should be, and if not, what is wrong."""

from typing import TYPE_CHECKING

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import aligned, echo_facts, echo_json, moment, output_option, plain
from microstax.cli.shape import command
from microstax.model.shadow import MILLION
from microstax.model.wording import size
from microstax.report.figures import number, percent
from microstax.report.text import visible

if TYPE_CHECKING:
    from microstax.generated.management.microstax.management.v1 import (
        EnvoyInfo,
        EnvoyType,
        GetStatusResponse,
        ShadowInfo,
        ShadowService,
        WorkerInfo,
    )


@command(None, "status", examples=["microstax status", "microstax status -o json"])
@output_option()
@settings_options
@pass_settings
def status(settings: Settings, *, output: str) -> None:
    """Show the control plane, Envoys, shadows and capture.

    Of an Envoy: whether the newest configuration is in force, or what it refused and why.
    """
    from microstax.api.methods import GET_STATUS

    with settings.client() as client:
        found = client.call(GET_STATUS, GET_STATUS.request())
    if output == "json":
        echo_json(plain(found))
    else:
        _echo(found)


def _echo(found: "GetStatusResponse") -> None:
    echo_facts(
        (
            ("control plane", f"microstax {found.version}, pid {found.pid}, since {moment(found.started_ms)}"),
            ("state folder", found.state_dir),
            ("problems", "" if found.problems else "none"),
        )
    )
    for problem in found.problems:
        click.echo(f"problem        {visible(problem)}")
    envoys = [_envoy_row(envoy) for envoy in found.envoys]
    _section(("ENVOY", "ROLE", "VERSION", "PID", "PHASE", "MEMORY", "CONFIGURATION"), envoys)
    for envoy in found.envoys:
        for kind in envoy.types:
            if kind.nack_error:
                click.echo(f"{visible(envoy.node_id)} refused {_refusal(kind)}")
    shadows = [_shadow_row(shadow, service) for shadow in found.shadows for service in shadow.services]
    _section(("SHADOW", "SERVICE", "STATE", "SAMPLE", "CONTROL", "MIRRORED", "PAIRED"), shadows)
    for one in found.shadows:
        for line in _extras(one):
            click.echo(visible(line))
    workers = [_worker_row(worker) for worker in found.workers]
    _section(("WORKER", "PID", "LAST SEEN", "PAIRS", "LAG", "MEMORY"), workers)


def _section(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    click.echo()
    for line in aligned([headers, *([visible(cell) for cell in row] for row in rows)]):
        click.echo(line)


def _envoy_row(envoy: "EnvoyInfo") -> tuple[str, ...]:
    refused = any(kind.nack_error for kind in envoy.types)
    state = "refused" if refused else "in force" if envoy.applied else "on its way"
    return (
        envoy.node_id,
        envoy.role,
        envoy.version,
        str(envoy.pid or ""),
        envoy.phase,
        _memory(envoy.memory_bytes, envoy.memory_limit_bytes),
        state if envoy.connected else "not connected",
    )


def _memory(held: int, limit: int = 0) -> str:
    """Return what a process holds, and above what nothing is mirrored any more."""
    if not held:
        return ""
    return f"{size(held)} of {size(limit)}" if limit else size(held)


def _refusal(kind: "EnvoyType") -> str:
    name = kind.type_url.rpartition(".")[2]
    kept = f"; version {kind.acked_version} stays in force" if kind.acked_version else ""
    return visible(f"{name} version {kind.nack_version}: {kind.nack_error}{kept}")


def _shadow_row(shadow: "ShadowInfo", service: "ShadowService") -> tuple[str, ...]:
    asked, current = service.sample_ppm / MILLION, service.current_ppm / MILLION
    sample = percent(asked) if asked == current else f"{percent(current)} (asked: {percent(asked)})"
    state = service.state or ("mirroring" if shadow.enabled else "off")
    return (
        shadow.overlay,
        service.service,
        state,
        sample,
        shadow.control or "none",
        number(service.mirrored),
        number(service.paired),
    )


def _extras(shadow: "ShadowInfo") -> list[str]:
    """Return what a shadow does beside mirroring, in sentences."""
    if not shadow.enabled:
        return [_ended(shadow)] if shadow.expires_ms else []
    lines = [f"{shadow.overlay}: {sentence}" for sentence in shadow.adjusted]
    lines += [shadow.fence] if shadow.fence else []
    lines += [
        f"{shadow.overlay} keeps {number(service.kept)} of {number(shadow.keep_pairs)} pairs of {service.service}"
        for service in shadow.services
        if shadow.keep_pairs
    ]
    if shadow.recheck_rps:
        lines.append(f"{shadow.overlay} asks mismatches again, at most {shadow.recheck_rps} a second and service")
    if shadow.strip_headers:
        lines.append(f"{shadow.overlay} gets copies without {', '.join(shadow.strip_headers)}")
    if len(shadow.services) > 1:
        lines.append(
            f"{shadow.overlay} gets at most {number(shadow.max_total_rps)} requests a second, all services together"
        )
    ends = f"ends by itself at {moment(shadow.expires_ms)}" if shadow.expires_ms else "does not end by itself"
    return [*lines, f"{shadow.overlay} {ends}"]


def _ended(shadow: "ShadowInfo") -> str:
    return (
        f"{shadow.overlay} ended by itself at {moment(shadow.expires_ms)}: 'microstax env shadow {shadow.overlay} "
        "--enable' switches it on again, with a new report"
    )


def _worker_row(worker: "WorkerInfo") -> tuple[str, ...]:
    lag = f"{number(worker.lag_ms)} ms"
    return (
        worker.worker_id,
        str(worker.pid or ""),
        moment(worker.last_seen_ms),
        number(worker.pairs),
        lag,
        _memory(worker.memory_bytes),
    )
