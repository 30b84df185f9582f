"""What holds for every command: the state folder, quietness, and the connection to the control plane."""

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from microstax.api.client import Client


@dataclass(slots=True)
class Settings:
    """The options of the group; `state` is None where neither --state nor MICROSTAX_STATE names a folder."""

    state: str | None = None
    quiet: bool = False

    @property
    def state_dir(self) -> Path:
        """The state folder, absolute."""
        from microstax.api.address import state_folder

        return state_folder(self.state)

    @contextmanager
    def client(self) -> "Iterator[Client]":
        """Open a client of the control plane that owns the state folder."""
        # grpc's C core would write its own lines beside our one sentence.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from microstax.api.address import management_address
        from microstax.api.client import Client

        with Client(management_address(self.state_dir)) as client:
            yield client

    def say(self, message: str) -> None:
        """Tell a person at a terminal how it goes, on stderr; silent in a pipe and with --quiet."""
        if not self.quiet and sys.stderr.isatty():
            self.write(message)

    def warn(self, message: str) -> None:
        """Write what a person must know also where nobody watches; silent with --quiet only."""
        if not self.quiet:
            self.write(f"Warning: {message}")

    def write(self, message: str) -> None:
        """Write a line on stderr, with nothing in it that a terminal would obey."""
        from microstax.report.text import visible_lines

        click.echo(visible_lines(message), err=True)


def _set_state(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    settings = ctx.ensure_object(Settings)
    # The group and the command both have the option: the variable, seen by the latter, must not undo the former.
    from_variable = ctx.get_parameter_source(str(param.name)) is click.core.ParameterSource.ENVIRONMENT
    if value is not None and (settings.state is None or not from_variable):
        settings.state = value


def _set_quiet(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's signature
    settings = ctx.ensure_object(Settings)
    settings.quiet = settings.quiet or value


def settings_options(function: Any) -> Any:
    """Add --state and --quiet, which the group and every command take alike."""
    function = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=_set_quiet, help="No progress on stderr."
    )(function)
    return click.option(
        "--state",
        metavar="DIR",
        envvar="MICROSTAX_STATE",
        expose_value=False,
        callback=_set_state,
        help="The control plane's state folder [env: MICROSTAX_STATE].",
    )(function)


pass_settings = click.make_pass_decorator(Settings, ensure=True)
