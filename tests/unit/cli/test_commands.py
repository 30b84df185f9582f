"""Every command: its help, its examples, its options. A command without them fails here."""

import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from microstax.cli import env
from microstax.cli.root import COMMANDS, root
from microstax.cli.shape import Command, Group

PART_7 = {
    "up",
    "down",
    "demo",
    "status",
    "env create",
    "env list",
    "env show",
    "env delete",
    "env promote",
    "env shadow",
    "env diffs",
    "env export",
    "env logs",
    "overlay create",
    "overlay list",
    "overlay show",
    "overlay delete",
    "ignore add",
    "ignore list",
    "ignore remove",
    "ignore suggest",
    "diff",
    "selftest",
    "completion",
}
HEAVY = (
    "grpc",
    "betterproto2",
    "envoy_data_plane",
    "google.protobuf",
    "asyncio",
    "yaml",
    "orjson",
    "aiohttp",
    "msgpack",
)


def walk(group: Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield " ".join((*path, name)), command
        if isinstance(command, Group):
            yield from walk(command, (*path, name))


EVERY = dict(walk(root))


def test_the_commands_are_those_of_the_contract() -> None:
    assert {name for name, command in EVERY.items() if not isinstance(command, Group)} == PART_7


@pytest.mark.parametrize("name", EVERY)
def test_a_command_has_help_and_an_example(name: str) -> None:
    command = EVERY[name]
    assert isinstance(command, Command | Group)
    assert command.help
    assert command.help.splitlines()[0].endswith(".")
    assert command.examples
    assert all(example.split("#")[0].startswith("microstax ") for example in command.examples)


@pytest.mark.parametrize("name", EVERY)
def test_every_option_and_argument_is_documented(name: str) -> None:
    command = EVERY[name]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"
        else:
            assert parameter.name is not None
            assert parameter.name.upper() in (command.help or ""), (
                f"the help of {name} is silent about {parameter.name}"
            )


@pytest.mark.parametrize("name", EVERY)
def test_the_examples_parse(name: str) -> None:
    command = EVERY[name]
    assert isinstance(command, Command | Group)
    for example in command.examples:
        words = shlex.split(example)[1:]
        arguments = words[: words.index(">")] if ">" in words else words
        parse(root, arguments)


def parse(command: click.Command, arguments: list[str], parent: click.Context | None = None) -> None:
    """Parse as click does, without running anything."""
    context = command.make_context("microstax", list(arguments), parent=parent)
    rest = [*context._protected_args, *context.args] if isinstance(command, Group) else []
    if isinstance(command, Group):
        assert rest, "an example names a command"
        name, found, remaining = command.resolve_command(context, rest)
        assert (name, found is None) == (rest[0], False)
        assert found is not None
        parse(found, remaining, context)


@pytest.mark.parametrize("name", [name for name in EVERY if name.split()[-1] in {"list", "show", "status"}])
def test_every_list_and_show_command_has_json(name: str) -> None:
    output = next(parameter for parameter in EVERY[name].params if parameter.name == "output")
    assert isinstance(output.type, click.Choice)
    assert "json" in output.type.choices


LAZY = {**COMMANDS, **{f"env {name}": lazy for name, lazy in env.LATER.items()}}


@pytest.mark.parametrize("name", LAZY)
def test_the_summary_of_a_lazy_command_is_the_first_line_of_its_help(name: str) -> None:
    """What the group shows without importing the command must not drift away from the command's own help."""
    assert LAZY[name].summary == " ".join((EVERY[name].help or "").split("\n\n")[0].split())


@pytest.mark.parametrize("name", ["", *EVERY])
def test_help_runs(name: str) -> None:
    ended = CliRunner().invoke(root, [*name.split(), "--help"])
    assert ended.exit_code == 0
    assert "Usage:" in ended.output
    assert "Examples:" in ended.output


@pytest.mark.parametrize("arguments", [["--help"], ["env", "--help"], ["env", "diffs", "--help"], ["--version"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom microstax.cli.failure import run\n"
        f"code = run({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=30)
    assert done.stderr.strip() == "[]"


def test_a_group_without_a_command_shows_its_help() -> None:
    ended = CliRunner().invoke(root, ["env"])
    assert ended.exit_code == 0
    assert "Usage: microstax env" in ended.output
