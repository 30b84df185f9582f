"""RFC 6902 on the local manifest: one operation at a time, so that an error can say which one and why.

An operation on a place that only Kubernetes has (resources, image, labels, ...) is left out and noted, because a
patch.yaml is written for both runtimes. A place that no manifest has is a mistake in the file.
"""

from copy import deepcopy
from typing import Any, Final

import jsonpatch
from jsonpointer import JsonPointer, JsonPointerException

from microstax.blueprint.manifest import Manifest
from microstax.blueprint.patch import Operation
from microstax.blueprint.place import nearest
from microstax.errors import InvalidFileError

_SPEC_PREFIX: Final = ("spec",)
_TEMPLATE_PREFIX: Final = ("spec", "template")
_POD_PREFIX: Final = ("spec", "template", "spec")
_CONTAINERS_PREFIX: Final = ("spec", "template", "spec", "containers")
_FIRST_PREFIX: Final = (*_CONTAINERS_PREFIX, "0")
_PROBE_PREFIX: Final = (*_FIRST_PREFIX, "readinessProbe")

_LOCAL: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    (): ("apiVersion", "kind", "metadata", "spec"),
    ("metadata",): ("name",),
    _SPEC_PREFIX: ("replicas", "template", "url"),
    _TEMPLATE_PREFIX: ("spec",),
    _POD_PREFIX: ("containers",),
    _FIRST_PREFIX: ("name", "command", "args", "env", "workingDir", "readinessProbe"),
    _PROBE_PREFIX: ("httpGet", "tcpSocket", "periodSeconds", "timeoutSeconds", "startPeriodSeconds"),
    (*_PROBE_PREFIX, "httpGet"): ("path",),
}
"""The members that the local manifest has, by place."""

_KUBERNETES: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("metadata",): ("annotations", "labels", "namespace"),
    _SPEC_PREFIX: (
        "minReadySeconds",
        "paused",
        "progressDeadlineSeconds",
        "revisionHistoryLimit",
        "selector",
        "strategy",
    ),
    _TEMPLATE_PREFIX: ("metadata",),
    _POD_PREFIX: (
        "activeDeadlineSeconds",
        "affinity",
        "automountServiceAccountToken",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "ephemeralContainers",
        "hostAliases",
        "hostNetwork",
        "imagePullSecrets",
        "initContainers",
        "nodeSelector",
        "priorityClassName",
        "restartPolicy",
        "runtimeClassName",
        "schedulerName",
        "securityContext",
        "serviceAccountName",
        "shareProcessNamespace",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    ),
    _FIRST_PREFIX: (
        "envFrom",
        "image",
        "imagePullPolicy",
        "lifecycle",
        "livenessProbe",
        "ports",
        "resizePolicy",
        "resources",
        "restartPolicy",
        "securityContext",
        "startupProbe",
        "stdin",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "tty",
        "volumeDevices",
        "volumeMounts",
    ),
    _PROBE_PREFIX: ("exec", "failureThreshold", "grpc", "initialDelaySeconds", "successThreshold"),
    (*_PROBE_PREFIX, "httpGet"): ("host", "httpHeaders", "port", "scheme"),
    (*_PROBE_PREFIX, "tcpSocket"): ("host", "port"),
}
"""The members that a Deployment has besides (Kubernetes API 1.32, apps/v1), by place: no effect on a process."""


def apply_operations(
    manifest: Manifest, operations: tuple[Operation, ...], *, service: str, file: str
) -> tuple[Manifest, tuple[str, ...]]:
    """Return the patched manifest and the paths that were left out. Raises InvalidFileError with the operation."""
    patched = deepcopy(manifest)
    left_out: list[str] = []
    for operation in operations:
        places = [operation.document[member] for member in ("from", "path") if member in operation.document]
        elsewhere = [place for place in places if _only_kubernetes(place)]
        if elsewhere:
            left_out.append(elsewhere[0])
        else:
            for place in places:
                _check_known(operation, place, file=file)
            patched = _apply(patched, operation, service=service, file=file)
    return patched, tuple(left_out)


def _only_kubernetes(pointer: str) -> bool:
    parts = tuple(JsonPointer(pointer).parts)
    container = _part_below(_CONTAINERS_PREFIX, parts)
    if container is not None and container != "0":
        return True  # a second container: there is none beside a process
    return any(_part_below(prefix, parts) in members for prefix, members in _KUBERNETES.items())


def _part_below(prefix: tuple[str, ...], parts: tuple[str, ...]) -> str | None:
    return parts[len(prefix)] if len(parts) > len(prefix) and parts[: len(prefix)] == prefix else None


def _check_known(operation: Operation, pointer: str, *, file: str) -> None:
    parts = tuple(JsonPointer(pointer).parts)
    for prefix, members in _LOCAL.items():
        part = _part_below(prefix, parts)
        if part is not None and part not in members:
            known = (*members, *_KUBERNETES.get(prefix, ()))
            place = JsonPointer.from_parts(prefix).path or "the top of a manifest"
            hint = nearest(part, known) or f": it has {', '.join(members)}."
            raise _error(operation, f"{place} has no field {part!r}{hint}", file=file)


def _apply(manifest: Manifest, operation: Operation, *, service: str, file: str) -> Manifest:
    try:
        patched = jsonpatch.JsonPatch([dict(operation.document)]).apply(manifest)
    except jsonpatch.JsonPatchTestFailed as error:
        raise _error(operation, _explain_test(manifest, operation, service=service), file=file) from error
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError) as error:
        raise _error(operation, _explain(manifest, operation, service=service), file=file) from error
    if not isinstance(patched, dict):
        raise _error(operation, "the manifest as a whole must stay a map.", file=file)
    return patched


def _error(operation: Operation, problem: str, *, file: str) -> InvalidFileError:
    return InvalidFileError(problem, file=file, line=operation.line, key=operation.key)


def _explain_test(manifest: Manifest, operation: Operation, *, service: str) -> str:
    pointer = operation.document["path"]
    _, missing, value = _walk(manifest, pointer)
    if missing:
        return _explain(manifest, operation, service=service)
    return f"the test failed: {pointer} is {_short(value)}, not {_short(operation.document['value'])}."


def _explain(manifest: Manifest, operation: Operation, *, service: str) -> str:
    members = [member for member in ("from", "path") if member in operation.document]
    for pointer in (operation.document[member] for member in members):
        found, missing, there = _walk(manifest, pointer)
        creates = operation.document["op"] in {"add", "move", "copy"} and pointer == operation.document["path"]
        is_last = pointer == f"{found}/{missing}".replace("//", "/")
        if missing and not (creates and is_last and isinstance(there, dict)):
            hint = nearest(missing, map(str, there) if isinstance(there, dict) else ()) or _listing(found, there)
            return f"the path {pointer} does not exist in the manifest of {service}{hint}"
    return f"the operation {operation.document['op']!r} is not possible at {operation.document['path']}."


def _walk(manifest: Manifest, pointer: str) -> tuple[str, str, Any]:
    """Return how far a pointer leads: the pointer of the last place that exists, the missing part, the value there."""
    value: Any = manifest
    found: list[str] = []
    for part in JsonPointer(pointer).parts:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and len(part) < 6 and int(part) < len(value):  # noqa: PLR2004
            value = value[int(part)]
        else:
            return JsonPointer.from_parts(found).path, part, value
        found.append(part)
    return pointer, "", value


def _listing(pointer: str, value: Any) -> str:
    where = pointer or "the top"
    if isinstance(value, dict):
        return f": {where} has {', '.join(map(str, value)) or 'nothing'}."
    if isinstance(value, list):
        return f": {where} has {len(value)} elements, counted from 0."
    return f": {where} has nothing below it."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004
