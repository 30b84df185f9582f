"""From whatever goes wrong to one sentence on stderr and an exit code: the outermost frame of every command.

A traceback never reaches the user; a mistake of our own is written to a file that the sentence names.
"""

import contextlib
import errno
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from microstax.errors import EXIT_DONE, EXIT_FAULT, EXIT_USAGE, MicrostaxError

EXIT_INTERRUPTED: Final = 130
"""128 + SIGINT, what a shell reports for a program that Ctrl-C ended."""
EXIT_PIPE: Final = 141
"""128 + SIGPIPE: the reader went away. Not 1, which would read as "different" in a pipeline."""
PROGRAM: Final = "microstax"


def run(arguments: Sequence[str]) -> int:
    """Run a command line; return the exit code. Prints what went wrong, raises nothing."""
    forgive_encodings()
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return _flush(ended.exit_code)
    except (KeyboardInterrupt, EOFError, click.Abort):
        return _flush(EXIT_INTERRUPTED)
    except click.ClickException as error:
        return fail(usage_sentence(error), EXIT_USAGE)
    except MicrostaxError as error:
        return fail(error.message, error.exit_code)
    except OSError as error:
        return _os_failure(error)
    except Exception as error:  # noqa: BLE001  # the one place where nothing may pass
        return fail(mistake_sentence(error), EXIT_FAULT)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    from microstax.cli.root import root

    if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
        root.main(args=list(arguments), prog_name=PROGRAM)
    # click's own main() would print a blank line on Ctrl-C and end with 1 on a broken pipe, our "different".
    with root.make_context(PROGRAM, list(arguments)) as context:
        root.invoke(context)
    return EXIT_DONE


def forgive_encodings() -> None:
    """Let a terminal that cannot show a character get its escape instead of a UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def fail(sentence: str, code: int) -> int:
    """Print the sentence on stderr, return `code`. A stderr that is gone is no reason for another error."""
    from microstax.report.text import visible_lines

    try:
        sys.stdout.flush()
    except OSError:
        _silence(code)
    with contextlib.suppress(OSError):
        click.echo(f"Error: {visible_lines(sentence)}", err=True)
    return code


def usage_sentence(error: click.ClickException) -> str:
    """Return one sentence that says what is wrong with the command line and where its help is."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    text = " ".join(error.format_message().split())
    text = text if text.endswith((".", "?", "!", ")")) else f"{text}."
    return f"{text} See '{context.command_path} --help'." if context else text


def mistake_sentence(error: Exception) -> str:
    """Write the traceback to a file that only the user can read; return the sentence that names it."""
    what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    try:
        descriptor, name = tempfile.mkstemp(prefix="microstax-trace-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError as refused:
        return f"microstax made a mistake ({what}) and could not write down where: {refused.strerror}."
    return f"microstax made a mistake ({what}); the details are in {Path(name)}: please report it with that file."


def _os_failure(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        return _silence(EXIT_PIPE)
    if error.errno in {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG}:
        return fail(f"The output cannot be written: {error.strerror}; free space or write elsewhere.", EXIT_FAULT)
    return fail(mistake_sentence(error), EXIT_FAULT)


def _flush(code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError as error:
        return _os_failure(error)
    return code


def _silence(code: int) -> int:
    """Point stdout at nothing, so that the interpreter's own flush at exit finds no broken pipe."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        return code
    return code
