"""`microstax env logs`: what services print, as they print it."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.shape import command
from microstax.report.text import visible_lines

if TYPE_CHECKING:
    from microstax.generated.management.microstax.management.v1 import LogChunk


def lines(chunks: "Iterable[LogChunk]") -> Iterator[tuple[str, bytes]]:
    """Yield (service, line) for chunks that may end in the middle of a line, also of a service's last one."""
    pending: dict[str, bytes] = {}
    for chunk in chunks:
        *whole, rest = (pending.get(chunk.service, b"") + chunk.data).split(b"\n")
        pending[chunk.service] = rest
        yield from ((chunk.service, line) for line in whole)
    yield from ((service, rest) for service, rest in pending.items() if rest)


@command(
    None, "logs", examples=["microstax env logs production-cluster-01", "microstax env logs shadow-test catalog -f"]
)
@click.argument("name")
@click.argument("service", required=False, default="")
@click.option("-f", "--follow", is_flag=True, help="Go on printing until Ctrl-C.")
@click.option(
    "-n",
    "--tail",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    metavar="LINES",
    help="Begin with the last LINES lines of every service; 0 is all.",
)
@settings_options
@pass_settings
def logs(settings: Settings, *, name: str, service: str, follow: bool, tail: int) -> None:
    """Print what the services of an environment log.

    NAME is an environment or an overlay. Without SERVICE the lines of all services come with their names in front.
    """
    from microstax.api.methods import STREAM_LOGS

    request = STREAM_LOGS.request(name=name, service=service, follow=follow, tail_lines=tail)
    with settings.client() as client:
        for source, line in lines(client.stream(STREAM_LOGS, request)):
            _print(line if service else source.encode() + b" | " + line)


def _print(line: bytes) -> None:
    """Print a line: as it is into a pipe, harmless on a terminal."""
    if sys.stdout.isatty():
        click.echo(visible_lines(line.decode(errors="backslashreplace")))
    else:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
