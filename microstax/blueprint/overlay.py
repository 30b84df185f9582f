"""A patch over a baseline: which services run in the overlay, which are bridged, and what is different in them."""

import difflib
from dataclasses import dataclass, replace
from typing import Final

import yaml

from microstax.blueprint.bridge import check_bridge, unknown_service
from microstax.blueprint.fence import fence_lines
from microstax.blueprint.manifest import Manifest, ManifestError, from_manifest, replicas, to_manifest
from microstax.blueprint.operations import apply_operations
from microstax.blueprint.patch import Patch, ServicePatch
from microstax.blueprint.service import url_protocol
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
    check_bridge(patch.bridge, baseline=baseline, own={service.name for service in patch.services}, file=file)
    built = [_Built.of(service, baseline=baseline, file=file, directory=directory) for service in patch.services]
    own = {one.service.name for one in built}
    spec = OverlaySpec(
        name=overlay_name,
        baseline=baseline.name,
        services=tuple(_without_bridged(one.service, own=own) for one in built),
        bridge=patch.bridge.allow,
        limits=patch.bridge.limits,
        service_limits=patch.bridge.service_limits,
        direct=patch.bridge.direct,
    )
    bridged = tuple(service.name for service in baseline.services if service.name not in own)
    notes = tuple(note for one in built for note in one.notes)
    return OverlayBlueprint(spec=spec, bridged=bridged, notes=notes, manifest_diff=_diff(built, spec, baseline, notes))


def _without_bridged(service: ServiceSpec, *, own: set[str]) -> ServiceSpec:
    return replace(service, depends_on=tuple(name for name in service.depends_on if name in own))


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
            raise InvalidFileError(unknown_service(patch.name, baseline), file=file, line=patch.line, key=patch.key)
        if base.url is not None and not patch.url and not patch.command:
            problem = (
                f"{patch.name!r} is a server that already runs at {base.url}, and microstax cannot start another one "
                "like it: give a 'command', or the 'url' of the branch's own server."
            )
            raise InvalidFileError(problem, file=file, line=patch.line, key=patch.key)
        if patch.url is not None and url_protocol(patch.url) is not base.protocol:
            problem = f"{patch.name!r} speaks {base.protocol} on the baseline, and {patch.url} does not."
            raise InvalidFileError(problem, file=file, line=patch.line, key=f"{patch.key}.url")
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
        return ServiceSpec(name=base.name, url=patch.url, depends_on=base.depends_on, protocol=base.protocol)
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


def _diff(built: list[_Built], spec: OverlaySpec, baseline: EnvironmentSpec, notes: tuple[str, ...]) -> str:
    header = [
        f"# overlay {spec.name} on baseline {baseline.name}",
        f"# runs:    {', '.join(service.name for service in spec.services)}",
        *(f"# {line}" for line in fence_lines(spec, baseline)),
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
