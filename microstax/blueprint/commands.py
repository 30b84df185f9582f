"""Commands as people write them: a list, or one line that is split like a shell does and run without one.

A command may refer to variables as Kubernetes lets it, `$(PORT)`; so one patch.yaml works in both runtimes.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Final

from microstax.blueprint.place import Place

_SHELL_WORDS: Final = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"})
_SHELL_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_REFERENCE: Final = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


def read_command(place: Place) -> tuple[str, ...]:
    """Return a command's words; raises InvalidFileError for an empty one and for shell syntax in a line."""
    if place.is_list():
        words = tuple(item.value(what="a word of the command") for item in place.items(what="command"))
    else:
        words = _split(place)
    if not words or not words[0]:
        place.fail("the command is empty: write what to run, such as [python, -m, shop.catalog].")
    return words


def _split(place: Place) -> tuple[str, ...]:
    line = place.text(what="command")
    try:
        words = shlex.split(line)
    except ValueError as error:
        place.fail(f"the command cannot be split into words: {str(error).lower()}.")
    for word in words:
        variable = _SHELL_VARIABLE.search(word)
        if word in _SHELL_WORDS:
            place.fail(f"{word!r} is for a shell, and none runs this: write [sh, -c, '...'] to use one.")
        if variable and words[0] not in {"sh", "bash"}:
            place.fail(
                f"{variable[0]!r} is for a shell, and none runs this: write $({variable[1]}) for the variable's value."
            )
    return tuple(words)


def expand_variables(words: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Replace `$(NAME)` by the variable's value as Kubernetes does: `$$` is `$`, an unknown name stays as it is."""

    def replace(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else environ.get(found[1], found[0])

    return tuple(_REFERENCE.sub(replace, word) for word in words)
