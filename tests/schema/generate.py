"""Write the JSON schema of a report document from its types: `python tests/schema/generate.py [--check]`."""

import json
import sys
import types
import typing
from pathlib import Path
from typing import Any, Final

from microstax.model import report

PATH: Final = Path(report.__file__).parents[1] / "report" / "report.schema.json"
_SHARES: Final = frozenset(
    {"rate", "noise_rate", "accuracy", "failing_share", "passing_share", "alpha", "tolerance", "confidence"}
)
_SIGNED: Final = ("evidence", "excess", "excess_high", "difference")
_FORMATS: Final = {"since": "date-time"}
_NONE: Final = type(None)


def schema() -> dict[str, Any]:
    """Return the schema: every field that is not NotRequired is required, and no other may be there."""
    definitions: dict[str, Any] = {}
    root = _object(report.ReportDocument, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://microstax.io/schema/report.json",
        "title": "The report of `microstax env diffs -o json`",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "additionalProperties": False,
        "required": [name for name in hints if name in kind.__required_keys__],
        "properties": {name: _value(hint, name, definitions) for name, hint in hints.items()},
    }


def _value(hint: Any, name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if typing.is_typeddict(hint):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not _NONE)
        return {"anyOf": [_value(inner, name, definitions), {"type": "null"}]}
    if origin is list:
        return {"type": "array", "items": _value(arguments[0], name, definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(arguments[1], name, definitions)}
    return _plain(hint, name)


def _plain(hint: Any, name: str) -> dict[str, Any]:
    if hint is bool:
        return {"type": "boolean"}
    lower = {} if name in _SIGNED else {"minimum": 0}
    if hint is int:
        return {"type": "integer", **lower}
    if hint is float:
        return {"type": "number", **lower, **({"maximum": 1} if name in _SHARES else {})}
    return {"type": "string", **({"format": _FORMATS[name]} if name in _FORMATS else {})}


def main() -> int:
    """Write the schema; with `--check` say whether it is current."""
    text = json.dumps(schema(), indent=2) + "\n"
    if "--check" not in sys.argv:
        PATH.write_text(text)
        return 0
    if PATH.exists() and PATH.read_text() == text:
        return 0
    sys.stderr.write(f"{PATH.name} is not what microstax/model/report.py says: run 'make schema'.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
