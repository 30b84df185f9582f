"""The user's files: read here, understood by the control plane."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from microstax.errors import InvalidFileError

if TYPE_CHECKING:
    from microstax.generated.management.microstax.management.v1 import SourceFile

MAX_SOURCE_BYTES: Final = 4 * 1024 * 1024
"""Far above any env.yaml; a log or a video given by mistake is refused before it is sent."""


def read_source(name: str, *, option: str = "--file", what: str = "environment or patch file") -> "SourceFile":
    """Read a UTF-8 text file (`-` is stdin) as the API's SourceFile; raises InvalidFileError.

    `option` and `what` say in errors how the file was named, and what it should have been.
    """
    from microstax.generated.management.microstax.management.v1 import SourceFile

    if name == "-":
        data, label, directory = sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1), "<stdin>", Path.cwd()
    else:
        data, label, directory = _read(name, option), name, Path(name).absolute().parent
    if len(data) > MAX_SOURCE_BYTES:
        raise InvalidFileError(f"is larger than 4 MiB; this is no {what}.", file=label)
    return SourceFile(name=label, text=_text(data, label), directory=str(directory))


def _read(name: str, option: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_SOURCE_BYTES + 1)
    except FileNotFoundError as error:
        raise InvalidFileError(f"no such file; check the path given with {option}.", file=name) from error
    except IsADirectoryError as error:
        raise InvalidFileError("is a folder; name the YAML file in it.", file=name) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidFileError(f"cannot be read ({reason}).", file=name) from error


def _text(data: bytes, label: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidFileError("is not UTF-8 text; save it as UTF-8.", file=label, line=line) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidFileError("holds binary data, not YAML.", file=label, line=line)
    return text
