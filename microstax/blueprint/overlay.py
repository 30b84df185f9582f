"""A patch over a baseline: which services run in the overlay, which are bridged, and what is different in them."""

import difflib
from dataclasses import dataclass, replace
from typing import Final

import yaml

from microstax.blueprint.manifest import Manifest, ManifestError, from_manifest, replicas, to_manifest
from microstax.blueprint.operations import apply_operations
from microstax.blueprint.patch import Patch, ServicePatch
from microstax.blueprint.place import nearest
from microstax.errors import InvalidFileError
from microstax.model.environment import EMPTY, EnvironmentSpec, ServiceSpec
from microstax.model.names import check_name
from microstax.model.overlay import OverlaySpec

_WIDE: Final = 10_000
"""Longer than any line, so that YAML never folds a command in a diff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayBlueprint:
    """An overlay before it runs: its services, and the baseline services that it reaches through the bridge.

    For people: `manifest_diff` is what a dry run prints, a unified diff of YAML manifests under a header of `#`
    lines; `notes` say what in the patch has no effect in the local runtime.
    """

    spec: OverlaySpec
    bridged: tuple[str, ...]
    manifest_diff: str
    notes: tuple[str, ...]


def apply_patch(
    patch: Patch, *, overlay_name: str, baseline: EnvironmentSpec, file: str, directory: str
) -> OverlayBlueprint:
    """Return the overlay that `patch` (read from `file`) makes of `baseline`.

    A command of the patch runs in `directory` (absolute), the patch's own checkout; or where the baseline's runs, if
    that is below it. Raises UsageError for an unusable name, InvalidFileError for a service that the baseline does
    not have and for a patch that does not fit its manifest.
    """
    check_name("overlay", overlay_name)
    _check_bridge(patch, baseline=baseline, file=file)
    built = [_Built.of(service, baseline=baseline, file=file, directory=directory) for service in patch.services]
    own = {one.service.name for one in built}
    spec = OverlaySpec(
        name=overlay_name,
        baseline=baseline.name,
        services=tuple(_without_bridged(one.service, own=own) for one in built),
        bridge=patch.bridge,
    )
    bridged = tuple(service.name for service in baseline.services if service.name not in own)
    notes = tuple(note for one in built for note in one.notes)
    return OverlayBlueprint(spec=spec, bridged=bridged, notes=notes, manifest_diff=_diff(built, spec, bridged, notes))


def _without_bridged(service: ServiceSpec, *, own: set[str]) -> ServiceSpec:
    return replace(service, depends_on=tuple(name for name in service.depends_on if name in own))


def _check_bridge(patch: Patch, *, baseline: EnvironmentSpec, file: str) -> None:
    own = {service.name for service in patch.services}
    for index, allowance in enumerate(patch.bridge):
        line = patch.lines[index] if index < len(patch.lines) else None
        key = f"bridge.allow[{index}].service"
        if baseline.service(allowance.service) is None:
            raise InvalidFileError(_unknown(allowance.service, baseline), file=file, line=line, key=key)
        if allowance.service in own:
            problem = (
                f"{allowance.service!r} runs in the overlay itself, so no call to it passes the bridge: remove it."
            )
            raise InvalidFileError(problem, file=file, line=line, key=key)


def _unknown(name: str, baseline: EnvironmentSpec) -> str:
    known = [service.name for service in baseline.services]
    hint = nearest(name, known) or f": it has {', '.join(known)}."
    return f"the baseline {baseline.name!r} has no service {name!r}{hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    service: ServiceSpec
    before: Manifest
    after: Manifest
    notes: tuple[str, ...]

    @classmethod
    def of(cls, patch: ServicePatch, *, baseline: EnvironmentSpec, file: str, directory: str) -> "_Built":
        base = baseline.service(patch.name)
        if base is None:
            raise InvalidFileError(_unknown(patch.name, baseline), file=file, line=patch.line, key=patch.key)
        if base.url is not None and not patch.url and not patch.command:
            problem = (
                f"{patch.name!r} is a server that already runs at {base.url}, and microstax cannot start another one "
                "like it: give a 'command', or the 'url' of the branch's own server."
            )
            raise InvalidFileError(problem, file=file, line=patch.line, key=patch.key)
        changed = to_manifest(_merged(base, patch, directory=directory))
        if patch.replicas is not None:
            changed["spec"]["replicas"] = patch.replicas
        after, left_out = apply_operations(changed, patch.operations, service=patch.name, file=file)
        try:
            service, wanted = from_manifest(after, base=base), replicas(after)
        except ManifestError as error:
            problem = f"with the patch applied, {error}."
            raise InvalidFileError(problem, file=file, line=patch.line, key=f"{patch.key}.patch") from error
        before = to_manifest(base)
        return cls(
            service=service,
            before=before,
            after=after,
            notes=_notes(patch, left_out=left_out, wanted=wanted, same=before == after),
        )


def _merged(base: ServiceSpec, patch: ServicePatch, *, directory: str) -> ServiceSpec:
    if patch.url is not None:
        return ServiceSpec(name=base.name, url=patch.url, depends_on=base.depends_on)
    env = {name: value for name, value in ({**base.env, **patch.env}).items() if value is not None}
    return replace(
        base,
        url=None,
        port=None,
        command=patch.command or base.command,
        env=env or EMPTY,
        workdir=_workdir(base, directory=directory) if patch.command else base.workdir,
    )


def _workdir(base: ServiceSpec, *, directory: str) -> str:
    if base.workdir is not None and f"{base.workdir}/".startswith(f"{directory}/"):
        return base.workdir
    return directory


def _notes(patch: ServicePatch, *, left_out: tuple[str, ...], wanted: int, same: bool) -> tuple[str, ...]:
    notes = []
    if patch.image is not None:
        notes.append(f"{patch.name}: 'image' has no effect in the local runtime, only its command runs.")
    if wanted != 1:
        notes.append(f"{patch.name}: 'replicas' has no effect in the local runtime, one process runs.")
    notes.extend(
        f"{patch.name}: {path} has no effect in the local runtime, only Kubernetes has it." for path in left_out
    )
    if same:
        notes.append(f"{patch.name}: nothing is changed, the branch runs what the baseline runs.")
    return tuple(notes)


def _diff(built: list[_Built], spec: OverlaySpec, bridged: tuple[str, ...], notes: tuple[str, ...]) -> str:
    allowed = {allowance.service: ", ".join(allowance.methods) for allowance in spec.bridge}
    reached = [f"{name} ({allowed[name]} allowed)" if name in allowed else name for name in bridged]
    header = [
        f"# overlay {spec.name} on baseline {spec.baseline}",
        f"# runs:    {', '.join(service.name for service in spec.services)}",
        f"# bridged: {', '.join(reached) or 'nothing, the overlay runs every service'}",
        *(f"# note:    {note}" for note in notes),
    ]
    lines = [line for one in built for line in _service_diff(one, spec)]
    return "\n".join([*header, *lines]) + "\n"


def _service_diff(one: _Built, spec: OverlaySpec) -> list[str]:
    return list(
        difflib.unified_diff(
            _yaml_lines(one.before),
            _yaml_lines(one.after),
            fromfile=f"{spec.baseline}/{one.service.name}",
            tofile=f"{spec.name}/{one.service.name}",
            lineterm="",
        )
    )


def _yaml_lines(manifest: Manifest) -> list[str]:
    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=_WIDE).splitlines()
