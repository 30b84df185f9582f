"""Messages of any protobuf type, filled as decisions say: valid bytes that reach what random ones do not."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from hostile.choices import Choices

_DEEPEST: Final = 6
_MOST: Final = 4
_NUMBERS: Final = (0, 1, 2, 7, 64, 1_000, 65_535, 1 << 20, 1 << 31, (1 << 31) - 1, (1 << 53), (1 << 63) - 1)
_RANGES: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}
_DOUBLES: Final = (0.0, 1.0, 0.05, -0.0, -1.0, float("nan"), float("inf"), 1e308, 5e-324)
Words = Mapping[str, Sequence[Any]]
"""Values that make sense, by the name of a field; `*` for texts whose field has none."""


def fill(message: Any, choices: Choices, words: Words, *, depth: int = 0) -> Any:
    """Fill a protobuf message in place and return it."""
    for field in message.DESCRIPTOR.fields:
        if depth >= _DEEPEST or not choices.left or not choices.chance(2):
            continue
        if _is_map(field):
            _fill_map(message, field, choices, words, depth=depth)
        elif field.is_repeated:
            for _ in range(choices.number(0, _MOST)):
                _append(getattr(message, field.name), field, choices, words, depth=depth)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            fill(getattr(message, field.name), choices, words, depth=depth + 1)
            getattr(message, field.name).SetInParent()
        else:
            setattr(message, field.name, _value(field, choices, words))
    return message


def spoil(data: bytes, choices: Choices) -> bytes:
    """Return bytes with a few of them changed, cut, repeated or put in."""
    spoilt = bytearray(data)
    for _ in range(choices.number(0, 3)):
        at = choices.number(0, max(len(spoilt), 1))
        match choices.number(0, 3):
            case 0:
                spoilt[at : at + 1] = choices.data(8)
            case 1:
                del spoilt[at : at + choices.number(1, 64)]
            case 2:
                spoilt[at:at] = spoilt[at : at + choices.number(1, 64)]
            case _:
                del spoilt[at:]
    return bytes(spoilt)


def _is_map(field: Any) -> bool:
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def _fill_map(message: Any, field: Any, choices: Choices, words: Words, *, depth: int) -> None:
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    into = getattr(message, field.name)
    for _ in range(choices.number(0, _MOST)):
        name = _value(key, choices, words | {"key": words.get(field.name, words.get("*", ()))})
        if value.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            fill(into[name], choices, words, depth=depth + 1)
        else:
            into[name] = _value(value, choices, words)


def _append(into: Any, field: Any, choices: Choices, words: Words, *, depth: int) -> None:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        fill(into.add(), choices, words, depth=depth + 1)
    else:
        into.append(_value(field, choices, words))


def _value(field: Any, choices: Choices, words: Words) -> Any:
    wanted = {FieldDescriptor.TYPE_STRING: str, FieldDescriptor.TYPE_BYTES: bytes}.get(field.type, int)
    known = [one for one in words.get(field.name, words.get("*", ())) if isinstance(one, wanted)]
    if known and not choices.chance(8):
        return choices.pick(known)
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return bool(choices.number(0, 1))
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return choices.data(64)
        case FieldDescriptor.CPPTYPE_STRING:
            return choices.text(40).encode("utf-8", "replace").decode()
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return choices.pick(_DOUBLES)
        case FieldDescriptor.CPPTYPE_ENUM:
            return choices.pick(field.enum_type.values).number
        case _:
            low, high = _RANGES[field.cpp_type]
            number = choices.pick(_NUMBERS) * (-1 if low and choices.chance(4) else 1)
            return min(max(number, low), high)
