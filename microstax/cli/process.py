"""`microstax up`, `down` and `demo`: the control plane as a process of this machine."""

from typing import Final

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.progress import follow
from microstax.cli.shape import command
from microstax.cli.values import duration, size
from microstax.errors import ControlPlaneUnreachableError, FaultError

STOP_S: Final = 15.0
"""How long an interpreter that has nothing left to do may take to end."""


@command(
    None,
    "up",
    examples=["microstax up", "microstax up --detach", "microstax up --max-envoy-memory 512MiB --max-lag 30s"],
)
@click.option("--detach", is_flag=True, help="Run in the background; return when it answers.")
@click.option("--listen", metavar="HOST:PORT", help="Also answer the management API on TCP (anybody may then use it).")
@click.option(
    "--max-envoy-memory",
    type=size,
    default="256MiB",
    show_default=True,
    help="Pause mirroring from an Envoy that has grown by more since it began.",
)
@click.option(
    "--max-worker-memory",
    type=size,
    default="1GiB",
    show_default=True,
    help="Pause all mirroring while the worker holds more.",
)
@click.option(
    "--max-lag",
    type=duration,
    default="10s",
    show_default=True,
    help="Pause mirroring while the worker is further behind.",
)
@settings_options
@pass_settings
@click.pass_context
def up(
    context: click.Context,
    settings: Settings,
    *,
    detach: bool,
    listen: str | None,
    max_envoy_memory: int,
    max_worker_memory: int,
    max_lag: float,
) -> None:
    """Start the control plane, Envoy and the collector on this machine.

    In the foreground with readable logs on stderr until Ctrl-C, or in the background with --detach. The limits hold
    until this control plane ends; 'microstax status' says what is paused and why.
    """
    from microstax.control.guard import Limits

    limits = Limits(envoy_growth_bytes=max_envoy_memory, worker_bytes=max_worker_memory, lag_ms=round(max_lag * 1000))
    if detach:
        from microstax.control.launch import detach as start

        settings.say(start(settings.state_dir, listen=listen, limits=limits))
        return
    from microstax.control.serve import run

    context.exit(run(settings.state_dir, listen=listen, limits=limits))


@command(None, "down", examples=["microstax down"])
@settings_options
@pass_settings
def down(settings: Settings) -> None:
    """Stop the control plane and everything that it started.

    Its Envoys, workers and services end; servers that ran before (`url`) are left alone, and so is what was found.
    Where the control plane was killed, what it left running is stopped all the same.
    """
    from microstax.api.methods import SHUTDOWN
    from microstax.runtime.state import watch_holder

    with watch_holder(settings.state_dir) as ended:
        try:
            with settings.client() as client:
                follow(settings, client.stream(SHUTDOWN, SHUTDOWN.request()))
        except ControlPlaneUnreachableError:
            if not _stop_leftovers(settings):
                raise
        if not ended(STOP_S):
            raise FaultError("Everything was stopped, but the control plane has not ended yet: see 'microstax status'.")


def _stop_leftovers(settings: Settings) -> bool:
    from microstax.control.leftovers import stop_leftovers

    count = stop_leftovers(settings.state_dir)
    if count:
        settings.say(f"The control plane was gone already; {count} processes that it had left are stopped.")
    return count > 0


@command(None, "demo", examples=["microstax demo", "microstax demo --keep"])
@click.option("--keep", is_flag=True, help="Leave everything running, and say how to look around and how to stop it.")
@settings_options
@pass_settings
@click.pass_context
def demo(context: click.Context, settings: Settings, *, keep: bool) -> None:
    """Run the whole story on a small shop, in under a minute.

    Starts a control plane of its own and a shop of six services, mirrors live traffic into a branch with planted
    bugs, prints the report and checks it against the planted list. Ends with 1 if the report missed or invented
    anything, or if a user of the shop noticed anything.
    """
    from microstax.demo import run_demo

    context.exit(run_demo(state=settings.state_dir if settings.state else None, keep=keep, quiet=settings.quiet))
