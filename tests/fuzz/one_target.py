"""Fuzz one target with atheris: `python one_target.py TARGET FOLDER [libFuzzer options] [corpus folders]`.

The product is instrumented as it is imported, so nothing of it may be imported before.
"""

import logging
import sys
from pathlib import Path

import atheris
from hostile.target import load


def main() -> None:
    """Fuzz until libFuzzer ends the process: after `-runs` inputs, or at the first that breaks a promise."""
    name, work, *options = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["microstax"]):
        target = load(name)
    words = Path(work) / "words"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens if token))
    given = [f"-max_len={target.longest}", f"-dict={words}"]
    atheris.Setup([sys.argv[0], *given, *options], target.check)
    atheris.Fuzz()


def _escaped(token: bytes) -> str:
    """Return a word as libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in token)


main()
