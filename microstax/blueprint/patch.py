"""patch.yaml to a Patch: what an overlay changes, before it meets a baseline. The same for every runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from jsonpointer import JsonPointer, JsonPointerException

from microstax.blueprint.bridge import BridgePatch, read_bridge
from microstax.blueprint.commands import read_command
from microstax.blueprint.place import Place, nearest
from microstax.blueprint.service import named_services, read_url, variable_entries
from microstax.blueprint.tree import plain_document, read_tree
from microstax.errors import InvalidFileError

MAX_REPLICAS: Final = 1000
_SERVICE_FIELDS: Final = ("name", "image", "command", "env", "replicas", "patch", "url")
_OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of RFC 6902; `document` has the members that the RFC gives it."""

    document: Mapping[str, Any]
    key: str = field(default="", compare=False)
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePatch:
    """What an overlay changes in one service. None and empty mean: as in the baseline.

    A variable whose value is None is removed. `operations` (RFC 6902, on the manifest) are applied last.
    """

    name: str
    image: str | None = None
    command: tuple[str, ...] = ()
    env: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    replicas: int | None = None
    url: str | None = None
    operations: tuple[Operation, ...] = ()
    key: str = field(default="", compare=False)
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A whole patch.yaml."""

    services: tuple[ServicePatch, ...]
    bridge: BridgePatch = field(default_factory=BridgePatch)


def parse_patch(text: str, *, file: str) -> Patch:
    """Return what the text of a patch.yaml says; `file` is its name in errors. Raises InvalidFileError."""
    tree = read_tree(text, file=file)
    if tree is None:
        raise InvalidFileError("the file is empty: it needs 'services'.", file=file)
    fields = Place(file, "", tree, tree.line).fields(("services", "bridge"), what="the file")
    if "services" not in fields:
        raise InvalidFileError("'services' is missing: what the overlay changes.", file=file, line=tree.line)
    services = tuple(_service(name, place) for name, place in named_services(fields["services"], what="services"))
    return Patch(services=services, bridge=read_bridge(fields["bridge"]) if "bridge" in fields else BridgePatch())


def _service(name: str, place: Place) -> ServicePatch:
    fields = place.fields(_SERVICE_FIELDS, what="a service of a patch")
    if "url" in fields:
        others = [field for field in fields if field not in {"url", "name"}]
        if others:
            fields[others[0]].fail(f"{others[0]!r} has no effect on a server that runs already at 'url': remove one.")
    return ServicePatch(
        name=name,
        image=fields["image"].text(what="image") if "image" in fields else None,
        command=read_command(fields["command"]) if "command" in fields else (),
        env=_variables(fields["env"]) if "env" in fields else MappingProxyType({}),
        replicas=fields["replicas"].integer(what="replicas", low=1, high=MAX_REPLICAS)
        if "replicas" in fields
        else None,
        url=read_url(fields["url"]) if "url" in fields else None,
        operations=tuple(_operation(item) for item in fields["patch"].items(what="patch")) if "patch" in fields else (),
        key=place.key,
        line=place.line,
    )


def _variables(place: Place) -> Mapping[str, str | None]:
    return MappingProxyType(
        {
            name: None if value.is_null() else value.value(what=f"the variable {name}")
            for name, value in variable_entries(place)
        }
    )


def _operation(place: Place) -> Operation:
    members = dict(place.entries(what="an operation"))
    if "op" not in members:
        place.fail(f"'op' is missing: one of {', '.join(_OPERATIONS)} (RFC 6902).")
    name = members["op"].text(what="op")
    if name not in _OPERATIONS:
        hint = nearest(name, _OPERATIONS) or f": it must be one of {', '.join(_OPERATIONS)}."
        members["op"].fail(f"unknown operation {name!r}{hint}")
    needed = _OPERATIONS[name]
    place.fields(("op", *needed), what=f"the operation {name!r}")
    missing = next((member for member in needed if member not in members), None)
    if missing:
        place.fail(f"{missing!r} is missing: the operation {name!r} needs {' and '.join(needed)}.")
    document = {member: _member(member, members[member]) for member in needed}
    return Operation(document=MappingProxyType({"op": name, **document}), key=place.key, line=place.line)


def _member(name: str, place: Place) -> Any:
    return plain_document(place.node) if name == "value" else _pointer(place)


def _pointer(place: Place) -> str:
    text = place.value(what="a path")
    try:
        JsonPointer(text)
    except JsonPointerException:
        place.fail(f"{text!r} is no JSON pointer: write /spec/replicas, and '~1' for a '/' in a name (RFC 6901).")
    return text
