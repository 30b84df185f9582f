"""The parts of env.yaml that are about the traffic of all services: what is redacted, and the preview's header."""

import re
from collections.abc import Callable
from typing import Final

from microstax.blueprint.place import Place
from microstax.errors import UsageError
from microstax.model.paths import parse_path
from microstax.model.redaction import RedactionRules, check_pattern

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_FOR_PREVIEW: Final = ("host", "content-length", "content-type", "transfer-encoding", "connection", "cookie")


def read_redaction(place: Place) -> RedactionRules:
    """Return what `redact` names: `headers`, `jsonPaths`, `parameters` and `patterns`, each a list."""
    given = place.fields(("headers", "jsonPaths", "parameters", "patterns"), what="redact")

    def entries(name: str, check: Callable[[Place], object] | None = None) -> tuple[str, ...]:
        items = given[name].items(what=name) if name in given else []
        for item in items:
            if check is not None:
                check(item)
        return tuple(dict.fromkeys(item.text(what=name) for item in items))

    return RedactionRules(
        headers=tuple(dict.fromkeys(header.lower() for header in entries("headers", _header_name))),
        json_paths=entries("jsonPaths", lambda item: _checked(item, parse_path)),
        parameters=entries("parameters"),
        patterns=entries("patterns", lambda item: _checked(item, check_pattern)),
    )


def read_header(place: Place) -> str:
    """Return the name of the preview's header, in lower case."""
    name = _header_name(place)
    if name in _NOT_FOR_PREVIEW or name.startswith("x-microstax-"):
        place.fail(f"{name!r} has a meaning already: choose a header of your own, such as x-preview.")
    return name


def _header_name(place: Place) -> str:
    text = place.text(what="header")
    if not _HEADER_NAME.fullmatch(text):
        place.fail(f"{text!r} is no header name (RFC 9110, 5.1): use letters, digits and '-'.")
    return text.lower()


def _checked(place: Place, check: Callable[[str], object]) -> None:
    try:
        check(place.text(what="a rule"))
    except UsageError as error:
        place.fail(error.message)
