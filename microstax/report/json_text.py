"""The report as JSON: the document itself, its members in the order of the contract, so that two reports compare."""

import json
import types
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from microstax.model.report import ReportDocument


def render_json(document: ReportDocument, *, indent: int | None = 2) -> str:
    """Return the document as ASCII JSON: no character of a captured answer reaches a terminal raw."""
    return json.dumps(_ordered(document, ReportDocument), indent=indent) + "\n"


def _ordered(value: Any, kind: Any) -> Any:
    """Return `value` with its keys in the order of the TypedDict that `kind` is or holds; elsewhere they are sorted."""
    if isinstance(value, list):
        item = next(iter(get_args(_one_of(kind, list))), None)
        return [_ordered(one, item) for one in value]
    if not isinstance(value, dict):
        return value
    typed = _one_of(kind, dict)
    members = get_type_hints(typed) if is_typeddict(typed) else {}
    keys = [key for key in members if key in value] + sorted(key for key in value if key not in members)
    return {key: _ordered(value[key], members.get(key)) for key in keys}


def _one_of(kind: Any, wanted: type) -> Any:
    """Return the member of a union that describes a `wanted`: a list's type, or a TypedDict."""
    choices = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)
    return next((one for one in choices if get_origin(one) is wanted or (wanted is dict and is_typeddict(one))), None)
