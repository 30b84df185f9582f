"""`microstax env export`: the stored pairs as a file that `microstax diff` reads."""

import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.shape import command
from microstax.cli.values import FILE
from microstax.errors import FaultError


def write_records(target: str, records: Iterable[bytes]) -> int:
    """Write the records to `target` (`-`: stdout), complete or not at all; return how many. Raises FaultError."""
    if target == "-":
        return _pour(sys.stdout.buffer, records)
    path = Path(target)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            part = Path(file.name)
            try:
                count = _pour(file, records)
                file.flush()
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise FaultError(f"{target} cannot be written ({error.strerror}); name another file with --file.") from error
    return count


def _pour(file: "BinaryIO | tempfile._TemporaryFileWrapper[bytes]", records: Iterable[bytes]) -> int:
    count = 0
    for count, record in enumerate(records, start=1):  # noqa: B007  # the last number is the result
        file.write(record)
    return count


@command(None, "export", examples=["microstax env export shadow-test --file pairs.msgpack"])
@click.argument("name")
@click.option("--file", "file", required=True, type=FILE, metavar="FILE", help="Where to write the pairs; - is stdout.")
@settings_options
@pass_settings
def export(settings: Settings, *, name: str, file: str) -> None:
    """Write the stored pairs of an overlay to a file.

    NAME is the overlay. The pairs are msgpack records, redacted as they are stored; `microstax diff` reads them.
    """
    from microstax.api.methods import EXPORT_PAIRS, GET_OVERLAY
    from microstax.model.record import PairFileHeader, encode_header

    with settings.client() as client:
        overlay = client.call(GET_OVERLAY, GET_OVERLAY.request(name=name))
        now_ms = time.time_ns() // 1_000_000
        header = PairFileHeader(overlay=overlay.name, baseline=overlay.baseline, created_ms=now_ms)
        stream = client.stream(EXPORT_PAIRS, EXPORT_PAIRS.request(overlay=name))
        count = write_records(file, chain([encode_header(header)], (answer.record for answer in stream))) - 1
    settings.say(f"Wrote {count:,} pairs to {file}.")
