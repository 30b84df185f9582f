"""env.yaml and patch.yaml: text to model, and an overlay over its baseline. PURE: nothing here reads a file.

`parse_environment` and `parse_patch` read text; every mistake in it is an InvalidFileError with file, line and key.
`apply_patch` makes an overlay of a patch and a baseline, and says what would run as a diff of manifests.
"""

from microstax.blueprint.commands import expand_variables
from microstax.blueprint.discovery import discovery_environment, service_version, url_address
from microstax.blueprint.documents import (
    environment_document,
    environment_from_document,
    overlay_document,
    overlay_from_document,
)
from microstax.blueprint.environment import parse_environment
from microstax.blueprint.graph import start_waves
from microstax.blueprint.overlay import OverlayBlueprint, apply_patch
from microstax.blueprint.patch import Operation, Patch, ServicePatch, parse_patch

__all__ = [
    "Operation",
    "OverlayBlueprint",
    "Patch",
    "ServicePatch",
    "apply_patch",
    "discovery_environment",
    "environment_document",
    "environment_from_document",
    "expand_variables",
    "overlay_document",
    "overlay_from_document",
    "parse_environment",
    "parse_patch",
    "service_version",
    "start_waves",
    "url_address",
]
