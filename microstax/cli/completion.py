"""`microstax completion`: the script that teaches a shell the commands."""

from typing import Final

import click

from microstax.cli.connection import settings_options
from microstax.cli.shape import command

SHELLS: Final = ("bash", "zsh", "fish")


@command(
    None,
    "completion",
    examples=[
        "microstax completion bash > ~/.local/share/bash-completion/completions/microstax",
        "microstax completion zsh > ~/.zfunc/_microstax",
        "microstax completion fish > ~/.config/fish/completions/microstax.fish",
    ],
)
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
@settings_options
def completion(*, shell: str) -> None:
    """Print the completion script of a shell.

    SHELL is bash, zsh or fish; write the script where the shell looks for it.
    """
    from click.shell_completion import get_completion_class

    from microstax.cli.root import root

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell!r}; it exists for {', '.join(SHELLS)}.")
    click.echo(kind(root, {}, "microstax", "_MICROSTAX_COMPLETE").source())
