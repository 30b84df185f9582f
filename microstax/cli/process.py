"""`microstax up`, `down` and `demo`: the control plane as a process of this machine."""

from typing import Final

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.progress import follow
from microstax.cli.shape import command
from microstax.errors import ControlPlaneUnreachableError, FaultError

STOP_S: Final = 15.0
"""How long an interpreter that has nothing left to do may take to end."""


@command(None, "up", examples=["microstax up", "microstax up --detach", "microstax up --state /tmp/msx --detach"])
@click.option("--detach", is_flag=True, help="Run in the background; return when it answers.")
@click.option("--listen", metavar="HOST:PORT", help="Also answer the management API on TCP (anybody may then use it).")
@settings_options
@pass_settings
@click.pass_context
def up(context: click.Context, settings: Settings, *, detach: bool, listen: str | None) -> None:
    """Start the control plane, Envoy and the collector on this machine.

    In the foreground with readable logs on stderr until Ctrl-C, or in the background with --detach.
    """
    if detach:
        from microstax.control.launch import detach as start

        settings.say(start(settings.state_dir, listen=listen))
        return
    from microstax.control.serve import run

    context.exit(run(settings.state_dir, listen=listen))


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
