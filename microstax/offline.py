"""Pairs without a control plane: compare them again by the rules of today, and report as `env diffs` would.

Reads files, asks nobody.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from microstax.diff.compare import compare_triple
from microstax.diff.discrepancy import discrepancy_of
from microstax.errors import InvalidFileError, NotFoundError
from microstax.model.exchange import Triple
from microstax.model.record import PairFileHeader, StoredPair, read_pair_file
from microstax.report.pair import ComparedPair

_CHUNK: Final = 1024 * 1024


def compared(triple: Triple) -> ComparedPair:
    """Return the pair with its differences; those that the control shows at the same place are noise."""
    found = compare_triple(triple)
    noisy = {discrepancy_of(difference) for difference in found.control or ()}
    return ComparedPair(
        triple=triple,
        differences=found.branch,
        noise=tuple(difference for difference in found.branch if discrepancy_of(difference) in noisy),
        not_compared=found.not_compared.value if found.not_compared else None,
    )


def find_pair(name: str, pair_id: str) -> Triple:
    """Return a pair of the file; raises NotFoundError, or InvalidFileError for what is no file of pairs."""
    with pair_file(name) as (_, pairs):
        for pair in pairs:
            if pair.triple.id == pair_id:
                return pair.triple
    raise NotFoundError(f"{name} has no pair {pair_id!r}: the report names the pairs that it shows.")


@contextmanager
def pair_file(name: str) -> Iterator[tuple[PairFileHeader, Iterator[StoredPair]]]:
    """Open a file of pairs and read its header; raises InvalidFileError that says what is wrong with it."""
    try:
        file = Path(name).open("rb")  # noqa: SIM115  # closed below; only opening it is translated here
    except FileNotFoundError as error:
        raise InvalidFileError("no such file; 'microstax env export' writes one.", file=name) from error
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    with file:
        yield read_pair_file(_chunks(file, name), file=name)


def _chunks(file: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        yield from iter(lambda: file.read(_CHUNK), b"")
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> InvalidFileError:
    return InvalidFileError(f"cannot be read ({getattr(error, 'strerror', None) or error}).", file=name)
