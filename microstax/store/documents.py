"""Model dataclasses as JSON text and back, driven by their type hints.

A document of an older version may lack a field (its default stands) and one of a newer version may have more (they
are ignored), so a new field with a default needs no migration.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def encode(value: object) -> str:
    """Return compact JSON with sorted keys; equal values give equal text."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def decode(kind: type[T], text: str) -> T:
    """Return the dataclass `kind` that `encode` wrote. Raises ValueError or TypeError where it is none."""
    result: T = _typed(kind, json.loads(text))
    return result


def _plain(value: object) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return None if value is None else _typed(next(one for one in arguments if one is not NoneType), value)
    if origin is tuple:
        return tuple(_typed(arguments[0], item) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return MappingProxyType({key: _typed(arguments[1], item) for key, item in value.items()})
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]  # a dataclass, not an instance: it came from type hints
        known = {field.name for field in fields(kind) if field.name in value}
        return kind(**{name: _typed(hints[name], value[name]) for name in known})  # type: ignore[operator]  # as above
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value
